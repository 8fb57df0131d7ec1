/** What of an S3 event record Pigeon needs; a record that is not for it says why. */
export type ParsedRecord =
  | { readonly type: "created"; readonly bucket: string; readonly key: string }
  | { readonly type: "ignored"; readonly reason: string }
  | { readonly type: "malformed"; readonly expected: string; readonly got: string };

/** An event that is neither S3 records nor S3's test event: it fails, so that nothing is lost in silence. */
export class UnknownEventError extends Error {
  override readonly name = "UnknownEventError";
  readonly code = "ERR_UNKNOWN_EVENT";
}

/** The records of an S3 event, still unread, or undefined for `s3:TestEvent`. Throws an UnknownEventError. */
export function parseEvent(event: unknown): readonly unknown[] | undefined {
  if (isObject(event)) {
    if (Array.isArray(event.Records)) return event.Records;
    if (event.Event === "s3:TestEvent" && event.Service === "Amazon S3") return undefined;
  }
  throw new UnknownEventError(`event: expected an S3 event with Records, got ${describe(event)}`);
}

/** `counted`: the event names that matter. Never throws. */
export function parseRecord(record: unknown, counted: ReadonlySet<string>): ParsedRecord {
  if (!isObject(record)) return malformed("an S3 event record", record);
  const { eventSource, eventName, s3 } = record;
  if (eventSource !== "aws:s3") {
    // Records of other services wrap what they carry: to ignore such a record would lose it.
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(expected: string, got: unknown): ParsedRecord {
  return { type: "malformed", expected, got: describe(got) };
}

/** Short: names of members rather than their values, which may be large or hostile. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (!isObject(value)) return JSON.stringify(value)?.slice(0, 100) ?? typeof value;
  const source = value.eventSource ?? value.EventSource;
  if (typeof source === "string") return `a record of ${JSON.stringify(source.slice(0, 100))}`;
  return `an object with ${JSON.stringify(Object.keys(value)).slice(0, 200)}`;
}
