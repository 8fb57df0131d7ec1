import type { PublishFailure } from "../queue/publisher.ts";

/** Crash ids that are not known to be in their queues: the event must come again. Names every one. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  readonly code = "ERR_DELIVERY";
}

/** Records that are no S3 event records, by index; the good ones of the event have been published. */
export class MalformedRecordError extends Error {
  override readonly name = "MalformedRecordError";
  readonly code = "ERR_MALFORMED_RECORD";
}

/** One clause for each queue and reason, with its ids. */
export function describeFailures(failures: readonly PublishFailure[]): string {
  const groups = Map.groupBy(failures, ({ message, reason, detail }) => {
    const cause = detail === undefined ? reason : `${reason} (${detail})`;
    return `queue ${message.queue}: ${cause}`;
  });
  return [...groups]
    .map(([cause, group]) => `${cause}: ${group.map(({ message }) => message.id).join(", ")}`)
    .join("; ");
}
