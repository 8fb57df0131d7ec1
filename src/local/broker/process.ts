import { setTimeout as delay } from "node:timers/promises";
import { isRunning } from "../../ops/process.ts";

/** Milliseconds between two looks at a process that is ending. */
const POLL = 20;

/** How long an ended process may stay in the table, until whoever is its parent now takes note; ms. */
const REAP_LIMIT = 5000;

/** SIGTERM, then SIGKILL after `patience` ms; resolves when the process is gone, from the table of processes too. */
export async function terminate(pid: number, mark: string, patience: number): Promise<void> {
  const hurry = Date.now() + patience;
  signal(pid, "SIGTERM");
  while (isRunning(pid, mark)) {
    if (Date.now() > hurry) signal(pid, "SIGKILL");
    await delay(POLL);
  }
  await untilReaped(pid);
}

/** Until then the threads of an ending process may hold its ports. */
export async function untilReaped(pid: number): Promise<void> {
  const limit = Date.now() + REAP_LIMIT;
  while (exists(pid) && Date.now() < limit) await delay(POLL);
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A process that is gone already is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone meanwhile
  }
}
