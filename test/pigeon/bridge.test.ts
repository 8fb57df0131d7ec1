import assert from "node:assert/strict";
import test from "node:test";
import type { LogFields } from "../../src/ops/log.ts";
import type { Metric } from "../../src/ops/metrics.ts";
import { Account } from "../../src/pigeon/account.ts";
import { bridge, type Surroundings } from "../../src/pigeon/bridge.ts";
import type { ThrottledQueue } from "../../src/pigeon/throttle.ts";
import type { CrashMessage, PublishFailureReason } from "../../src/queue/broker-link.ts";

const ID = "00007bd0-2d1c-4865-af09-80bc00180313";
const OTHER = "11117bd0-2d1c-4865-af09-80bc00180313";
const DEFERRED = "00007bd0-2d1c-4865-af09-80bc01180313";

const record = (id: string): object => ({
  eventSource: "aws:s3",
  eventName: "ObjectCreated:Put",
  s3: { bucket: { name: "b" }, object: { key: `v2/raw_crash/000/20180313/${id}` } },
});

interface Watched extends Surroundings {
  readonly counts: Partial<Record<Metric, number>>;
  readonly published: CrashMessage[];
  readonly lines: string[];
}

function watch(
  failing: Partial<Record<string, PublishFailureReason>> = {},
  queues?: readonly ThrottledQueue[],
): Watched {
  const counts: Partial<Record<Metric, number>> = {};
  const published: CrashMessage[] = [];
  const lines: string[] = [];
  return {
    counts,
    published,
    lines,
    configuration: { queues: queues ?? [{ name: "q", throttle: 100 }], events: new Set(["ObjectCreated:Put"]) },
    log: (_severity, msg) => lines.push(msg),
    account: new Account((metric, value = 1) => {
      counts[metric] = (counts[metric] ?? 0) + value;
    }),
    publish: async (messages) => {
      published.push(...messages);
      const failures = messages.flatMap((message) => {
        const reason = failing[message.id];
        return reason === undefined ? [] : [{ message, reason }];
      });
      return { failures, attempts: 1, connectMs: 1.26, confirmMs: 2 };
    },
  };
}

const run = (records: readonly unknown[], around: Surroundings): Promise<unknown> =>
  bridge({ Records: records }, 0, around);

test("accepted ids are published, deferred ones are not", async () => {
  const around = watch();
  assert.equal(await run([record(ID), record(DEFERRED)], around), null);
  assert.deepEqual(around.published, [{ id: ID, queue: "q" }]);
  assert.deepEqual(around.counts, { accept: 1, defer: 1, published: 1 });
});

test("the log tells the number of records, each key, each id with its bucket, each publish", async () => {
  const around = watch();
  await run([record(ID)], around);
  assert.deepEqual(around.lines, [
    "number of records: 1",
    `looking at key: v2/raw_crash/000/20180313/${ID}`,
    `crash id: ${ID} in b`,
    `${ID}: publishing to q`,
    "summary: 1 accepted, 0 deferred, 1 published, 0 throttled, 0 not published, 0 malformed",
  ]);
});

test("an id that comes twice in an event is published once", async () => {
  const around = watch();
  await run([record(ID), record(ID)], around);
  assert.equal(around.published.length, 1);
  assert.deepEqual(around.counts, { accept: 1, published: 1 });
});

test("good records go out before a malformed one fails the event by its index", async () => {
  const around = watch();
  await assert.rejects(run([record(ID), { eventSource: "aws:sqs-like" }, record(OTHER)], around), {
    name: "MalformedRecordError",
    code: "ERR_MALFORMED_RECORD",
    message: 'record 1: expected an S3 event record, got a record of "aws:sqs-like"',
  });
  assert.deepEqual(
    around.published.map(({ id }) => id),
    [ID, OTHER],
  );
  assert.deepEqual(around.counts, { accept: 2, malformed: 1, published: 2 });
});

