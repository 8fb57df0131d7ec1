import { hash } from "node:crypto";
import type { CrashId } from "../crash/crash-id.ts";

/** A queue and the share of accepted crash ids that goes there, in percent: 0 to 100. */
export interface ThrottledQueue {
  readonly name: string;
  readonly throttle: number;
}

/** 48 bits of a hash, enough for a share exact to 1 in 10^12. */
const RANGE = 2 ** 48;

/**
 * Whether a crash goes to a queue. Decided by a hash of both, not by a die: the same crash gets the same answer on every
 * retry and duplicate, the share is throttle/100, and queues decide independently.
 */
export function passesThrottle(id: CrashId, queue: ThrottledQueue): boolean {
  if (queue.throttle >= 100) return true;
  const digest = hash("sha256", `${id}\n${queue.name}`, "buffer");
  return digest.readUIntBE(0, 6) / RANGE < queue.throttle / 100;
}
