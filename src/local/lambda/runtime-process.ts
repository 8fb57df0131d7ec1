import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { FunctionConfiguration } from "./function.ts";
import { FunctionOutput, type LineSink } from "./function-output.ts";
import { MemoryWatch } from "./memory.ts";
import { type Runtime, STAND_IN } from "./runtime.ts";

/** How a process ended: one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a shell reports for a program that it cannot start. */
const CANNOT_START: Exit = { code: 127, signal: null };

/** stdout and stderr share one pipe, so that their lines keep their order; then the shell becomes the program. */
const JOIN_OUTPUT = 'exec "$0" "$@" 2>&1';

/** A stopped process does not notice that the local Lambda was killed: where util-linux is, the kernel ends it. */
const SETPRIV = "/usr/bin/setpriv";
const DIE_WITH_PARENT = process.platform === "linux" && existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL"] : [];

/** How long output of a dead process is waited for when somebody else still holds its pipes; ms. */
const CLOSE_LIMIT = 1000;

/** The file descriptor on which AWS's runtime client writes console output in frames. */
const TELEMETRY_FD = 3;

/** Where a runtime process runs: its function, its code, and the Runtime API that it is to ask. */
export interface RuntimeSetting {
  readonly fn: FunctionConfiguration;
  readonly runtime: Runtime;
  readonly taskRoot: string;
  readonly runtimeApi: string;
  readonly logStream: string;
}

/** AWS's runtime client as a child process in a process group of its own, with exactly AWS's environment variables. */
export class RuntimeProcess {
  readonly memory: MemoryWatch;
  /** Settles when the process has ended and its output has been read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #output: FunctionOutput;
  #ended = false;

  constructor(setting: RuntimeSetting, sink: LineSink) {
    const { fn, runtime, taskRoot } = setting;
    const preload = runtime.addon === "stand-in" ? ["--require", STAND_IN] : [];
    const command = [...DIE_WITH_PARENT, runtime.node, ...preload, runtime.client, fn.handler];
    this.#child = spawn("/bin/sh", ["-c", JOIN_OUTPUT, ...command], {
      cwd: taskRoot,
      env: makeEnvironmentVariables(setting),
      stdio: ["ignore", "pipe", "ignore", "pipe"],
      detached: true,
    });
    const [, output, , telemetry] = this.#child.stdio as unknown as [null, Readable, null, Readable];
    this.#output = new FunctionOutput(output, telemetry, sink);
    this.memory = new MemoryWatch(this.#child.pid ?? 0);
    this.exited = this.#waitForExit(sink);
  }

  /** The process is gone, whoever ended it. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Everything written before the process's last request has been handed to the sink. */
  drain(): Promise<void> {
    return this.#output.drain();
  }

  /** Stops the process group where it stands, as AWS does between invocations. */
  freeze(): void {
    this.#signalGroup("SIGSTOP");
  }

  thaw(): void {
    this.#signalGroup("SIGCONT");
  }

  /** Ends the whole process group at once, frozen or not. */
  async kill(): Promise<Exit> {
    this.#signalGroup("SIGKILL");
    return this.exited;
  }

  async #waitForExit(sink: LineSink): Promise<Exit> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    const exit = await new Promise<Exit>((resolve) => {
      this.#child.once("exit", (code, signal) => resolve({ code, signal }));
      this.#child.once("error", (error) => {
        sink(`cannot start the runtime: ${error.message}\n`);
        resolve(CANNOT_START);
      });
    });
    this.#ended = true;
    this.memory.stop();
    this.#signalGroup("SIGKILL"); // children that outlived it
    await Promise.race([closed, delay(CLOSE_LIMIT, undefined, { ref: false })]);
    for (const stream of this.#child.stdio) stream?.destroy();
    await this.#output.drain();
    return exit;
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // nobody of the group is left
    }
  }
}

/** `YYYY/MM/DD/[$LATEST]<32 hexadecimal digits>`, one per environment. */
export function makeLogStream(now = new Date()): string {
  const day = now.toISOString().slice(0, 10).replaceAll("-", "/");
  return `${day}/[$LATEST]${randomBytes(16).toString("hex")}`;
}

/** The variables of Node.js functions as recorded from AWS; what the user's function sets comes on top. */
function makeEnvironmentVariables({ fn, runtime, taskRoot, runtimeApi, logStream }: RuntimeSetting): NodeJS.ProcessEnv {
  const major = /\d+/.exec(runtime.identifier)?.[0] ?? "";
  return {
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "local",
    AWS_REGION: fn.region,
    AWS_DEFAULT_REGION: fn.region,
    AWS_EXECUTION_ENV: `AWS_Lambda_${fn.runtime}`,
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
    LD_LIBRARY_PATH: "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    NODE_PATH: `/opt/nodejs/node${major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task`,
    PATH: "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    PWD: taskRoot,
    SHLVL: "0",
    TZ: ":UTC",
    ...fn.environment,
    _HANDLER: fn.handler,
    _LAMBDA_TELEMETRY_LOG_FD: String(TELEMETRY_FD),
  };
}
