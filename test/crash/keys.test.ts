import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseCrashId } from "../../src/crash/crash-id.ts";
import { decodeEventKey, dumpKey, dumpNamesKey, processedCrashKey, rawCrashKey } from "../../src/crash/keys.ts";

const id = parseCrashId("00007bd0-2d1c-4865-af09-80bc00180313");
assert.ok(id !== undefined);

test("each object of a crash has its key", () => {
  assert.equal(rawCrashKey(id), "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc00180313");
  assert.equal(dumpNamesKey(id), `v1/dump_names/${id}`);
  assert.equal(dumpKey(id, "upload_file_minidump"), `v1/dump/${id}`);
  assert.equal(dumpKey(id, "upload_file_minidump_browser"), `v1/upload_file_minidump_browser/${id}`);
  assert.equal(processedCrashKey(id), `v1/processed_crash/${id}`);
});

test("what S3 encodes in form style comes back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (key) => {
      fc.pre(key.isWellFormed());
      const encoded = new URLSearchParams([["", key]]).toString().slice(1);
      assert.equal(decodeEventKey(encoded), key);
    }),
  );
});

test("no key whatever makes decoding throw", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (key) => typeof decodeEventKey(key) === "string"));
});

test("keys are decoded once, and malformed escapes stay", () => {
  const cases: Record<string, string> = {
    "a+b": "a b",
    "a%2Bb": "a+b",
    "a%20b": "a b",
    "a%252Fb": "a%2Fb",
    "a%2fb": "a/b",
    "%": "%",
    "%zz": "%zz",
    "100%+sure%21": "100% sure!",
    "%E0%A4": "%E0%A4",
    "%ff%41": "%ff%41",
    "%C3%A9%": "é%",
  };
  for (const [encoded, key] of Object.entries(cases)) assert.equal(decodeEventKey(encoded), key, encoded);
});
