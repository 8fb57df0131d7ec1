import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT, run } from "../helpers/program.ts";

const SAMPLE = "00007bd0-2d1c-4865-af09-80bc00180313";
const FREE = ["--s3-port", "0", "--lambda-port", "0", "--collector-port", "0"];

/** The variables of a pipeline of the test's own: queue and state directory. */
function ownPipeline(t: TestContext): { queue: string; env: Record<string, string> } {
  const queue = ownQueueName(t);
  const state = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  return { queue, env: { ...pigeonEnvironment(queue), PIGEON_STATE_DIRECTORY: state } };
}

test("--once prints every hop and ends when the sample has arrived", async (t) => {
  const { queue, env } = ownPipeline(t);
  const { code, stdout, stderr } = await run("pigeon", ["up", "--once", ...FREE], { env });
  assert.equal(code, 0, stdout + stderr);
  const hops = [
    /^built dist\/pigeon\.zip: \d+ bytes, sha256 [0-9a-f]{64}$/,
    /^nodejs24\.x: Node\.js v24\.\d+\.\d+, aws-lambda-ric 4\.0\.2 with /,
    /^S3 is ready on http:\/\/127\.0\.0\.1:\d+$/,
    /^posting a crash report to http:\/\/127\.0\.0\.1:\d+\/submit$/,
    /^INIT_START /,
    /^START RequestId: /,
    /"msg":"number of records: 1"/,
    new RegExp(`"msg":"looking at key: v2/raw_crash/000/20180313/${SAMPLE}"`),
    new RegExp(`"msg":"crash id: ${SAMPLE} in dev-bucket"`),
    /^MONITORING\|\d+\|1\|count\|socorro\.pigeon\.accept\|#env:test$/,
    new RegExp(`"msg":"${SAMPLE}: publishing to ${queue}"`),
    /^MONITORING\|\d+\|1\|count\|socorro\.pigeon\.published\|#env:test$/,
    /^END RequestId: /,
    /^REPORT RequestId: .*\tInit Duration: [\d.]+ ms\t$/,
    new RegExp(`^CrashID=bp-${SAMPLE}$`),
    new RegExp(`^${queue}: 1 items$`),
    new RegExp(`^item: ${SAMPLE}$`),
  ];
  const rest = stdout.split("\n");
  for (const hop of hops) {
    const at = rest.findIndex((line) => hop.test(line));
    assert.notEqual(at, -1, `${hop} in its place in:\n${stdout}`);
    rest.splice(0, at + 1);
  }
  const again = await run("pigeon", ["up", "--once", ...FREE], { env });
  assert.equal(again.code, 0, again.stdout + again.stderr);
  assert.deepEqual(await takeItems(queue), [SAMPLE, SAMPLE]);
});

test("a sample that cannot arrive ends with exit code 1, naming the hop", async (t) => {
  const { queue, env } = ownPipeline(t);
  const options = { env: { ...env, PIGEON_QUEUE: `0:${queue}` } };
  const { code, stderr, stdout } = await run("pigeon", ["up", "--once", ...FREE], options);
  assert.equal(code, 1, stdout);
  assert.match(stderr, /^error: the sample stuck at RabbitMQ: nothing arrived in test\..*: its throttle is 0$/m);
});

test("a broker that does not answer is one clear sentence, and nothing stays", async (t) => {
  const { env } = ownPipeline(t);
  const { code, stderr } = await run("pigeon", ["up", "--once", ...FREE], { env: { ...env, PIGEON_PORT: "1" } });
  assert.equal(code, 1);
  assert.equal(stderr, "error: cannot open a connection to the broker: broker 127.0.0.1:1: ECONNREFUSED\n");
});

test("a port in use is one clear sentence", async (t) => {
  const { env } = ownPipeline(t);
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await run("pigeon", ["up", "--once", "--s3-port", String(port), "--lambda-port", "0"], {
    env,
  });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^error: port ${port} is in use: .*\\n$`));
});

test("it stays, takes changed code over, refuses a second one, and down stops it", async (t) => {
  const { env } = ownPipeline(t);
  const up = new BackgroundProgram(t, "pigeon", ["up", ...FREE], env);
  await up.printed(/Ctrl-C stops it/);
  const second = await run("pigeon", ["up", "--once", ...FREE], { env });
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^error: pigeon up is running already \(process \d+\): pigeon down stops it\n$/);
  const source = join(ROOT, "src", "pigeon", "pigeon.ts");
  utimesSync(source, new Date(), new Date());
  await up.printed(/rebuilt dist\/pigeon\.zip: \d+ bytes/);
  const [, s3 = ""] = await up.printed(/S3 +http:\/\/127\.0\.0\.1:(\d+)/);
  const down = await run("pigeon", ["down"], { env });
  assert.equal(down.stdout, "stopped the pipeline\n", down.stderr);
  assert.equal(
    readFileSync("/proc/net/tcp", "latin1").includes(`:${Number(s3).toString(16).toUpperCase()} 00000000:0000 0A`),
    false,
  );
  assert.equal((await run("pigeon", ["down"], { env })).stdout, "nothing was running\n");
});
