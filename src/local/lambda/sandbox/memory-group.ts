import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isRunning } from "../code/temporary.ts";

/** The files of the two versions of control groups that this needs. */
interface Version {
  readonly limit: string;
  readonly swap: string;
  /** Holds a line `oom_kill <count>`. */
  readonly events: string;
}

const V1: Version = { limit: "memory.limit_in_bytes", swap: "memory.swappiness", events: "memory.oom_control" };
const V2: Version = { limit: "memory.max", swap: "memory.swap.max", events: "memory.events" };

/** A group that ends must first lose its last process; ms. */
const REMOVE_LIMIT = 5000;

/** Groups carry the pid of the local Lambda that uses them. */
const PREFIX = "local-lambda-";

let counter = 0;

/** A control group of the kernel that ends processes which take more memory than they are allowed together. */
export class MemoryGroup {
  readonly directory: string;
  readonly #version: Version;

  private constructor(directory: string, version: Version) {
    this.directory = directory;
    this.#version = version;
  }

  /** Undefined where this process may not make one. `limit` in bytes. */
  static create(limit: number): MemoryGroup | undefined {
    const name = `${PREFIX}${process.pid}-${counter++}`;
    for (const { parent, version } of findParents()) {
      if (counter === 1) removeLeftOver(parent);
      const directory = join(parent, name);
      try {
        mkdirSync(directory);
      } catch {
        continue;
      }
      try {
        writeFileSync(join(directory, version.limit), String(limit));
        writeIfThere(join(directory, version.swap), "0");
        readFileSync(join(directory, version.events));
        return new MemoryGroup(directory, version);
      } catch {
        rmdirSync(directory);
      }
    }
    return undefined;
  }

  /** The process and all that it will start. False when it may not be moved. */
  add(pid: number): boolean {
    try {
      writeFileSync(join(this.directory, "cgroup.procs"), String(pid));
      return true;
    } catch {
      return false;
    }
  }

  /** How many processes the kernel has ended for want of memory. */
  kills(): number {
    const events = readFileSync(join(this.directory, this.#version.events), "latin1");
    return Number(/^oom_kill (\d+)/m.exec(events)?.[1] ?? 0);
  }

  /** After its last process has ended, or a moment later. */
  async remove(): Promise<void> {
    for (const deadline = Date.now() + REMOVE_LIMIT; Date.now() < deadline; await delay(20)) {
      try {
        rmdirSync(this.directory);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      }
    }
  }
}

/** What local Lambdas that were killed have left; their processes are gone. */
function removeLeftOver(parent: string): void {
  for (const name of listFolder(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    try {
      rmdirSync(join(parent, name));
    } catch {
      // another user's, or still in use
    }
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Where groups could be made: beside or below this process's own. */
function findParents(): { parent: string; version: Version }[] {
  let own: string;
  try {
    own = readFileSync("/proc/self/cgroup", "latin1");
  } catch {
    return [];
  }
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(own)?.[1];
  const v2 = /^0::(.*)$/m.exec(own)?.[1];
  return [
    ...(v1 === undefined ? [] : around("/sys/fs/cgroup/memory", v1).map((parent) => ({ parent, version: V1 }))),
    ...(v2 === undefined ? [] : around("/sys/fs/cgroup", v2).map((parent) => ({ parent, version: V2 }))),
  ];
}

/** The path may be that of another namespace: the mount's own root is the last choice. */
function around(mount: string, path: string): string[] {
  return [...new Set([join(mount, path), join(mount, dirname(path)), mount])];
}

function writeIfThere(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch {
    // no swap to forbid
  }
}
