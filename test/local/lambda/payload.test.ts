import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parsePayload } from "../../../src/local/lambda/payload.ts";

test("JSON passes as it came, and nothing means an empty object", () => {
  fc.assert(fc.property(fc.json(), (json) => parsePayload(Buffer.from(json)).toString() === json));
  assert.equal(parsePayload(Buffer.from(' {"a" : 1}\n')).toString(), ' {"a" : 1}\n');
  assert.equal(parsePayload(Buffer.alloc(0)).toString(), "{}");
});

test("bad bytes are refused with AWS's recorded sentence", () => {
  const bytes = Buffer.from("6e8772 9ee9b5d749ee9b6d74".replace(" ", ""), "hex");
  assert.throws(() => parsePayload(bytes), {
    name: "InvalidPayloadError",
    message:
      "Could not parse request body into json: Could not parse payload into json: Invalid UTF-8 start byte 0x87\n" +
      " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 3]",
  });
});

test("bad JSON is refused, saying where", () => {
  const cases = {
    nope: /Unrecognized token 'nope': was expecting/,
    '{"a":': /Unexpected end-of-input/,
    '{"a":1}}': /Unexpected character \('}' \(code 125\)\)/,
  };
  for (const [text, message] of Object.entries(cases))
    assert.throws(() => parsePayload(Buffer.from(text)), message, text);
  assert.throws(() => parsePayload(Buffer.from('{"a":\n ?}')), /line: 2, column: 3\]$/);
});

test("no bytes whatever are handed on unless they are JSON", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      try {
        JSON.parse(parsePayload(Buffer.from(bytes)).toString());
      } catch (error) {
        assert.equal((error as Error).name, "InvalidPayloadError");
      }
    }),
  );
});
