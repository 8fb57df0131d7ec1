import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { StackError } from "../../../ops/errors.ts";

/** Moves the folder in which fetched packages are kept. */
const CACHE_VARIABLE = "LOCAL_LAMBDA_CACHE";

/** Long enough for a slow line: 60 MB; ms. */
const FETCH_LIMIT = 600_000;

/** How often the person at the terminal is told that it goes on; ms. */
const PROGRESS = 3000;

const OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];

export interface PackageFetch {
  /** Names the folder in the cache: the same name, the same packages. */
  readonly name: string;
  /** For the sentences: what is fetched. */
  readonly what: string;
  /** npm's own arguments, such as `ci`. */
  readonly command: readonly string[];
  /** Puts package.json and the like into the folder before. */
  readonly prepare: (folder: string) => Promise<void>;
  readonly say: (sentence: string) => void;
  readonly environment?: NodeJS.ProcessEnv | undefined;
}

/** Packages of the npm registry, by npm itself on first use, afterwards from where they were kept: the folder. */
export async function keepPackages(fetch: PackageFetch): Promise<string> {
  const { name, what, say, environment = process.env } = fetch;
  const base = environment.XDG_CACHE_HOME ?? join(environment.HOME ?? homedir(), ".cache");
  const kept = join(environment[CACHE_VARIABLE] ?? join(base, "local-lambda"), name);
  if (existsSync(kept)) return kept;
  const started = Date.now();
  const seconds = (): number => Math.round((Date.now() - started) / 1000);
  say(`fetching ${what} from the npm registry`);
  const progress = setInterval(() => say(`still fetching after ${seconds()} s`), PROGRESS);
  try {
    await install(fetch, kept);
  } finally {
    clearInterval(progress);
  }
  say(`fetched in ${seconds()} s, kept in ${kept}`);
  return kept;
}

/** Whole or not at all: another process may do the same at the same time. */
async function install({ what, command, prepare }: PackageFetch, kept: string): Promise<void> {
  await mkdir(dirname(kept), { recursive: true });
  const partial = await mkdtemp(join(dirname(kept), "fetching-"));
  try {
    await prepare(partial);
    await promisify(execFile)("npm", [...command, ...OPTIONS], { cwd: partial, timeout: FETCH_LIMIT });
    await rename(partial, kept);
  } catch (cause) {
    if (existsSync(kept)) return;
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    const reason = code === "ENOENT" ? "there is no npm" : stderr?.trim() || String(cause);
    throw new StackError(`cannot fetch ${what} from the npm registry: ${reason}`, { cause });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
