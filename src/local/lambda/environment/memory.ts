import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const KIB = 1024;

/** Milliseconds between two looks at a busy process tree; on Linux a look costs about 0.2 ms. */
const INTERVAL = process.platform === "linux" ? 25 : 500;

/** What is to happen when a process and its descendants take too much. */
export interface MemoryLimit {
  readonly bytes: number;
  readonly onExceeded: () => void;
}

/** Peak resident memory of one process and its descendants, in bytes; and, where the kernel does not, the limit on it. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #limit: MemoryLimit | undefined;
  #peak = 0;
  #exceeded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number, limit?: MemoryLimit) {
    this.#pid = pid;
    this.#limit = limit;
  }

  /** The limit was exceeded, and whoever set it told so. */
  get exceeded(): boolean {
    return this.#exceeded;
  }

  /** Samples the whole tree from now on until `stop`, so that a killed process has left a figure. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sample(treePeak);
      this.#enforce();
    }, INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The peak so far: exact for the process itself (the kernel's own high-water mark), as last sampled for its children. */
  peak(): number {
    this.#sample(ownPeak);
    return this.#peak;
  }

  #enforce(): void {
    const limit = this.#limit;
    if (limit === undefined || this.#exceeded) return;
    // Resident memory counts what processes share for each of them: only a look at the proportions decides.
    if (treeSum(this.#pid, residentNow) <= limit.bytes || treeSum(this.#pid, proportional) <= limit.bytes) return;
    this.#exceeded = true;
    limit.onExceeded();
  }

  #sample(measure: (pid: number) => number): void {
    this.#peak = Math.max(this.#peak, measure(this.#pid));
  }
}

/** 0 for a process that is gone. */
function ownPeak(pid: number): number {
  return process.platform === "linux" ? readKiB(`/proc/${pid}/status`, /^VmHWM:\s+(\d+) kB/m) : residentByPs(pid);
}

/** In bytes; 0 when the process is gone. */
function readKiB(path: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(path, "latin1"))?.[1] ?? 0) * KIB;
  } catch {
    return 0;
  }
}

function treePeak(pid: number): number {
  return treeSum(pid, ownPeak);
}

function treeSum(pid: number, measure: (pid: number) => number): number {
  return children(pid).reduce((sum, child) => sum + treeSum(child, measure), measure(pid));
}

function residentNow(pid: number): number {
  return process.platform === "linux" ? readKiB(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/m) : residentByPs(pid);
}

/** Each shared page divided by the number of processes that share it; in full where the kernel does not tell. */
function proportional(pid: number): number {
  return readKiB(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m) || residentNow(pid);
}

function children(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function residentByPs(pid: number): number {
  try {
    return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "latin1" }).trim()) * KIB;
  } catch {
    return 0;
  }
}
