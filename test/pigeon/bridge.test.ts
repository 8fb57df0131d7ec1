import assert from "node:assert/strict";
import test from "node:test";
import type { Metric } from "../../src/ops/metrics.ts";
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
    count: (metric, value = 1) => {
      counts[metric] = (counts[metric] ?? 0) + value;
    },
    publish: async (messages) => {
      published.push(...messages);
      return messages.flatMap((message) => {
        const reason = failing[message.id];
        return reason === undefined ? [] : [{ message, reason }];
      });
    },
  };
}

const run = (records: readonly unknown[], around: Surroundings): Promise<null> =>
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
  await assert.rejects(run([record(ID), { eventSource: "aws:sqs" }, record(OTHER)], around), {
    name: "MalformedRecordError",
    code: "ERR_MALFORMED_RECORD",
    message: 'record 1: expected an S3 event record, got a record of "aws:sqs"',
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
  assert.deepEqual(around.lines, ["s3:TestEvent: nothing to do"]);
  assert.deepEqual(around.counts, {});
});

test("an error that nobody foresaw reaches the runtime and is counted", async () => {
  const around = { ...watch(), publish: async () => Promise.reject(new TypeError("a bug")) };
  await assert.rejects(run([record(ID)], around), { name: "TypeError", message: "a bug" });
  assert.equal(around.counts.unknown_error, 1);
});
