/** `pigeon redrive`: kept events are run again, and none is removed before the broker has confirmed what it carries. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startFauxqs } from "fauxqs";
import { brokerAddress, ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { startAmqpProxy } from "../helpers/amqp-proxy.ts";
import { BackgroundProgram } from "../helpers/background.ts";
import { startBlackHole } from "../helpers/black-hole.ts";
import { makeCrashEvent, makeCrashId } from "../helpers/crash-events.ts";
import { ROOT, type Run, run } from "../helpers/program.ts";
import { servePigeon } from "../helpers/serving.ts";
import { until } from "../helpers/until.ts";

interface Place {
  readonly folder: string;
  readonly file: string;
  readonly queue: string;
  readonly env: Readonly<Record<string, string>>;
  redrive(...args: readonly string[]): Promise<Run>;
  declare(): Promise<void>;
}

/** A folder for kept events, and a queue that is not there yet. */
function makePlace(t: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const queue = ownQueueName(t);
  const env = { ...pigeonEnvironment(queue), PIGEON_STATE_DIRECTORY: folder };
  return {
    folder,
    file: join(folder, "failed-events.jsonl"),
    queue,
    env,
    redrive: (...args) => run("pigeon", ["redrive", ...args], { env }),
    declare: async () => assert.equal((await run("pigeon", ["queue", "declare"], { env })).code, 0),
  };
}

function makeRecordLine(ids: readonly string[], requestId: string): string {
  const requestContext = { requestId, functionArn: "arn", condition: "RetriesExhausted", approximateInvokeCount: 3 };
  return JSON.stringify({ version: "1.0", requestContext, requestPayload: makeCrashEvent(...ids) });
}

const ONE_DELIVERED = "1 delivered, 0 deferred, 0 still failing\n";
const ANY_ACCOUNT = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };

const lines = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];

test("events that the local Lambda has kept stay while they fail, and leave when they are delivered", async (t) => {
  const { folder, file, queue, env, redrive, declare } = makePlace(t);
  const letters = join(folder, "dead-letters.jsonl");
  const args = ["--retry-delays", "", "--on-failure", `file:${file}`, "--dlq", `file:${letters}`];
  const pigeon = await servePigeon(t, pigeonEnvironment(queue), { args, env });
  const ids = [makeCrashId(), makeCrashId()];
  for (const id of ids) await pigeon.send(makeCrashEvent(id, makeCrashId(1)));
  await until("both are kept twice", () => lines(file).length === 2 && lines(letters).length === 2);
  const kept = [lines(file).sort(), lines(letters).sort()];

  const failing = await redrive();
  assert.equal(failing.stdout, "0 delivered, 0 deferred, 2 still failing\n");
  assert.equal(failing.code, 1);
  assert.match(failing.stderr, /^still failing: .*failed-events\.jsonl, line 2: queue test\.\S+: unroutable: /m);
  assert.deepEqual([lines(file).sort(), lines(letters).sort()], kept);

  await declare();
  const delivered = await redrive();
  assert.deepEqual([delivered.stdout, delivered.code], ["2 delivered, 0 deferred, 0 still failing\n", 0]);
  assert.deepEqual((await takeItems(queue)).sort(), [...ids].sort(), "once each, though kept twice");
  const again = await redrive();
  assert.deepEqual([again.stdout, again.code], ["0 delivered, 0 deferred, 0 still failing\n", 0]);
  assert.deepEqual(await takeItems(queue), []);
});

test("deferred events are counted apart; a line that is no event stays and is named", async (t) => {
  const { file, queue, redrive, declare } = makePlace(t);
  await declare();
  const id = makeCrashId();
  const torn = makeRecordLine([makeCrashId()], "r3").slice(0, 90);
  writeFileSync(file, [makeRecordLine([makeCrashId(1)], "r1"), torn, makeRecordLine([id], "r2")].join("\n"));
  const { stdout, stderr, code } = await redrive(`file:${file}`);
  assert.deepEqual([stdout, code], ["1 delivered, 1 deferred, 1 still failing\n", 1]);
  assert.match(stderr, /^still failing: .*, line 2: expected a JSON object, got /m);
  assert.deepEqual(lines(file), [torn]);
  assert.deepEqual(await takeItems(queue), [id]);
});

