import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const KIB = 1024;

/** Milliseconds between two looks at a busy process tree; on Linux a look costs about 0.2 ms. */
const INTERVAL = process.platform === "linux" ? 25 : 500;

/** Peak resident memory of one process and its descendants; bytes. */
export class MemoryWatch {
  readonly #pid: number;
  #peak = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Samples the whole tree from now on until `stop`, so that a killed process has left a figure. */
  start(): void {
    this.#timer ??= setInterval(() => this.#sample(treePeak), INTERVAL).unref();
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

  #sample(measure: (pid: number) => number): void {
    this.#peak = Math.max(this.#peak, measure(this.#pid));
  }
}

/** 0 for a process that is gone. */
function ownPeak(pid: number): number {
  if (process.platform !== "linux") return residentByPs(pid);
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * KIB;
  } catch {
    return 0;
  }
}

function treePeak(pid: number): number {
  return children(pid).reduce((sum, child) => sum + treePeak(child), ownPeak(pid));
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