test("what is not confirmed fails the event, names every id, and the metrics balance", async () => {
  const around = watch({ [ID]: "unroutable", [OTHER]: "rejected by the broker" }, [
    { name: "q", throttle: 100 },
    { name: "none", throttle: 0 },
  ]);
  await assert.rejects(run([record(ID), record(OTHER), record(DEFERRED)], around), {
    name: "DeliveryError",
    code: "ERR_DELIVERY",
    message: `queue q: unroutable: ${ID}; queue q: rejected by the broker: ${OTHER}`,
  });
  const { accept = 0, published = 0, throttled = 0, publish_error = 0 } = around.counts;
  assert.equal(accept * 2, published + throttled + publish_error);
  assert.deepEqual(around.counts, { accept: 2, defer: 1, throttled: 2, publish_error: 2 });
});

test("an unknown event fails and is counted", async () => {
  const around = watch();
  await assert.rejects(bridge({ detail: {} }, 0, around), { name: "UnknownEventError" });
  assert.deepEqual(around.counts, { unknown_error: 1 });
});

test("S3's test event is a success with one line", async () => {
  const around = watch();
  assert.equal(await bridge({ Service: "Amazon S3", Event: "s3:TestEvent" }, 0, around), null);
  assert.equal(around.lines[0], "s3:TestEvent: nothing to do");
  assert.deepEqual(around.counts, {});
});

test("an error that nobody foresaw reaches the runtime and is counted", async () => {
  const around = { ...watch(), publish: async () => Promise.reject(new TypeError("a bug")) };
  await assert.rejects(run([record(ID)], around), { name: "TypeError", message: "a bug" });
  assert.deepEqual(around.counts, { accept: 1, publish_error: 1, unknown_error: 1 });
});

/** SQS messages m0, m1, ... with these bodies. */
const batch = (...bodies: unknown[]): object[] =>
  bodies.map((body, n) => ({ eventSource: "aws:sqs", messageId: `m${n}`, body: JSON.stringify(body) }));
const s3Event = (...ids: string[]): object => ({ Records: ids.map(record) });

test("of a batch of SQS messages only those that failed come again", async () => {
  const around = watch({ [OTHER]: "rejected by the broker" });
  const records = batch(s3Event(ID), s3Event(DEFERRED, OTHER), { hello: 1 }, s3Event(OTHER), s3Event(DEFERRED));
  assert.deepEqual(await run(records, around), {
    batchItemFailures: ["m2", "m1", "m3"].map((itemIdentifier) => ({ itemIdentifier })),
  });
  assert.deepEqual(around.counts, { accept: 2, defer: 2, malformed: 1, published: 1, publish_error: 1 });
  assert.match(around.lines.at(-2) ?? "", /^3 of 5 messages are to come again: DeliveryError: queue q: rejected/);
});

test("a batch without a failure says so; one where all failed is an error, as nothing else is safe without partial responses", async () => {
  assert.deepEqual(await run(batch(s3Event(ID), s3Event(DEFERRED)), watch()), { batchItemFailures: [] });
  const failing = watch({ [ID]: "unroutable" });
  await assert.rejects(run(batch(s3Event(ID), s3Event(ID)), failing), { message: `queue q: unroutable: ${ID}` });
  assert.deepEqual(failing.counts, { accept: 1, publish_error: 1 });
});

test("a failure outside of any message fails the whole batch", async () => {
  const nameless = { eventSource: "aws:sqs", body: JSON.stringify(s3Event(OTHER)) };
  await assert.rejects(run([...batch(s3Event(ID)), nameless], watch()), /record 1: expected a messageId/);
});

test("one line at the end has all counts and the times, however the invocation ends", async () => {
  const fields: (LogFields | undefined)[] = [];
  const around = {
    ...watch({ [ID]: "unroutable" }),
    log: (_: string, __: string, more?: LogFields) => fields.push(more),
  };
  await assert.rejects(run([record(ID), record(OTHER), record(DEFERRED)], around));
  assert.deepEqual(fields.at(-1), {
    records: 3,
    accept: 2,
    defer: 1,
    throttled: 0,
    published: 1,
    malformed: 0,
    publish_error: 1,
    unknown_error: 0,
    connect_ms: 1.3,
    confirm_ms: 2,
    attempts: 1,
  });
});