for (const signal of ["SIGKILL", "SIGTERM"] as const)
  test(`what a redrive that is ended by ${signal} has not delivered is there for the next one`, async (t) => {
    const { file, queue, env, redrive, declare } = makePlace(t);
    await declare();
    const ids = Array.from({ length: 4 }, () => makeCrashId());
    const records = ids.map((id, n) => makeRecordLine([id], `r${n}`));
    writeFileSync(
      file,
      records
        .slice(0, 3)
        .map((line) => `${line}\n`)
        .join(""),
    );
    const hole = { ...env, PIGEON_HOST: "127.0.0.1", PIGEON_PORT: String(await startBlackHole(t)) };
    const program = new BackgroundProgram(t, "pigeon", ["redrive", "--timeout", "3", `file:${file}`], hole);
    await program.printed(/publishing to test/);
    appendFileSync(file, `${records[3]}\n`); // a new failure meanwhile
    await program.stop(signal);
    assert.equal(existsSync(`${file}.redrive`), signal === "SIGKILL");
    const { stdout, code } = await redrive(`file:${file}`);
    assert.deepEqual([stdout, code], ["4 delivered, 0 deferred, 0 still failing\n", 0]);
    assert.deepEqual((await takeItems(queue)).sort(), [...ids].sort());
    assert.ok(!existsSync(`${file}.redrive`));
  });

test("an event whose confirm has not come is not removed, even when the redrive is killed then", async (t) => {
  const { file, queue, env, redrive, declare } = makePlace(t);
  await declare();
  const id = makeCrashId();
  writeFileSync(file, `${makeRecordLine([id], "r1")}\n`);
  const proxy = await startAmqpProxy(t, brokerAddress().port);
  const behind = { ...env, PIGEON_HOST: `127.0.0.1:${proxy.port}` };
  const swallowed = proxy.swallowAnswers();
  const program = new BackgroundProgram(t, "pigeon", ["redrive", file], behind);
  await swallowed;
  await program.stop("SIGKILL");
  assert.deepEqual(await takeItems(queue), [id], "it was published");
  assert.deepEqual([(await redrive(file)).stdout, await takeItems(queue)], [ONE_DELIVERED, [id]], "and is again");
});

test("only one redrive at a time has a file", async (t) => {
  const { file, env, redrive } = makePlace(t);
  writeFileSync(file, `${makeRecordLine([makeCrashId()], "r1")}\n`);
  const hole = { ...env, PIGEON_HOST: "127.0.0.1", PIGEON_PORT: String(await startBlackHole(t)) };
  const program = new BackgroundProgram(t, "pigeon", ["redrive", "--timeout", "20", file], hole);
  await program.printed(/publishing to test/);
  const second = await redrive(file);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^error: .*another redrive \(process \d+\) is running its events$/m);
  assert.equal(lines(`${file}.redrive`).length, 1);
});

