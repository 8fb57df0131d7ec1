import { execFile } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { StackError } from "../../ops/errors.ts";

/** A Node.js and a runtime client that were fetched: the directories of the two packages. */
export interface FetchedRuntime {
  readonly lang: string;
  readonly client: string;
}

/** Moves the folder in which fetched runtimes are kept. */
const CACHE_VARIABLE = "LOCAL_LAMBDA_CACHE";

/** Long enough for a slow line: 60 MB; ms. */
const FETCH_LIMIT = 600_000;

/** How often the person at the terminal is told that it goes on; ms. */
const PROGRESS = 3000;

/** Each runtime's package.json and package-lock.json: exact versions, with the hash of every package. */
const LOCKS = fileURLToPath(new URL("./runtimes", import.meta.url));

/** From the npm registry on first use, by npm itself; afterwards from the folder where it was kept. */
export async function fetchRuntime(
  identifier: string,
  say: (sentence: string) => void,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<FetchedRuntime> {
  const lock = join(LOCKS, identifier);
  const { dependencies, optionalDependencies } = JSON.parse(await readFile(join(lock, "package.json"), "utf8"));
  const nodePackage = `node-${process.platform}-${process.arch}`;
  const nodeVersion: unknown = optionalDependencies[nodePackage];
  if (nodeVersion === undefined)
    throw new StackError(
      `runtime ${identifier}: the npm registry has no Node.js for ${process.platform} ${process.arch}`,
    );
  const cache =
    environment[CACHE_VARIABLE] ?? join(environment.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "local-lambda");
  const kept = join(cache, `${identifier}-${nodeVersion}-${dependencies["aws-lambda-ric"]}`);
  const runtime = {
    lang: join(kept, "node_modules", nodePackage),
    client: join(kept, "node_modules", "aws-lambda-ric"),
  };
  if (existsSync(kept)) return runtime;
  const started = Date.now();
  say(
    `${identifier}: fetching Node.js ${nodeVersion} and aws-lambda-ric ${dependencies["aws-lambda-ric"]} from the npm registry`,
  );
  const seconds = (): number => Math.round((Date.now() - started) / 1000);
  const progress = setInterval(() => say(`${identifier}: still fetching after ${seconds()} s`), PROGRESS);
  try {
    await install(lock, cache, kept);
  } finally {
    clearInterval(progress);
  }
  say(`${identifier}: fetched in ${seconds()} s, kept in ${kept}`);
  return runtime;
}

/** Whole or not at all: another process may do the same at the same time. */
async function install(lock: string, cache: string, kept: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const partial = await mkdtemp(join(cache, "fetching-"));
  try {
    cpSync(lock, partial, { recursive: true });
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
    await promisify(execFile)("npm", ["ci", ...options], { cwd: partial, timeout: FETCH_LIMIT });
    await mkdir(join(partial, "node_modules", "aws-lambda-ric", "node_modules"), { recursive: true });
    await rename(partial, kept);
  } catch (cause) {
    if (existsSync(kept)) return;
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    const reason = code === "ENOENT" ? "there is no npm" : stderr?.trim() || String(cause);
    throw new StackError(`cannot fetch the runtime from the npm registry: ${reason}`, { cause });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
