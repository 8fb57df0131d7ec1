import type { SQSBatchResponse } from "aws-lambda";
import type { CrashId } from "../crash/crash-id.ts";
import type { Log } from "../ops/log.ts";
import type { CrashMessage } from "../queue/broker-link.ts";
import type { PublishFailure, PublishResult } from "../queue/publisher.ts";
import type { Account } from "./account.ts";
import type { PigeonConfiguration } from "./configuration.ts";
import { DeliveryError, describeFailures, MalformedRecordError } from "./delivery-error.ts";
import { openEnvelope } from "./envelope.ts";
import { type Reading, readParts } from "./reading.ts";
import { passesThrottle } from "./throttle.ts";

/** What the bridge needs of the world. */
export interface Surroundings {
  readonly configuration: Pick<PigeonConfiguration, "queues" | "events">;
  readonly log: Log;
  /** Of this invocation. */
  readonly account: Account;
  /** Publishes until `deadline` (ms since the epoch); resolves to what was not confirmed. */
  readonly publish: (messages: readonly CrashMessage[], deadline: number) => Promise<PublishResult>;
}

/**
 * From an S3 event, plain or wrapped, to confirmed publishes: the good records go out first; then, if a record is malformed or
 * a publish is not confirmed, it throws an error that names the records and the ids, so that Lambda retries the event and
 * finally keeps it. Of a batch of SQS messages only those that failed are returned for a retry, unless all did.
 */
export async function bridge(event: unknown, deadline: number, around: Surroundings): Promise<SQSBatchResponse | null> {
  const { account, log } = around;
  try {
    const reading = readParts(openEnvelope(event), around);
    const failures = await publishAccepted(reading.accepted, deadline, around);
    return answer(reading, failures, log);
  } catch (error) {
    if (!(error instanceof DeliveryError || error instanceof MalformedRecordError)) account.count("unknown_error");
    log("error", error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    throw error;
  } finally {
    account.close(log);
  }
}

async function publishAccepted(
  accepted: Reading["accepted"],
  deadline: number,
  { configuration, log, account, publish }: Surroundings,
): Promise<readonly PublishFailure[]> {
  const messages: CrashMessage[] = [];
  let throttled = 0;
  for (const id of accepted.keys()) {
    for (const queue of configuration.queues) {
      if (passesThrottle(id, queue)) {
        log("info", `${id}: publishing to ${queue.name}`);
        messages.push({ id, queue: queue.name });
      } else {
        log("info", `${id}: throttled for ${queue.name}`);
        throttled++;
      }
    }
  }
  account.count("throttled", throttled);
  if (messages.length === 0) return [];
  // Until the broker has confirmed it, nothing counts as published: not even when publishing itself breaks.
  let failed = messages.length;
  try {
    const result = await publish(messages, deadline);
    failed = result.failures.length;
    account.time(result);
    return result.failures;
  } finally {
    account.count("published", messages.length - failed);
    account.count("publish_error", failed);
  }
}

/** What Lambda is told. Throws when anything has failed, but for a batch of SQS messages of which some have not. */
function answer(
  { accepted, malformed, messageIds }: Reading,
  failures: readonly PublishFailure[],
  log: Log,
): SQSBatchResponse | null {
  for (const { message, reason } of failures)
    log("error", `${message.id}: not published to ${message.queue}: ${reason}`);
  const places = [
    ...malformed.map(({ messageId }) => messageId),
    ...failures.flatMap(({ message }) => accepted.get(message.id as CrashId) ?? [undefined]),
  ];
  if (places.length === 0) return messageIds.size === 0 ? null : { batchItemFailures: [] };
  const records = malformed.map(({ clause }) => clause).join("; ");
  const error =
    failures.length === 0
      ? new MalformedRecordError(records)
      : new DeliveryError([describeFailures(failures), records].filter(Boolean).join("; "));
  const failed = new Set(places.filter((messageId) => messageId !== undefined));
  // A failure of the whole batch is loud in AWS's metrics, and safe where partial responses are not switched on.
  if (places.includes(undefined) || failed.size === messageIds.size) throw error;
  log("error", `${failed.size} of ${messageIds.size} messages are to come again: ${error.name}: ${error.message}`);
  return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
}
