import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { collectorDecision, crashDate, parseCrashId } from "../../src/crash/crash-id.ts";

const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const digits = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: length, maxLength: length });
const anyId = fc
  .tuple(hex(8), hex(4), hex(4), hex(4), hex(5), fc.constantFrom("0", "1"), digits(6))
  .map(([a, b, c, d, e, digit, date]) => `${a}-${b}-${c}-${d}-${e}${digit}${date}`);

test("every text of the form is a crash id, and says what the collector decided", () => {
  fc.assert(
    fc.property(anyId, (text) => {
      const id = parseCrashId(text);
      assert.equal(id, text);
      assert.ok(id !== undefined);
      assert.equal(collectorDecision(id), text[29] === "0" ? "accept" : "defer");
      assert.equal(crashDate(id), `20${text.slice(30)}`);
    }),
  );
});

test("one character more, less or other makes it no crash id", () => {
  const noPart = fc.constantFrom("g", "G", "A", "x", " ", "\n", "\u0661", "\uff10", "\u0430", "|");
  fc.assert(
    fc.property(anyId, fc.nat(35), noPart, (id, at, character) => {
      assert.equal(parseCrashId(id.slice(0, at) + character + id.slice(at + 1)), undefined, "replaced");
      assert.equal(parseCrashId(id.slice(0, at) + character + id.slice(at)), undefined, "inserted");
      assert.equal(parseCrashId(id.slice(0, at) + id.slice(at + 1)), undefined, "removed");
    }),
  );
});

const ID = "00007bd0-2d1c-4865-af09-80bc00180313";

test("no text but the id itself is one", () => {
  const texts = [
    "",
    `${ID}\n`,
    `\n${ID}`,
    `${ID}\r`,
    `${ID}\0`,
    ` ${ID}`,
    ID.toUpperCase(),
    `${ID}${ID}`,
    ID.replaceAll("-", ""),
    `${ID}\n${ID}`,
    // With a date of 2000 to 2009 the original took the id with its line feed.
    "00007bd0-2d1c-4865-af09-80bc0018031\n",
  ];
  for (const text of texts) assert.equal(parseCrashId(text), undefined, JSON.stringify(text));
});

test("a throttle digit other than 0 and 1 makes it no crash id", () => {
  for (const digit of "23456789abcdef")
    assert.equal(parseCrashId(`00007bd0-2d1c-4865-af09-80bc0${digit}180313`), undefined);
});

test("the date need not be a real day", () => {
  assert.notEqual(parseCrashId("00007bd0-2d1c-4865-af09-80bc00991399"), undefined);
});
