import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { decodeEventKey } from "../../src/crash/keys.ts";
import { ENVELOPES, wrapRecords } from "../../src/local/s3/envelopes.ts";
import { makeS3Event } from "../../src/local/s3/event.ts";
import { type EventPart, openEnvelope, UnknownEventError } from "../../src/pigeon/envelope.ts";
import { parseRecord } from "../../src/pigeon/s3-record.ts";

const TEST_EVENT = { Service: "Amazon S3", Event: "s3:TestEvent", Time: "now", Bucket: "b" };
const message = (body: unknown): object => ({ eventSource: "aws:sqs", messageId: "m", body });
const notification = (Message: unknown): string => JSON.stringify({ Type: "Notification", Message });
const bridged = (change: object, kind = "Object Created"): object => ({
  source: "aws.s3",
  "detail-type": kind,
  detail: { bucket: { name: "b" }, object: { key: "k" }, reason: "PutObject", ...change },
});

/** What a part comes to. */
function read(part: EventPart | undefined): unknown {
  return part?.type === "record" ? parseRecord(part.record, new Set(["ObjectCreated:Put"])) : part;
}

test("an S3 event is its records, and S3's test event is none", () => {
  assert.deepEqual(openEnvelope({ Records: [1, 2] }), [
    { where: "record 0", type: "record", record: 1 },
    { where: "record 1", type: "record", record: 2 },
  ]);
  assert.deepEqual(openEnvelope(TEST_EVENT), [{ where: "", type: "test event" }]);
});

test("whatever carries an event, its keys come out as they were stored", () => {
  const key = fc.string({ unit: fc.oneof(fc.constantFrom(..."+% /é&=\n%25"), fc.string({ unit: "grapheme" })) });
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 3 }), fc.constantFrom(...ENVELOPES), (keys, envelope) => {
      const wanted = envelope === "eventbridge" ? keys.slice(0, 1) : keys;
      const records = keys.flatMap((each) => makeS3Event({ bucket: "b", key: each }).Records);
      const parts = openEnvelope(JSON.parse(JSON.stringify(wrapRecords(records, envelope))));
      const read = parts.map((part) => {
        assert.ok(part.type === "record");
        const parsed = parseRecord(part.record, new Set(["ObjectCreated:Put"]));
        assert.ok(parsed.type === "created", JSON.stringify(parsed));
        return decodeEventKey(parsed.key);
      });
      assert.deepEqual(read, wanted);
      const isQueue = envelope.endsWith("sqs");
      assert.equal(new Set(parts.map(({ messageId }) => messageId)).size, isQueue ? keys.length : 1);
    }),
  );
});

test("test events are found in every wrapping, with the message that carries them", () => {
  const text = JSON.stringify(TEST_EVENT);
  const part = { where: "message m", messageId: "m", type: "test event" };
  assert.deepEqual(openEnvelope({ Records: [message(text)] }), [part]);
  assert.deepEqual(openEnvelope({ Records: [message(notification(text))] }), [part]);
  const topic = { EventSource: "aws:sns", Sns: { Message: text } };
  assert.deepEqual(openEnvelope({ Records: [topic] }), [{ where: "record 0", type: "test event" }]);
});

test("EventBridge's reasons are S3's event names; other events of S3 are ignored by name", () => {
  const names = ["PutObject", "POST Object", "CopyObject", "CompleteMultipartUpload"].map((reason) => {
    const [part] = openEnvelope(bridged({ reason }));
    return part?.type === "record" ? (part.record as { eventName: string }).eventName : part;
  });
  assert.deepEqual(names, [
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
  ]);
  const [deleted] = openEnvelope(bridged({}, "Object Deleted"));
  assert.deepEqual(read(deleted), { type: "ignored", reason: "event name Object Deleted" });
});

test("what is wrong within a wrapping is named with its place, and harms no neighbour", () => {
  const cases: [object, string, RegExp][] = [
    [message(1), "message m", /the text of an S3 event/],
    [message("nope"), "message m", /as JSON/],
    [message("{}"), "message m", /an S3 event, or one wrapped/],
    [message(notification("{}")), "message m", /an S3 event, or one wrapped/],
    [message(notification(undefined)), "message m", /an S3 event, or one wrapped/],
    [message(notification(5)), "message m", /the text of an S3 event/],
    [{ eventSource: "aws:sqs", body: "{}" }, "record 0", /a messageId/],
    [{ EventSource: "aws:sns", Sns: null }, "record 0", /the text of an S3 event/],
    [message(JSON.stringify(bridged({ reason: "Magic" }))), "message m", /a reason, PutObject, POST Object/],
    [message(JSON.stringify(bridged({ reason: "toString" }))), "message m", /a reason/],
  ];
  for (const [record, where, expected] of cases) {
    const [part, neighbour] = openEnvelope({ Records: [record, 7] });
    assert.ok(part?.type === "malformed", JSON.stringify(record));
    assert.equal(part.where, where);
    assert.match(part.expected, expected);
    assert.deepEqual(neighbour, { where: "record 1", type: "record", record: 7 });
  }
  const [keyless] = openEnvelope(bridged({ object: {} }));
  assert.deepEqual(read(keyless), { type: "malformed", expected: "s3.object.key, text", got: "nothing" });
});

test("a message within a message fails under the name that its source knows", () => {
  const inner = { messageId: "inner", eventSource: "aws:sqs", body: "{}" };
  const outer = { messageId: "outer", eventSource: "aws:sqs", body: JSON.stringify({ Records: [inner] }) };
  assert.deepEqual(
    openEnvelope({ Records: [outer] }).map(({ messageId }) => messageId),
    ["outer"],
  );
});

test("every other shape fails loudly", () => {
  const others = [
    null,
    undefined,
    1,
    "x",
    [],
    {},
    { Records: "x" },
    { Event: "s3:TestEvent" },
    { Type: "Notification" },
  ];
  for (const event of [...others, { ...bridged({}), source: "aws.ec2" }])
    assert.throws(() => openEnvelope(event), UnknownEventError, JSON.stringify(event));
});

test("no event whatever makes it throw anything else", () => {
  const json = fc.oneof(
    fc.anything(),
    fc.json().map((body) => ({ Records: [message(body)] })),
  );
  fc.assert(
    fc.property(json, (event) => {
      try {
        openEnvelope(event);
      } catch (error) {
        assert.ok(error instanceof UnknownEventError);
      }
    }),
  );
});
