/** S3's events through SQS, SNS and EventBridge, into the zip. */
import assert from "node:assert/strict";
import test from "node:test";
import { ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { run } from "../helpers/program.ts";

const ACCEPTED = "11117bd0-2d1c-4865-af09-80bc00180313";
const DEFERRED = "22227bd0-2d1c-4865-af09-80bc01180313";
const KEYS = [ACCEPTED, DEFERRED].map((id) => `v2/raw_crash/${id.slice(0, 3)}/20180313/${id}`);

for (const via of ["sqs", "sns", "sns-in-sqs", "eventbridge"]) {
  test(`an event through ${via} publishes its accepted crash`, async (t) => {
    const queue = ownQueueName(t);
    const env = pigeonEnvironment(queue);
    assert.equal((await run("pigeon", ["queue", "declare"], { env })).code, 0);
    const keys = via === "eventbridge" ? KEYS.slice(0, 1) : KEYS;
    const event = await run("pigeon", ["event", "--via", via, ...keys]);
    assert.equal(event.code, 0, event.stderr);
    const invoked = await run("pigeon", ["invoke"], { env, input: event.stdout });
    assert.equal(invoked.code, 0, invoked.stderr);
    assert.equal(invoked.stdout, via.endsWith("sqs") ? '{"batchItemFailures":[]}\n' : "null\n");
    assert.deepEqual(await takeItems(queue), [ACCEPTED]);
    assert.match(
      invoked.stderr,
      /"msg":"summary: 1 accepted, .* 1 published, .*"connect_ms":[\d.]+,"confirm_ms":[\d.]+/,
    );
  });
}

test("of a mixed SQS batch the good messages are delivered and only the others come again", async (t) => {
  const queue = ownQueueName(t);
  const env = { ...pigeonEnvironment(queue), PIGEON_METRICS: "emf" };
  assert.equal((await run("pigeon", ["queue", "declare"], { env })).code, 0);
  const { Records } = JSON.parse((await run("pigeon", ["event", "--via", "sqs", ...KEYS])).stdout);
  const junk = ["not JSON", '{"some":"thing"}'].map((body, n) => ({ ...Records[0], messageId: `junk-${n}`, body }));
  const input = JSON.stringify({ Records: [junk[0], ...Records, junk[1]] });
  const { code, stdout, stderr } = await run("pigeon", ["invoke"], { env, input });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), {
    batchItemFailures: [{ itemIdentifier: "junk-0" }, { itemIdentifier: "junk-1" }],
  });
  assert.deepEqual(await takeItems(queue), [ACCEPTED]);
  assert.match(stderr, /^MONITORING\|\d+\|2\|count\|socorro\.pigeon\.malformed\|#env:test$/m);
  const embedded = JSON.parse(/^\{"_aws".*$/m.exec(stderr)?.[0] ?? "{}");
  assert.deepEqual(
    [embedded.env, embedded.accept, embedded.defer, embedded.published, embedded.malformed],
    ["test", 1, 1, 1, 2],
  );
});
