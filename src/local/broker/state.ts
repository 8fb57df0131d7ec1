import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StackError } from "../../ops/errors.ts";
import { commandLine } from "../../ops/process.ts";
import type { BrokerAddress } from "./broker-address.ts";

/** What is remembered of a broker that outlives the process which started it. */
export type BrokerState = { readonly address: BrokerAddress } & (
  | {
      readonly how: "node";
      readonly pid: number;
      /** What the command line of that process carries, since pids are used again. */
      readonly mark: string;
      readonly epmdPid: number;
      readonly epmdMark: string;
    }
  | { readonly how: "docker"; readonly container: string }
);

/** A start with an installation takes this long at most; ms. */
const LOCK_LIMIT = 400_000;
const LOCK_POLL = 100;

const file = (directory: string): string => join(directory, "state.json");

export async function readState(directory: string): Promise<BrokerState | undefined> {
  try {
    return JSON.parse(await readFile(file(directory), "utf8")) as BrokerState;
  } catch {
    return undefined; // none, or cut short by a full disk: the broker is then started anew
  }
}

/** Readable by its owner only: it holds the password. */
export async function writeState(directory: string, state: BrokerState): Promise<void> {
  const partial = `${file(directory)}.${process.pid}`;
  await writeFile(partial, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  await rename(partial, file(directory));
}

export async function removeState(directory: string): Promise<void> {
  await rm(file(directory), { force: true });
}

/** Runs `work` while no other process does so for this directory; a lock whose owner is dead is taken over. */
export async function withLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, "lock");
  const deadline = Date.now() + LOCK_LIMIT;
  while (!(await takeLock(path))) {
    const owner = await readOwner(path);
    if (isDead(owner)) await removeStaleLock(path);
    if (Date.now() > deadline) throw new StackError(`${path} is held by process ${owner}: stop it, or remove the file`);
    await delay(LOCK_POLL);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function readOwner(path: string): Promise<number> {
  return Number(await readFile(path, "utf8").catch(() => ""));
}

/** A file without a pid is being written at this moment. */
function isDead(owner: number): boolean {
  return owner > 0 && commandLine(owner) === "";
}

/** Others may do the same at the same time: one that meanwhile took the lock gets it back. */
async function removeStaleLock(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return; // another process was faster
  }
  if (isDead(await readOwner(aside))) await rm(aside, { force: true });
  else await rename(aside, path);
}

/** The file appears with its owner's pid in it, or not at all. */
async function takeLock(path: string): Promise<boolean> {
  try {
    const handle = await open(path, "wx");
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
