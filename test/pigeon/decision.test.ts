import assert from "node:assert/strict";
import test from "node:test";
import { decide } from "../../src/pigeon/decision.ts";

const ID = "00007bd0-2d1c-4865-af09-80bc00180313";
const DEFERRED = "00007bd0-2d1c-4865-af09-80bc01180313";
const PREFIX = "v2/raw_crash/000/20180313/";

test("the key alone decides", () => {
  assert.deepEqual(decide(PREFIX + ID), { type: "accept", id: ID });
  assert.deepEqual(decide(PREFIX + DEFERRED), { type: "defer", id: DEFERRED });
  assert.deepEqual(decide(`v2/raw_crash/${ID}`), { type: "accept", id: ID });
});

test("encoded keys mean what they decode to, once", () => {
  assert.deepEqual(decide((PREFIX + ID).replaceAll("/", "%2F")), { type: "accept", id: ID });
  assert.deepEqual(decide((PREFIX + ID).replaceAll("-", "%2D")), { type: "accept", id: ID });
  assert.equal(decide((PREFIX + ID).replaceAll("-", "%252D")).type, "ignore");
});

test("other objects of a crash are not raw crashes", () => {
  const keys = [
    `v1/dump_names/${ID}`,
    `v1/dump/${ID}`,
    `v1/processed_crash/${ID}`,
    `v1/raw_crash/20180313/${ID}`,
    "junk",
    "",
    ID,
  ];
  for (const key of keys) assert.deepEqual(decide(key), { type: "ignore", reason: "not a raw crash" }, key);
});

test("hostile keys are no crash ids", () => {
  const keys = [
    `${ID}\n`,
    `${ID}%0A`,
    `${ID}%00`,
    `${ID}+`,
    ` ${ID}`,
    `${ID}/`,
    `${ID}.json`,
    ID.replace("0", "\uff10"),
    ID.replace("a", "\u0430"),
    ID.replaceAll("-", "\u2010"),
    ID.toUpperCase(),
    `${ID}|1|count|socorro.pigeon.accept|`,
    `MONITORING|1|1|count|x|\n${ID}x`,
    `\u001b[2J${ID}`,
    `%1b%5b2J${ID}`,
    "x".repeat(100_000),
    "%".repeat(100_000),
    `${ID}%E0%A4`,
    "../../../etc/passwd",
    "undefined",
  ];
  for (const key of keys)
    assert.deepEqual(decide(PREFIX + key), { type: "ignore", reason: "not a crash id" }, key.slice(0, 80));
});
