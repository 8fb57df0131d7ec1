/** The integration test of the story: what is in the queue after each kind of object, through the zip and through S3. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { BackgroundProgram } from "../helpers/background.ts";
import { run } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

const ACCEPTED = "11117bd0-2d1c-4865-af09-80bc00180313";
const DEFERRED = "22227bd0-2d1c-4865-af09-80bc01180313";
const KEYS = [
  `v2/raw_crash/111/20180313/${ACCEPTED}`,
  `v2/raw_crash/222/20180313/${DEFERRED}`,
  `v1/dump_names/${ACCEPTED}`,
  `v1/dump/${ACCEPTED}`,
  "junk",
];

test("the zip, invoked with each kind of object, publishes exactly the accepted crash", async (t) => {
  const queue = ownQueueName(t);
  const env = pigeonEnvironment(queue);
  const declared = await run("pigeon", ["queue", "declare"], { env });
  assert.equal(declared.stdout, `${queue}: 0 items\n`, declared.stderr);
  for (const key of KEYS) {
    const event = await run("pigeon", ["event", key]);
    const invoked = await run("pigeon", ["invoke"], { env, input: event.stdout });
    assert.deepEqual({ code: invoked.code, stdout: invoked.stdout }, { code: 0, stdout: "null\n" }, invoked.stderr);
  }
  assert.equal((await run("pigeon", ["queue", "show"], { env })).stdout, `${queue}: 1 items\n`);
  const drained = await run("pigeon", ["queue", "drain"], { env });
  assert.equal(drained.stdout, `${queue}: 1 items\nitem: ${ACCEPTED}\n`);
  assert.deepEqual(await takeItems(queue), []);
});

test("the same objects put into S3: exactly one message arrives", async (t) => {
  const queue = ownQueueName(t);
  const state = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const up = startPipeline(t, queue, state);
  const [, endpoint = ""] = await up.printed(/S3 +(http:\S+) +bucket dev-bucket/);
  assert.deepEqual(await takeItems(queue), ["00007bd0-2d1c-4865-af09-80bc00180313"], "the sample");
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  t.after(() => client.destroy());
  for (const Key of KEYS) await client.send(new PutObjectCommand({ Bucket: "dev-bucket", Key, Body: "{}" }));
  // Only the two raw crashes trigger the function; the deferred one is the last.
  await until("both were looked at", () => (up.output.match(/^END /gm)?.length ?? 0) >= 3);
  assert.match(up.output, new RegExp(`crash id: ${DEFERRED} in dev-bucket`));
  assert.doesNotMatch(up.output, /looking at key: (v1|junk)/);
  assert.deepEqual(await takeItems(queue), [ACCEPTED]);
  assert.equal(await up.stop("SIGINT"), 0, up.output);
  assert.match(up.output, /^stopping$/m);
});

function startPipeline(t: TestContext, queue: string, state: string): BackgroundProgram {
  const env = { ...pigeonEnvironment(queue), PIGEON_STATE_DIRECTORY: state };
  return new BackgroundProgram(t, "pigeon", ["up", "--s3-port", "0", "--lambda-port", "0"], env);
}
