import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ConfigurationError } from "../../src/ops/errors.ts";
import { parseQueues, readPigeonConfiguration } from "../../src/pigeon/configuration.ts";

const GOOD = {
  PIGEON_HOST: "broker.example",
  PIGEON_USER: "user",
  PIGEON_PASSWORD: "hunter2",
  PIGEON_VIRTUAL_HOST: "secret-vhost",
  PIGEON_QUEUE: "socorrodev.normal",
};

function problems(change: Record<string, string | undefined>): readonly string[] {
  try {
    readPigeonConfiguration({ ...GOOD, ...change });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
}

test("a configuration is typed, complete and frozen", () => {
  const configuration = readPigeonConfiguration({ ...GOOD, PIGEON_QUEUE: "15:a, b" });
  assert.equal(configuration.port, 5672);
  assert.equal(configuration.env, "");
  assert.deepEqual(configuration.queues, [
    { name: "a", throttle: 15 },
    { name: "b", throttle: 100 },
  ]);
  assert.deepEqual([...configuration.events], ["ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload"]);
  assert.ok(Object.isFrozen(configuration) && Object.isFrozen(configuration.queues));
});

test("every problem is found at once and named", () => {
  const found = problems({
    PIGEON_HOST: "",
    PIGEON_USER: undefined,
    PIGEON_PORT: "0",
    PIGEON_QUEUE: ",",
    PIGEON_ENV: "a b",
  });
  assert.deepEqual(
    found.map((problem) => problem.split(":")[0]),
    ["PIGEON_HOST", "PIGEON_PORT", "PIGEON_USER", "PIGEON_QUEUE", "PIGEON_ENV"],
  );
});

test("what is not supported yet is refused", () => {
  assert.match(problems({ PIGEON_AWS_REGION: "us-east-1" })[0] ?? "", /^PIGEON_AWS_REGION: .*not supported yet/);
  assert.match(problems({ PIGEON_TLS: "1" })[0] ?? "", /^PIGEON_TLS: .*not supported yet/);
  assert.match(problems({ PIGEON_TLS_CA: "x" })[0] ?? "", /^PIGEON_TLS_CA: .*not supported yet/);
});

test("no error text shows a secret", () => {
  const all = problems({ PIGEON_PORT: "x", PIGEON_QUEUE: "1e1:a", PIGEON_AWS_REGION: "x" }).join("\n");
  assert.match(all, /PIGEON_PORT/);
  assert.doesNotMatch(all, /hunter2|secret-vhost/);
});

test("other spellings of queues are errors", () => {
  const wrong = [
    "",
    ",",
    "a,",
    ",a",
    "a,,b",
    ":a",
    "a:",
    "50:",
    ":",
    "::",
    "1:2:a",
    "a:b:c",
    "15abc:a",
    "0x10:a",
    "1e1:a",
    "015:a",
    "-1:a",
    "+1:a",
    "101:a",
    "1.5:a",
    "%:a",
    "\u0661:a",
    "a,a",
    "10:a,20:a",
    "x".repeat(256),
    "é".repeat(128),
    "a\nb",
    "a\u001b[2J",
  ];
  for (const text of wrong) assert.ok("expected" in parseQueues(text), JSON.stringify(text));
});

test("white space around names and throttles does not count", () => {
  assert.deepEqual(parseQueues(" 15 : a b , c "), {
    value: [
      { name: "a b", throttle: 15 },
      { name: "c", throttle: 100 },
    ],
  });
  assert.ok("value" in parseQueues("x".repeat(255)));
});

test("whatever queues are written, they are read back", () => {
  const name = fc.string({ unit: fc.constantFrom(..."abcXYZ019._-/é"), minLength: 1, maxLength: 40 });
  const queue = fc.record({ name, throttle: fc.integer({ min: 0, max: 100 }) });
  fc.assert(
    fc.property(fc.uniqueArray(queue, { minLength: 1, selector: (entry) => entry.name }), (queues) => {
      const text = queues.map((entry) => `${entry.throttle}:${entry.name}`).join(",");
      assert.deepEqual(parseQueues(text), { value: queues.map((entry) => ({ ...entry })) });
    }),
  );
});

test("no text whatever makes the parser throw, and a throttle is within its range", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0159:,ae x-") })), (text) => {
      const parsed = parseQueues(text);
      if (!("value" in parsed)) return;
      for (const { name, throttle } of parsed.value) {
        assert.ok(name.length > 0 && name === name.trim());
        assert.ok(Number.isInteger(throttle) && throttle >= 0 && throttle <= 100);
      }
    }),
  );
});
