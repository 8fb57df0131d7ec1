import { describe, isObject } from "./shape.ts";

/** What of an S3 event record Pigeon needs; a record that is not for it says why. */
export type ParsedRecord =
  | { readonly type: "created"; readonly bucket: string; readonly key: string }
  | { readonly type: "ignored"; readonly reason: string }
  | { readonly type: "malformed"; readonly expected: string; readonly got: string };

/** `counted`: the event names that matter. Never throws. */
export function parseRecord(record: unknown, counted: ReadonlySet<string>): ParsedRecord {
  if (!isObject(record)) return malformed("an S3 event record", record);
  const { eventSource, eventName, s3 } = record;
  if (eventSource !== "aws:s3") {
    // Records of other services may wrap what they carry: to ignore such a record would lose it.
    if (typeof eventSource !== "string" || !isObject(s3)) return malformed("an S3 event record", record);
    return { type: "ignored", reason: `event source ${eventSource}` };
  }
  if (typeof eventName !== "string") return malformed("an eventName", eventName);
  if (!counted.has(eventName)) return { type: "ignored", reason: `event name ${eventName}` };
  const bucket = isObject(s3) && isObject(s3.bucket) ? s3.bucket.name : undefined;
  if (typeof bucket !== "string") return malformed("s3.bucket.name, text", bucket);
  const key = isObject(s3) && isObject(s3.object) ? s3.object.key : undefined;
  if (typeof key !== "string") return malformed("s3.object.key, text", key);
  return { type: "created", bucket, key };
}

function malformed(expected: string, got: unknown): ParsedRecord {
  return { type: "malformed", expected, got: describe(got) };
}
