import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ConfigurationError } from "../../src/ops/errors.ts";
import { parseHosts, parseQueues, readPigeonConfiguration } from "../../src/pigeon/configuration.ts";
import { makeBrokerFinder } from "../../src/pigeon/find-broker.ts";

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
  assert.deepEqual(configuration.hosts, [{ host: "broker.example" }]);
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

test("nodes are hosts with or without a port", () => {
  const parsed = (text: string): unknown => {
    const result = parseHosts(text);
    return "value" in result ? result.value : result.expected;
  };
  assert.deepEqual(parsed("host1, host2:5673,10.0.0.1"), [
    { host: "host1" },
    { host: "host2", port: 5673 },
    { host: "10.0.0.1" },
  ]);
  assert.deepEqual(parsed("[::1]:5673,::1,[fe80::1]"), [
    { host: "::1", port: 5673 },
    { host: "::1" },
    { host: "fe80::1" },
  ]);
  for (const wrong of [
    "",
    ",",
    "a,",
    "a:",
    "a:0",
    "a:65536",
    "a:b",
    ":1",
    "a:1:2",
    "[a]:1",
    "[::1",
    "::1:x",
    "a b",
    "a/b",
    "amqp://a",
  ])
    assert.equal(typeof parsed(wrong), "string", wrong);
});

test("the port is AMQP's own, with TLS another, unless it is given", async () => {
  const port = async (change: object): Promise<number | undefined> => {
    const { nodes } = await makeBrokerFinder(readPigeonConfiguration({ ...GOOD, ...change }))(Date.now());
    return nodes[0]?.port;
  };
  assert.equal(await port({}), 5672);
  assert.equal(await port({ PIGEON_TLS: "true" }), 5671);
  assert.equal(await port({ PIGEON_TLS: "true", PIGEON_PORT: "5000" }), 5000);
  assert.equal(await port({ PIGEON_HOST: "a:6000", PIGEON_PORT: "5000" }), 6000);
});

test("what contradicts is named: TLS settings without TLS, plain text where ciphertexts are expected", () => {
  const region = { PIGEON_AWS_REGION: "us-east-1" };
  assert.deepEqual(problems({ PIGEON_TLS_SERVER_NAME: "broker.example" }), [
    "PIGEON_TLS_SERVER_NAME: expected nothing without PIGEON_TLS, got a value",
  ]);
  assert.deepEqual(
    problems(region).map((problem) => problem.split(",")[0]),
    [
      "PIGEON_PASSWORD: expected a KMS ciphertext in base64",
      "PIGEON_VIRTUAL_HOST: expected a KMS ciphertext in base64",
    ],
  );
  const secrets = { PIGEON_PASSWORD: "AQICAHg=", PIGEON_VIRTUAL_HOST: "QUFB" };
  assert.deepEqual(problems({ ...region, ...secrets }), []);
  for (const bad of ["AQICAHg", "AQI CAHg=", "AQIC\n", "=", "A===", "AQ-C"])
    assert.equal(problems({ ...region, ...secrets, PIGEON_PASSWORD: bad }).length, 1, bad);
  const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:broker-AbCdEf";
  for (const good of [
    arn,
    `${arn}:password`,
    `${arn}:password:AWSCURRENT:`,
    "arn:aws:ssm:us-east-1:123456789012:parameter/a/b",
  ])
    assert.deepEqual(problems({ PIGEON_PASSWORD: good }), []);
  for (const bad of [`${arn}:a:b:c:d`, "arn:aws:ssm:us-east-1:123456789012:parameter/", "arn:aws:secretsmanager:x"])
    assert.match(problems({ PIGEON_PASSWORD: bad })[0] ?? "", /^PIGEON_PASSWORD: expected arn:aws:secretsmanager/, bad);
});

test("regions, switches, certificates and kinds of metrics have to be such", () => {
  assert.match(problems({ PIGEON_AWS_REGION: "x" })[0] ?? "", /expected an AWS region such as us-east-1, got "x"/);
  assert.match(problems({ PIGEON_TLS: "yes" })[0] ?? "", /expected true or false, got "yes"/);
  assert.match(problems({ PIGEON_METRICS: "statsd" })[0] ?? "", /expected one of monitoring, emf, got "statsd"/);
  const tls = { PIGEON_TLS: "true" };
  for (const ca of ["/nowhere/ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
    assert.match(
      problems({ ...tls, PIGEON_TLS_CA: ca })[0] ?? "",
      /^PIGEON_TLS_CA: expected certificates in PEM, or the path/,
    );
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
