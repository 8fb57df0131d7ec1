import { readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { StackError } from "./errors.ts";
import { commandLine, isRunning } from "./process.ts";

/** Who holds a claim. */
export interface Claimant {
  readonly pid: number;
  /** The process's command line, since pids are used again. */
  readonly mark: string;
}

/**
 * A file says that this process is the only one to do something; a file of a process that runs no more says nothing. Resolves
 * with the release. Rejects with a StackError when another process that runs holds it: `describe` says so, given its pid.
 */
export async function claim(path: string, describe: (pid: number) => string): Promise<() => Promise<void>> {
  const text = JSON.stringify({ pid: process.pid, mark: commandLine(process.pid) });
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(path, text, { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const other = await readClaimant(path);
    if (other !== undefined) throw new StackError(describe(other.pid));
    await rm(path, { force: true }); // left by one that was killed
  }
  throw new StackError(`${path} is taken by another process at this moment: try again`);
}

/** Undefined when nobody that runs holds the claim. */
export async function readClaimant(path: string): Promise<Claimant | undefined> {
  // A file that is being written is complete a moment later.
  for (let tries = 0; tries < 2; tries++) {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      const claimant = JSON.parse(text) as Claimant;
      return isRunning(claimant.pid, claimant.mark) ? claimant : undefined;
    } catch {
      await delay(50);
    }
  }
  return undefined;
}
