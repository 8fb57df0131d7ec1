import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { makeDeadLetter, makeRecord } from "../../../src/local/lambda/asynchronous/destination.ts";
import { parseKeptEvent, UnreadableEventError } from "../../../src/local/redrive/kept-event.ts";

const event = { Records: [{ eventSource: "aws:s3" }] };
const accepted = { requestId: "r1", payload: JSON.stringify(event), acceptedAt: 0, dueAt: 0, attempts: 3 };

test("a destination's record and a dead letter in a file hold the same event and the same request id", () => {
  const record = makeRecord(accepted, "arn", "RetriesExhausted", '{"errorMessage":"no"}');
  const letter = makeDeadLetter(accepted);
  const line = JSON.stringify({ MessageBody: letter.body, MessageAttributes: letter.attributes });
  for (const text of [record.body, line]) {
    const { payload, requestId } = parseKeptEvent(text);
    assert.deepEqual(JSON.parse(payload), event);
    assert.equal(requestId, "r1");
  }
});

test("a dead letter in a queue is the event, its request id an attribute; an event alone has none", () => {
  const text = JSON.stringify(event);
  assert.deepEqual(parseKeptEvent(text, "r2"), { payload: text, requestId: "r2" });
  assert.deepEqual(parseKeptEvent(text), { payload: text, requestId: undefined });
});

test("text that is no JSON object is named", () => {
  for (const text of ["", '{"requestPayload":{"Rec', "[1]", "null", '"x"'])
    assert.throws(() => parseKeptEvent(text), UnreadableEventError);
});

test("no text makes it throw anything else, and no event is changed", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseKeptEvent(text);
      } catch (error) {
        assert.ok(error instanceof UnreadableEventError, String(error));
      }
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify({ requestPayload: value });
      assert.deepEqual(JSON.parse(parseKeptEvent(text).payload), JSON.parse(JSON.stringify(value)));
    }),
  );
});
