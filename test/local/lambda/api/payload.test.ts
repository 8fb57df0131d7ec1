import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parsePayload } from "../../../../src/local/lambda/api/payload.ts";

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

const EXPECTED = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
const SOURCE = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
const COMMENT =
  "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)";
const ESCAPED = "has to be escaped using backslash to be included in";
const SPACES = "only regular white space (\\r, \\n, \\t) is allowed between tokens";
const NO_PLUS = "JSON spec does not allow numbers to have plus signs";
const PLUS = `${NO_PLUS}: enable \`JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS\` to allow`;
const MINUS = "expected digit (0-9) to follow minus sign, for valid numeric value";
const LATE_END = "Unexpected end-of-input: expected close marker for";

/** A text (latin1 stands for bytes), Jackson's sentence, line and column. */
const INVALID: readonly [string, string, number, number][] = [
  ["nope", `Unrecognized token 'nope': was expecting ${EXPECTED}`, 1, 5],
  ["nope x", `Unrecognized token 'nope': was expecting ${EXPECTED}`, 1, 6],
  ["nul", `Unrecognized token 'nul': was expecting ${EXPECTED}`, 1, 4],
  ["nullx", `Unrecognized token 'nullx': was expecting ${EXPECTED}`, 1, 6],
  ['{"a": FALSE}', `Unrecognized token 'FALSE': was expecting ${EXPECTED}`, 1, 13],
  ["x".repeat(300), `Unrecognized token '${"x".repeat(256)}...': was expecting ${EXPECTED}`, 1, 257],
  ["<xml/>", `Unexpected character ('<' (code 60)): expected a valid value ${EXPECTED}`, 1, 1],
  ["\x99\xeb", `Unexpected character ((CTRL-CHAR, code 153)): expected a valid value ${EXPECTED}`, 1, 1],
  ["'a'", `Unexpected character (''' (code 39)): expected a valid value ${EXPECTED}`, 1, 1],
  [".5", `Unexpected character ('.' (code 46)): expected a valid value ${EXPECTED}`, 1, 1],
  [" \n ", "No content to map due to end-of-input", 2, 2],
  ["[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 1, 4],
  ['{"a":1 "b":2}', "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries", 1, 8],
  ["[1,]", "Unexpected character (']' (code 93)): expected a value", 1, 4],
  ["[,1]", "Unexpected character (',' (code 44)): expected a value", 1, 2],
  ['{"a":}', "Unexpected character ('}' (code 125)): expected a value", 1, 6],
  ['{"a":]', `Unexpected character (']' (code 93)): expected a valid value ${EXPECTED}`, 1, 6],
  ['{"a":1,}', "Unexpected character ('}' (code 125)): was expecting double-quote to start field name", 1, 8],
  ["{a:1}", "Unexpected character ('a' (code 97)): was expecting double-quote to start field name", 1, 2],
  ['{"a" 1}', "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value", 1, 6],
  [
    '{"a":1]',
    `Unexpected close marker ']': expected '}' (for Object starting at ${SOURCE}; line: 1, column: 1])`,
    1,
    7,
  ],
  ["\n [1}", `Unexpected close marker '}': expected ']' (for Array starting at ${SOURCE}; line: 2, column: 2])`, 2, 4],
  ["]", `Unexpected close marker ']': expected '}' (for root starting at ${SOURCE}; line: 1, column: 0])`, 1, 1],
  ['{"a":1}}', `Unexpected close marker '}': expected ']' (for root starting at ${SOURCE}; line: 1, column: 0])`, 1, 8],
  ["{", `${LATE_END} Object (start marker at ${SOURCE}; line: 1, column: 1])`, 1, 2],
  ["[[1", `${LATE_END} Array (start marker at ${SOURCE}; line: 1, column: 2])`, 1, 4],
  ['{"a":', "Unexpected end-of-input within/between Object entries", 1, 6],
  ['{"a"', "Unexpected end-of-input within/between Object entries", 1, 5],
  ["[1,", "Unexpected end-of-input within/between Array entries", 1, 4],
  ['{"', "Unexpected end-of-input: was expecting closing '\"' for name", 1, 3],
  ['{"a', "Unexpected end-of-input in field name", 1, 4],
  ['"abc', "Unexpected end-of-input in VALUE_STRING", 1, 5],
  ['"a\\', "Unexpected end-of-input in character escape sequence", 1, 4],
  ['"a\nb"', `Illegal unquoted character ((CTRL-CHAR, code 10)): ${ESCAPED} string value`, 1, 3],
  ['{"a\tb":1}', `Illegal unquoted character ((CTRL-CHAR, code 9)): ${ESCAPED} name`, 1, 4],
  ['"\\q"', "Unrecognized character escape 'q' (code 113)", 1, 3],
  ['"\\u12x4"', "Unexpected character ('x' (code 120)): expected a hex-digit for character escape sequence", 1, 6],
  ["01", "Invalid numeric value: Leading zeroes not allowed", 1, 2],
  ["-x", `Unexpected character ('x' (code 120)) in numeric value: ${MINUS}`, 1, 2],
  ["[1.]", "Unexpected character (']' (code 93)) in numeric value: Decimal point not followed by a digit", 1, 4],
  ["1.", "Unexpected character ('.' (code 46)) in numeric value: Decimal point not followed by a digit", 1, 2],
  ["[1e]", "Unexpected character (']' (code 93)) in numeric value: Exponent indicator not followed by a digit", 1, 4],
  ["12a", "Unexpected character ('a' (code 97)): Expected space separating root-level values", 1, 3],
  ["[12a]", "Unexpected character ('a' (code 97)): was expecting comma to separate Array entries", 1, 4],
  ["+1", `Unexpected character ('+' (code 43)) in numeric value: ${PLUS}`, 1, 2],
  ["NaN", "Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", 1, 4],
  ["[1] // c", `Unexpected character ('/' (code 47)): ${COMMENT}`, 1, 5],
  ["\x01", `Illegal character ((CTRL-CHAR, code 1)): ${SPACES}`, 1, 1],
  ['{"a":\r\n\r\n ?}', `Unexpected character ('?' (code 63)): expected a valid value ${EXPECTED}`, 3, 2],
  ['"\xff"', "Invalid UTF-8 start byte 0xff", 1, 3],
  ['"\xc3x"', "Invalid UTF-8 middle byte 0x78", 1, 4],
  ["{} {}", "Trailing content: expected one JSON value in UTF-8 and nothing else", 1, 6],
];

for (const [text, sentence, line, column] of INVALID)
  test(`what is no JSON is refused in the words of AWS's parser: ${JSON.stringify(text).slice(0, 40)}`, () => {
    const prefix = "Could not parse request body into json: Could not parse payload into json:";
    assert.throws(() => parsePayload(Buffer.from(text, "latin1")), {
      name: "InvalidPayloadError",
      message: `${prefix} ${sentence}\n at ${SOURCE}; line: ${line}, column: ${column}]`,
    });
  });

test("arrays and objects may be nested a thousand deep", () => {
  const nest = (depth: number): Buffer => Buffer.from("[".repeat(depth) + "]".repeat(depth));
  assert.equal(parsePayload(nest(1000)).length, 2000);
  assert.throws(
    () => parsePayload(nest(1001)),
    /Document nesting depth \(1001\) exceeds the maximum allowed \(1000, from/,
  );
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
