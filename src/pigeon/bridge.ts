import type { CrashId } from "../crash/crash-id.ts";
import type { Log } from "../ops/log.ts";
import type { Count } from "../ops/metrics.ts";
import type { CrashMessage } from "../queue/broker-link.ts";
import type { PublishFailure } from "../queue/publisher.ts";
import type { PigeonConfiguration } from "./configuration.ts";
import { decide } from "./decision.ts";
import { DeliveryError, describeFailures, MalformedRecordError } from "./delivery-error.ts";
import { parseEvent, parseRecord } from "./s3-event.ts";
import { passesThrottle } from "./throttle.ts";

/** What the bridge needs of the world. */
export interface Surroundings {
  readonly configuration: Pick<PigeonConfiguration, "queues" | "events">;
  readonly log: Log;
  readonly count: Count;
  /** Publishes until `deadline` (ms since the epoch); resolves to what was not confirmed. */
  readonly publish: (messages: readonly CrashMessage[], deadline: number) => Promise<readonly PublishFailure[]>;
}

/** What an event's records come to. */
interface Reading {
  readonly accepted: ReadonlySet<CrashId>;
  /** One clause for each malformed record, with its index. */
  readonly malformed: readonly string[];
}

/**
 * From an S3 event to confirmed publishes: the good records go out first; then, if a record is malformed or a publish is not
 * confirmed, it throws an error that names the records and the ids, so that Lambda retries the event and finally keeps it.
 */
export async function bridge(event: unknown, deadline: number, around: Surroundings): Promise<null> {
  try {
    const records = parseEvent(event);
    if (records === undefined) {
      around.log("info", "s3:TestEvent: nothing to do");
      return null;
    }
    const { accepted, malformed } = readRecords(records, around);
    const failures = await publishAccepted(accepted, deadline, around);
    failWith(failures, malformed, around);
    return null;
  } catch (error) {
    if (!(error instanceof DeliveryError || error instanceof MalformedRecordError)) around.count("unknown_error");
    around.log("error", error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    throw error;
  }
}

function readRecords(records: readonly unknown[], { configuration, log, count }: Surroundings): Reading {
  log("info", `number of records: ${records.length}`);
  const accepted = new Set<CrashId>();
  const malformed: string[] = [];
  let deferred = 0;
  for (const [index, record] of records.entries()) {
    const parsed = parseRecord(record, configuration.events);
    if (parsed.type === "malformed") malformed.push(`record ${index}: expected ${parsed.expected}, got ${parsed.got}`);
    if (parsed.type === "ignored") log("debug", `ignored record ${index}: ${parsed.reason}`);
    if (parsed.type !== "created") continue;
    log("info", `looking at key: ${parsed.key}`);
    const decision = decide(parsed.key);
    if (decision.type === "ignore") {
      log("debug", `ignored key: ${decision.reason}`);
      continue;
    }
    log("info", `crash id: ${decision.id} in ${parsed.bucket}`);
    if (decision.type === "defer") deferred++;
    else if (accepted.has(decision.id)) log("info", `${decision.id}: twice in this event`);
    else accepted.add(decision.id);
  }
  if (accepted.size > 0) count("accept", accepted.size);
  if (deferred > 0) count("defer", deferred);
  if (malformed.length > 0) count("malformed", malformed.length);
  return { accepted, malformed };
}

async function publishAccepted(
  accepted: ReadonlySet<CrashId>,
  deadline: number,
  { configuration, log, count, publish }: Surroundings,
): Promise<readonly PublishFailure[]> {
  const messages: CrashMessage[] = [];
  let throttled = 0;
  for (const id of accepted) {
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
  if (throttled > 0) count("throttled", throttled);
  if (messages.length === 0) return [];
  const failures = await publish(messages, deadline);
  if (messages.length > failures.length) count("published", messages.length - failures.length);
  if (failures.length > 0) count("publish_error", failures.length);
  return failures;
}

function failWith(failures: readonly PublishFailure[], malformed: readonly string[], { log }: Surroundings): void {
  for (const { message, reason } of failures)
    log("error", `${message.id}: not published to ${message.queue}: ${reason}`);
  const records = malformed.join("; ");
  if (failures.length === 0 && malformed.length === 0) return;
  if (failures.length === 0) throw new MalformedRecordError(records);
  throw new DeliveryError([describeFailures(failures), records].filter(Boolean).join("; "));
}
