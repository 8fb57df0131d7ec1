import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds between two looks at a process that is ending. */
const POLL = 20;

/** The command line of a running process; empty when there is none, or when it is a zombie. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}

/** Pids are used again: a process is ours only if its command line carries `mark`. */
export function isRunning(pid: number | undefined, mark: string): pid is number {
  return pid !== undefined && commandLine(pid).includes(mark);
}

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
