import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { encodeEventKey, makeS3Event, makeSequencer } from "../../../src/local/s3/event.ts";

test("a record has AWS's members in AWS's order", () => {
  const [record] = makeS3Event({ bucket: "b", key: "a b" }).Records;
  assert.ok(record !== undefined);
  const members = [
    "eventVersion",
    "eventSource",
    "awsRegion",
    "eventTime",
    "eventName",
    "userIdentity",
    "requestParameters",
    "responseElements",
    "s3",
  ];
  assert.deepEqual(Object.keys(record), members);
  assert.deepEqual(Object.keys(record.s3), ["s3SchemaVersion", "configurationId", "bucket", "object"]);
  assert.deepEqual(Object.keys(record.s3.bucket), ["name", "ownerIdentity", "arn"]);
  assert.deepEqual(Object.keys(record.s3.object), ["key", "size", "eTag", "sequencer"]);
  assert.equal(record.eventVersion, "2.1");
  assert.equal(record.eventName, "ObjectCreated:Put");
  assert.match(record.eventTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.match(record.responseElements["x-amz-request-id"], /^[0-9A-F]{16}$/);
  assert.match(record.responseElements["x-amz-id-2"], /^[A-Za-z0-9+/]{64}$/);
  assert.equal(record.s3.bucket.arn, "arn:aws:s3:::b");
});

test("a deletion has neither size nor ETag", () => {
  const [record] = makeS3Event({ bucket: "b", key: "k", eventName: "ObjectRemoved:Delete" }).Records;
  assert.deepEqual(Object.keys(record?.s3.object ?? {}), ["key", "sequencer"]);
});

test("keys are written form style with literal slashes", () => {
  const cases = {
    "a/b": "a/b",
    "a b": "a+b",
    "a+b": "a%2Bb",
    "a@b": "a%40b",
    "a:b": "a%3Ab",
    "é/ü": "%C3%A9/%C3%BC",
    "100%": "100%25",
    "=": "%3D",
  };
  for (const [key, encoded] of Object.entries(cases)) assert.equal(encodeEventKey(key), encoded);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (key) => {
      fc.pre(key.isWellFormed());
      assert.equal(decodeURIComponent(encodeEventKey(key).replaceAll("+", " ")), key);
    }),
  );
});

test("a sequencer is 18 digits around the time of the write, and grows", () => {
  const time = new Date("2020-09-11T09:18:54.000Z");
  assert.match(makeSequencer(time), /^005F5B40FE[0-9A-F]{8}$/);
  const later = [
    makeSequencer(time),
    makeSequencer(time),
    makeSequencer(new Date(time.getTime() + 1)),
    makeSequencer(new Date(time.getTime() + 1000)),
  ];
  assert.deepEqual(later, [...later].sort());
});
