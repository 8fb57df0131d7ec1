import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CrashId } from "../crash/crash-id.ts";
import { StackError } from "../ops/errors.ts";
import type { CrashObjects, DumpSource } from "../storage/crash-store.ts";

/**
 * Reports that S3 did not take, on disk until it does. DIRECTORY/incoming has a folder for each report that is being received,
 * which the next start removes; DIRECTORY/kept one for each that is kept, named so that they sort as they came:
 * `crash.json` (id, raw crash, sizes of the dumps), and the dumps by their names.
 */
export class Spool {
  readonly #directory: string;
  #kept: number;
  #sequence = 0;

  private constructor(directory: string, kept: number) {
    this.#directory = directory;
    this.#kept = kept;
  }

  static async open(directory: string): Promise<Spool> {
    try {
      await rm(join(directory, "incoming"), { recursive: true, force: true });
      await mkdir(join(directory, "incoming"), { recursive: true, mode: 0o700 });
      await mkdir(join(directory, "kept"), { recursive: true, mode: 0o700 });
      return new Spool(directory, (await readdir(join(directory, "kept"))).length);
    } catch (cause) {
      throw new StackError(`spool ${directory}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
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
   * Hands every kept report to `save`, the oldest first, and removes each that was saved. Stops at the first that is not.
   * @returns how many were saved
   */
  async replay(save: (id: CrashId, objects: CrashObjects) => Promise<void>): Promise<number> {
    const kept = join(this.#directory, "kept");
    let saved = 0;
    for (const name of (await readdir(kept)).sort()) {
      const folder = join(kept, name);
      const { id, objects } = await readKept(folder);
      await save(id, objects);
      await rm(folder, { recursive: true });
      this.#kept--;
      saved++;
    }
    return saved;
  }
}

async function readKept(folder: string): Promise<{ id: CrashId; objects: CrashObjects }> {
  const text = await readFile(join(folder, "crash.json"), "utf8");
  const { id, rawCrash, dumps } = JSON.parse(text) as {
    id: CrashId;
    rawCrash: CrashObjects["rawCrash"];
    dumps: Record<string, number>;
  };
  const files = Object.entries(dumps).map(([name, size]) => [name, { path: join(folder, name), size }] as const);
  return { id, objects: { rawCrash, dumps: new Map(files) } };
}

function sizeOf(dump: DumpSource): number {
  return dump instanceof Uint8Array ? dump.length : dump.size;
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
