import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

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
