import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseRecord } from "../../src/pigeon/s3-record.ts";

const COUNTED = new Set(["ObjectCreated:Put"]);
const record = (change: object = {}): object => ({
  eventSource: "aws:s3",
  eventName: "ObjectCreated:Put",
  s3: { bucket: { name: "b" }, object: { key: "k" } },
  ...change,
});

test("a counted record says bucket and key", () => {
  assert.deepEqual(parseRecord(record(), COUNTED), { type: "created", bucket: "b", key: "k" });
});

test("other event names, and S3-like records of other services, are ignored with a reason", () => {
  assert.deepEqual(parseRecord(record({ eventName: "ObjectRemoved:Delete" }), COUNTED), {
    type: "ignored",
    reason: "event name ObjectRemoved:Delete",
  });
  assert.deepEqual(parseRecord(record({ eventSource: "minio:s3" }), COUNTED), {
    type: "ignored",
    reason: "event source minio:s3",
  });
});

test("records that wrap others, or lack what is needed, are malformed", () => {
  const wrong = [
    null,
    1,
    [],
    {},
    { eventSource: "aws:sqs", body: "{}" },
    { EventSource: "aws:sns", Sns: {} },
    record({ eventName: 1 }),
    record({ s3: null }),
    record({ s3: { bucket: { name: "b" } } }),
    record({ s3: { object: { key: "k" } } }),
    record({ s3: { bucket: { name: "b" }, object: { key: null } } }),
    record({ s3: { bucket: { name: 5 }, object: { key: "k" } } }),
  ];
  for (const value of wrong) assert.equal(parseRecord(value, COUNTED).type, "malformed", JSON.stringify(value));
  const sqs = parseRecord({ eventSource: "aws:sqs", body: "{}" }, COUNTED);
  assert.deepEqual(sqs, { type: "malformed", expected: "an S3 event record", got: 'a record of "aws:sqs"' });
});

test("no record whatever makes the parser throw", () => {
  fc.assert(fc.property(fc.anything(), (value) => typeof parseRecord(value, COUNTED).type === "string"));
});
