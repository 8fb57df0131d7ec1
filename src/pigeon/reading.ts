import type { CrashId } from "../crash/crash-id.ts";
import type { Surroundings } from "./bridge.ts";
import { decide } from "./decision.ts";
import type { EventPart } from "./envelope.ts";
import { parseRecord } from "./s3-record.ts";

/** What the parts of an event come to. */
export interface Reading {
  /** Each id once, with the SQS messages that carry it; undefined stands for the event itself. */
  readonly accepted: ReadonlyMap<CrashId, readonly (string | undefined)[]>;
  /** One clause for each malformed part, which says where it is. */
  readonly malformed: readonly { readonly clause: string; readonly messageId: string | undefined }[];
  /** Of all SQS messages of the event. */
  readonly messageIds: ReadonlySet<string>;
}

/** Reads every part, whatever is wrong with others, and counts and logs what it finds. */
export function readParts(
  parts: readonly EventPart[],
  around: Pick<Surroundings, "configuration" | "log" | "account">,
): Reading {
  const { configuration, log, account } = around;
  const records = parts.filter(({ type }) => type !== "test event").length;
  if (records > 0 || parts.length === 0) log("info", `number of records: ${records}`);
  account.records = records;
  const accepted = new Map<CrashId, (string | undefined)[]>();
  const malformed: { clause: string; messageId: string | undefined }[] = [];
  let deferred = 0;
  for (const part of parts) {
    const { where, messageId } = part;
    if (part.type === "test event") {
      log("info", "s3:TestEvent: nothing to do");
      continue;
    }
    const parsed = part.type === "malformed" ? part : parseRecord(part.record, configuration.events);
    if (parsed.type === "malformed")
      malformed.push({ clause: `${where}: expected ${parsed.expected}, got ${parsed.got}`, messageId });
    if (parsed.type === "ignored") log("debug", `ignored ${where}: ${parsed.reason}`);
    if (parsed.type !== "created") continue;
    log("info", `looking at key: ${parsed.key}`);
    const decision = decide(parsed.key);
    if (decision.type === "ignore") {
      log("debug", `ignored key: ${decision.reason}`);
      continue;
    }
    const { id } = decision;
    log("info", `crash id: ${id} in ${parsed.bucket}`);
    if (decision.type === "defer") deferred++;
    else if (accepted.get(id)?.push(messageId)) log("info", `${id}: twice in this event`);
    else accepted.set(id, [messageId]);
  }
  account.count("accept", accepted.size);
  account.count("defer", deferred);
  account.count("malformed", malformed.length);
  return { accepted, malformed, messageIds: new Set(parts.flatMap(({ messageId }) => messageId ?? [])) };
}