test("an SQS queue: a message is deleted when its event is delivered, and seen again when it is not", async (t) => {
  const { queue, redrive, declare } = makePlace(t);
  const server = await startFauxqs({ port: 0, logger: false });
  t.after(() => server.stop());
  const endpoint = `http://127.0.0.1:${server.port}`;
  const client = new SQSClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
  t.after(() => client.destroy());
  const { QueueUrl = "" } = await client.send(new CreateQueueCommand({ QueueName: "kept" }));
  const source = `sqs:${endpoint}${new URL(QueueUrl).pathname}`;
  const ids = Array.from({ length: 3 }, () => makeCrashId());
  const send = (body: string, requestId?: string): Promise<unknown> => {
    const RequestID = { DataType: "String", StringValue: requestId };
    const MessageAttributes = requestId === undefined ? {} : { RequestID };
    return client.send(new SendMessageCommand({ QueueUrl, MessageBody: body, MessageAttributes }));
  };
  await send(makeRecordLine([ids[0] as string], "r0"));
  await send(JSON.stringify(makeCrashEvent(ids[0] as string)), "r0"); // the dead letter of the same event
  await send(JSON.stringify(makeCrashEvent(ids[1] as string, ids[2] as string)), "r1");
  const visible = async (): Promise<string | undefined> => {
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] });
    return (await client.send(command)).Attributes?.ApproximateNumberOfMessages;
  };
  const failing = await redrive(source);
  assert.deepEqual([failing.stdout, failing.code], ["0 delivered, 0 deferred, 2 still failing\n", 1]);
  assert.equal(await visible(), "3");
  await declare();
  const delivered = await redrive(source);
  assert.deepEqual([delivered.stdout, delivered.code], ["2 delivered, 0 deferred, 0 still failing\n", 0]);
  assert.equal(await visible(), "0");
  assert.deepEqual((await takeItems(queue)).sort(), [...ids].sort());
});

test("--function lets the deployed function run them; when there is none, everything stays", async (t) => {
  const { file, queue, env, declare } = makePlace(t);
  await declare();
  const id = makeCrashId();
  const line = makeRecordLine([id], "r1");
  writeFileSync(file, `${line}\n`);
  const pigeon = await servePigeon(t, pigeonEnvironment(queue));
  const aws = {
    ...env,
    AWS_ENDPOINT_URL_LAMBDA: pigeon.endpoint,
    ...ANY_ACCOUNT,
  };
  const nobody = await run("pigeon", ["redrive", "--function", "nobody", file], { env: aws });
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^error: function nobody: Function not found/m);
  assert.deepEqual(lines(file), [line]);
  const { stdout, code } = await run("pigeon", ["redrive", "--function", "pigeon", file], { env: aws });
  assert.deepEqual([stdout, code], [ONE_DELIVERED, 0]);
  assert.deepEqual(await takeItems(queue), [id]);
});

test("a function that is not Pigeon delivers nothing, whatever it answers", async (t) => {
  const { file, env } = makePlace(t);
  const line = makeRecordLine([makeCrashId()], "r1");
  writeFileSync(file, `${line}\n`);
  const args = ["serve", "--port", "0", "--name", "echo", "--zip", join(ROOT, "test", "functions", "echo")];
  const server = new BackgroundProgram(t, "local-lambda", args, env);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const aws = { ...env, AWS_ENDPOINT_URL_LAMBDA: endpoint, ...ANY_ACCOUNT };
  const { stdout, stderr } = await run("pigeon", ["redrive", "--function", "echo", file], { env: aws });
  assert.equal(stdout, "0 delivered, 0 deferred, 1 still failing\n");
  assert.match(stderr, /expected Pigeon's summary/);
  assert.deepEqual(lines(file), [line]);
});

test("events of AWS are not for the development broker, nor options of the local function for another one", async (t) => {
  const { file, env } = makePlace(t);
  writeFileSync(file, "");
  const nowhere = { ...env, PIGEON_HOST: undefined };
  const queue = await run("pigeon", ["redrive", "sqs:http://127.0.0.1:1/0/kept"], { env: nowhere });
  assert.deepEqual([queue.code, queue.stdout], [2, ""]);
  assert.match(queue.stderr, /^error: source: expected --function, or PIGEON_HOST/);
  const both = await run("pigeon", ["redrive", "--function", "f", "--timeout", "3", file], { env });
  assert.deepEqual([both.code, both.stdout], [2, ""]);
  assert.match(both.stderr, /^error: --function: expected without --timeout/);
});

test("a source that is none is bad usage", async (t) => {
  const { redrive } = makePlace(t);
  for (const source of ["file:nowhere.jsonl", "sqs:nowhere"]) {
    const { code, stderr } = await redrive(source);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /[Ee]xpected .*, got .*nowhere/);
  }
});
