import { type CrashId, collectorDecision, parseCrashId } from "../crash/crash-id.ts";
import { decodeEventKey, RAW_CRASH_PREFIX } from "../crash/keys.ts";

/** What becomes of an object, from its key alone. */
export type Decision =
  | { readonly type: "accept"; readonly id: CrashId }
  | { readonly type: "defer"; readonly id: CrashId }
  | { readonly type: "ignore"; readonly reason: "not a raw crash" | "not a crash id" };

/** `key` as S3 events write it, URL-encoded. */
export function decide(key: string): Decision {
  const decoded = decodeEventKey(key);
  if (!decoded.startsWith(RAW_CRASH_PREFIX)) return { type: "ignore", reason: "not a raw crash" };
  const id = parseCrashId(decoded.slice(decoded.lastIndexOf("/") + 1));
  if (id === undefined) return { type: "ignore", reason: "not a crash id" };
  return { type: collectorDecision(id), id };
}
