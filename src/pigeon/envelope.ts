import { describe, isObject } from "./shape.ts";

/**
 * What carries S3's records to Pigeon: an S3 event as it is, or wrapped by SQS, SNS (also within SQS) or EventBridge.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
 */

/** One piece of an event, unread: an S3 record, S3's test event, or something that is neither. */
export type EventPart = {
  /** Where in the event it is, such as `record 2` or `message 1a2b, record 0`. */
  readonly where: string;
  /** The SQS message that carries it, which can fail by itself. */
  readonly messageId?: string;
} & (
  | { readonly type: "record"; readonly record: unknown }
  | { readonly type: "test event" }
  | { readonly type: "malformed"; readonly expected: string; readonly got: string }
);

/** Where a part is, before it is known what it is. */
type Place = Pick<EventPart, "where" | "messageId">;

/** An event that is none of the known shapes: it fails, so that nothing is lost in silence. */
export class UnknownEventError extends Error {
  override readonly name = "UnknownEventError";
  readonly code = "ERR_UNKNOWN_EVENT";
}

const KNOWN = "an S3 event, or one wrapped by SQS, SNS or EventBridge";

/** What EventBridge calls the ways to create an object, and what S3's own events call them. */
const REASONS: Readonly<Record<string, string>> = {
  PutObject: "ObjectCreated:Put",
  "POST Object": "ObjectCreated:Post",
  CopyObject: "ObjectCreated:Copy",
  CompleteMultipartUpload: "ObjectCreated:CompleteMultipartUpload",
};

/** Every part of an event, whatever carries it. Throws an UnknownEventError. */
export function openEnvelope(event: unknown): EventPart[] {
  const parts = openContent(event, { where: "" });
  if (parts === undefined) throw new UnknownEventError(`event: expected ${KNOWN}, got ${describe(event)}`);
  return parts;
}

/** Undefined when the content is of no known shape. */
function openContent(content: unknown, place: Place): EventPart[] | undefined {
  if (!isObject(content)) return undefined;
  if (Array.isArray(content.Records))
    return content.Records.flatMap((record: unknown, index) => openRecord(record, within(place, `record ${index}`)));
  if (content.Event === "s3:TestEvent" && content.Service === "Amazon S3") return [{ ...place, type: "test event" }];
  if (content.Type === "Notification" && "Message" in content) return openMessage(content.Message, place);
  if (content.source === "aws.s3" && "detail-type" in content) return [openEventBridge(content, place)];
  return undefined;
}

function openRecord(record: unknown, place: Place): EventPart[] {
  if (isObject(record) && record.eventSource === "aws:sqs") return openQueueMessage(record, place);
  if (isObject(record) && record.EventSource === "aws:sns")
    return openMessage(isObject(record.Sns) ? record.Sns.Message : undefined, place);
  return [{ ...place, type: "record", record }];
}

function openQueueMessage({ messageId, body }: Record<string, unknown>, place: Place): EventPart[] {
  if (typeof messageId !== "string" || messageId === "")
    return [malformed(place, "a messageId, without which no message can be named as failed", messageId)];
  // Only the outermost message is known to whoever is told of failed ones.
  const outermost = place.messageId ?? messageId;
  return openMessage(body, { where: `message ${outermost.slice(0, 100)}`, messageId: outermost });
}

/** A message's text, which holds one event. */
function openMessage(text: unknown, place: Place): EventPart[] {
  if (typeof text !== "string") return [malformed(place, `the text of ${KNOWN}`, text)];
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return [malformed(place, `${KNOWN} as JSON`, text)];
  }
  return openContent(content, place) ?? [malformed(place, KNOWN, content)];
}

/** EventBridge's event as the record that S3 itself would send; its key is not URL-encoded, that of a record is. */
function openEventBridge(event: Record<string, unknown>, place: Place): EventPart {
  const kind = event["detail-type"];
  const detail = isObject(event.detail) ? event.detail : {};
  if (kind !== "Object Created") {
    // Only to be ignored by this name.
    return { ...place, type: "record", record: { eventSource: "aws:s3", eventName: kind } };
  }
  const { reason } = detail;
  const eventName = typeof reason === "string" && Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined;
  if (eventName === undefined) return malformed(place, `a reason, ${Object.keys(REASONS).join(", ")}`, reason);
  const key = isObject(detail.object) ? detail.object.key : undefined;
  const object = { key: typeof key === "string" ? encodeURIComponent(key.toWellFormed()) : key };
  return {
    ...place,
    type: "record",
    record: { eventSource: "aws:s3", eventName, s3: { bucket: detail.bucket, object } },
  };
}

function within({ where, ...place }: Place, inner: string): Place {
  return { ...place, where: where === "" ? inner : `${where}, ${inner}` };
}

function malformed(place: Place, expected: string, got: unknown): EventPart {
  return { ...place, where: place.where || "event", type: "malformed", expected, got: describe(got) };
}
