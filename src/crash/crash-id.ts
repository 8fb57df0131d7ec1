import { randomUUID } from "node:crypto";

/** A crash id as it is written everywhere: 36 ASCII characters, e.g. `00007bd0-2d1c-4865-af09-80bc00180313`. */
export type CrashId = string & { readonly __brand: "CrashId" };

/** What the collector decided when it made the id: its 7th character from the end is 0 for accept, 1 for defer. */
export type CollectorDecision = "accept" | "defer";

const THROTTLE_DIGITS: Readonly<Record<CollectorDecision, string>> = { accept: "0", defer: "1" };

/** 8-4-4-4-12 lower-case hexadecimal; then throttle digit and date YYMMDD. `$` would let a trailing line feed pass. */
const CRASH_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{5}[01][0-9]{6}(?![\s\S])/;

/** The crash id that the whole text is, or undefined. The date may be no real day. */
export function parseCrashId(text: string): CrashId | undefined {
  return CRASH_ID.test(text) ? (text as CrashId) : undefined;
}

/** A new crash id: a version 4 UUID whose end is the decision and the day of receipt (UTC). */
export function makeCrashId(decision: CollectorDecision, received: Date): CrashId {
  const day = received.toISOString().slice(2, 10).replaceAll("-", "");
  return `${randomUUID().slice(0, -7)}${THROTTLE_DIGITS[decision]}${day}` as CrashId;
}

/** The decision that the id carries. */
export function collectorDecision(id: CrashId): CollectorDecision {
  return id.at(-7) === "0" ? "accept" : "defer";
}

/** The day on which the crash was received, `YYYYMMDD`. */
export function crashDate(id: CrashId): string {
  return `20${id.slice(-6)}`;
}
