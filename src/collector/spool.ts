import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CrashId } from "../crash/crash-id.ts";
import { sync, writeSynced } from "../ops/durable.ts";
import { StackError } from "../ops/errors.ts";
import type { Log } from "../ops/log.ts";
import { claim } from "../ops/process-claim.ts";
import type { CrashObjects, DumpSource } from "../storage/crash-store.ts";

/** A kept report's folder: when it came, its number, its id. */
const KEPT = /^\d{15}-\d{9}-[0-9a-f-]{36}$/;

/** Reports in a row that S3 does not take, after which it is away. */
const MOST_FAILURES = 3;

/**
 * Reports that S3 did not take, on disk until it does. DIRECTORY/incoming has a folder for each report that is being received,
 * which the next start removes; DIRECTORY/kept one for each that is kept, named so that they sort as they came:
 * `crash.json` (id, raw crash, sizes of the dumps), and the dumps by their names; DIRECTORY/broken those that cannot be read.
 * One process at a time has the directory.
 */
export class Spool {
  readonly #directory: string;
  readonly #log: Log;
  readonly #release: () => Promise<void>;
  #kept: number;
  #sequence = 0;

  private constructor(directory: string, kept: number, log: Log, release: () => Promise<void>) {
    this.#directory = directory;
    this.#kept = kept;
    this.#log = log;
    this.#release = release;
  }

  /** Rejects with a StackError when the directory is not usable, or another process has it. */
  static async open(directory: string, log: Log): Promise<Spool> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const lock = join(directory, "lock");
      const release = await claim(lock, (pid) => `another collector (process ${pid}) has it`);
      await rm(join(directory, "incoming"), { recursive: true, force: true });
      for (const name of ["incoming", "kept", "broken"])
        await mkdir(join(directory, name), { recursive: true, mode: 0o700 });
      return new Spool(directory, (await listKept(directory)).length, log, release);
    } catch (cause) {
      throw new StackError(`spool ${directory}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#release();
  }

  /** Reports that are kept. */
  get size(): number {
    return this.#kept;
  }

  /** A folder in which a report is received; `keep` takes it, or whoever asked for it removes it. */
  makeFolder(): Promise<string> {
    return mkdtemp(join(this.#directory, "incoming", "report-"));
  }

  /** Resolves when the report survives a loss of power. `folder` has its dumps, by their names, and is taken away. */
  async keep(folder: string, id: CrashId, { rawCrash, dumps }: CrashObjects): Promise<void> {
    const sizes = Object.fromEntries([...dumps].map(([name, dump]) => [name, sizeOf(dump)]));
    await writeSynced(join(folder, "crash.json"), JSON.stringify({ id, rawCrash, dumps: sizes }));
    for (const name of dumps.keys()) await sync(join(folder, name));
    await sync(folder);
    const kept = join(this.#directory, "kept");
    const order = `${String(Date.now()).padStart(15, "0")}-${String(this.#sequence++).padStart(9, "0")}`;
    await rename(folder, join(kept, `${order}-${id}`));
    await sync(kept);
    this.#kept++;
  }

  /**
   * Hands every kept report to `save`, the oldest first, and removes each that was saved. One that S3 does not take lets the next
   * ones pass; several in a row end it.
   * @returns whether S3 has taken the last one, and what it said of the others
   */
  async replay(
    save: (id: CrashId, objects: CrashObjects) => Promise<void>,
  ): Promise<{ isTaken: boolean; last?: unknown }> {
    let failures = 0;
    let last: unknown;
    for (const name of await listKept(this.#directory)) {
      const folder = join(this.#directory, "kept", name);
      const report = await readKept(folder).catch((error: unknown) => this.#setAside(name, error));
      if (report === undefined) continue;
      try {
        await save(report.id, report.objects);
        await this.#remove(name);
        failures = 0;
      } catch (error) {
        last = error;
        if (++failures >= MOST_FAILURES) break;
      }
    }
    this.#kept = (await listKept(this.#directory)).length;
    return { isTaken: failures === 0, last };
  }

  /** At once for whoever looks; a kill in between leaves nothing half removed. */
  async #remove(name: string): Promise<void> {
    const gone = join(this.#directory, "incoming", name);
    await rename(join(this.#directory, "kept", name), gone);
    this.#kept--;
    await rm(gone, { recursive: true });
  }

  async #setAside(name: string, error: unknown): Promise<undefined> {
    const broken = join(this.#directory, "broken", name);
    this.#log("error", `a spooled report cannot be read and lies in ${broken} now: ${error}`);
    await rename(join(this.#directory, "kept", name), broken);
  }
}

/** The oldest first. */
async function listKept(directory: string): Promise<string[]> {
  return (await readdir(join(directory, "kept"))).filter((name) => KEPT.test(name)).sort();
}

async function readKept(folder: string): Promise<{ id: CrashId; objects: CrashObjects }> {
  const text = await readFile(join(folder, "crash.json"), "utf8");
  const { id, rawCrash, dumps } = JSON.parse(text) as {
    id: CrashId;
    rawCrash: CrashObjects["rawCrash"];
    dumps: Record<string, number>;
  };
  const files = Object.entries(dumps).map(([name, size]) => [name, { path: join(folder, name), size }] as const);
  for (const [, { path }] of files) await access(path);
  return { id, objects: { rawCrash, dumps: new Map(files) } };
}

function sizeOf(dump: DumpSource): number {
  return dump instanceof Uint8Array ? dump.length : dump.size;
}
