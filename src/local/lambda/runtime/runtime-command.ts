import { accessSync, closeSync, constants, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { FunctionConfiguration } from "../function.ts";
import { type Command, type Layout, type Parts, TELEMETRY_FD } from "../sandbox/sandbox.ts";
import type { Runtime } from "./runtime.ts";

/** What a runtime process is started for. */
export interface RuntimeSetting {
  readonly fn: FunctionConfiguration;
  readonly runtime: Runtime;
  /** `host:port` of the Runtime API. */
  readonly runtimeApi: string;
  readonly logStream: string;
  readonly inspect?: Inspect | undefined;
}

/** How a debugger connects. */
export interface Inspect {
  readonly port: number;
  /** The function starts when a debugger is there. */
  readonly wait: boolean;
}

/** Why a function cannot be started at all: AWS's Runtime.InvalidEntrypoint. */
export class InvalidEntrypointError extends Error {
  override readonly name = "InvalidEntrypointError";
  readonly code = "ERR_INVALID_ENTRYPOINT";
}

/** The program that a sandbox is to run. `parts` is where its files lie on this machine. Throws an InvalidEntrypointError. */
export function makeCommand(setting: RuntimeSetting, layout: Layout, parts: Parts): Command {
  const { fn, runtime } = setting;
  const environment = makeEnvironmentVariables(setting, layout);
  if (runtime.nodejs === undefined) return { argv: [findBootstrap(layout, parts)], environment };
  const wrapper = fn.environment.AWS_LAMBDA_EXEC_WRAPPER;
  const argv = makeNodeCommand(setting, layout);
  return { argv: wrapper ? [locate(wrapper, layout), ...argv] : argv, environment };
}

/** The programs of /opt/extensions, which Lambda starts before the runtime, by name. */
export function findExtensions(
  setting: RuntimeSetting,
  layout: Layout,
  parts: Parts,
): { readonly name: string; readonly command: Command }[] {
  // The folder is there only when the function has layers.
  if (setting.fn.layers.length === 0) return [];
  const { _HANDLER, _LAMBDA_TELEMETRY_LOG_FD, ...environment } = makeEnvironmentVariables(setting, layout);
  const folder = join(parts.opt, "extensions");
  return readFolder(folder)
    .filter((name) => examineProgram(join(folder, name)) === undefined)
    .map((name) => ({ name, command: { argv: [join(layout.opt, "extensions", name)], environment } }));
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function makeNodeCommand({ fn, runtime: { nodejs }, inspect }: RuntimeSetting, layout: Layout): string[] {
  const debug = inspect === undefined ? [] : [`--inspect${inspect.wait ? "-wait" : ""}=127.0.0.1:${inspect.port}`];
  const preload = nodejs?.addon === "stand-in" ? ["--require", `${layout.support}/addon-stand-in.cjs`] : [];
  const client = nodejs?.clientVersion.startsWith("3.")
    ? [`${layout.support}/client-3.mjs`, `${layout.runtime}/dist/index.mjs`]
    : [`${layout.runtime}/index.mjs`];
  return [`${layout.lang}/bin/node`, ...debug, ...preload, ...client, fn.handler];
}

/** A path of AWS's, where it lies in this layout. */
function locate(path: string, layout: Layout): string {
  return path.replace(/^\/opt(?=\/)/, layout.opt).replace(/^\/var\/task(?=\/)/, layout.taskRoot);
}

/** The first one there is, as AWS looks for it; it must be a program that the kernel can start. */
function findBootstrap(layout: Layout, parts: Parts): string {
  const places = [
    { path: join(layout.taskRoot, "bootstrap"), here: join(parts.taskRoot, "bootstrap"), name: "/var/task/bootstrap" },
    { path: join(layout.opt, "bootstrap"), here: join(parts.opt, "bootstrap"), name: "/opt/bootstrap" },
  ];
  for (const { path, here, name } of places) {
    const trouble = examineProgram(here);
    if (trouble === undefined) return path;
    if (trouble !== "missing") throw new InvalidEntrypointError(`fork/exec ${name}: ${trouble}`);
  }
  throw new InvalidEntrypointError(`Couldn't find valid bootstrap(s): [${places.map(({ name }) => name).join(" ")}]`);
}

/** Undefined when it is a program; the kernel's words otherwise. */
function examineProgram(path: string): string | undefined {
  const start = Buffer.alloc(4);
  try {
    const file = openSync(path, "r");
    readSync(file, start);
    closeSync(file);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "missing" : "permission denied";
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return "permission denied";
  }
  const isProgram = start.toString("latin1", 0, 2) === "#!" || start.toString("latin1", 1) === "ELF";
  return isProgram || process.platform !== "linux" ? undefined : "exec format error";
}

/** The variables of Node.js functions as recorded from AWS; what the user's function sets comes on top. */
function makeEnvironmentVariables(
  { fn, runtime, runtimeApi, logStream }: RuntimeSetting,
  { taskRoot, opt, sdk }: Layout,
): Record<string, string> {
  // A runtime of the function's own has no language of AWS's, and no telemetry pipe.
  const lang = runtime.nodejs !== undefined;
  const major = /^nodejs(\d+)/.exec(runtime.identifier)?.[1];
  const nodePath = `${opt}/nodejs/node${major}/node_modules:${opt}/nodejs/node_modules:${sdk}:/var/runtime:/var/task`;
  return {
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "local",
    AWS_REGION: fn.region,
    AWS_DEFAULT_REGION: fn.region,
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memorySize),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: logStream,
    AWS_LAMBDA_RUNTIME_API: runtimeApi,
    AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
    AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1:2000",
    _AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1",
    _AWS_XRAY_DAEMON_PORT: "2000",
    LAMBDA_RUNTIME_DIR: "/var/runtime",
    LAMBDA_TASK_ROOT: taskRoot,
    LANG: "en_US.UTF-8",
    LD_LIBRARY_PATH: `${lang ? "/var/lang/lib:" : ""}/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:${opt}/lib`,
    PATH: `${lang ? "/var/lang/bin:" : ""}/usr/local/bin:/usr/bin/:/bin:${opt}/bin`,
    PWD: taskRoot,
    SHLVL: "0",
    TZ: ":UTC",
    ...(lang ? { AWS_EXECUTION_ENV: `AWS_Lambda_${fn.runtime}`, NODE_PATH: nodePath } : {}),
    ...(fn.logFormat === "JSON" ? { AWS_LAMBDA_LOG_FORMAT: "JSON", AWS_LAMBDA_LOG_LEVEL: fn.applicationLogLevel } : {}),
    ...fn.environment,
    _HANDLER: fn.handler,
    ...(lang ? { _LAMBDA_TELEMETRY_LOG_FD: String(TELEMETRY_FD) } : {}),
  };
}
