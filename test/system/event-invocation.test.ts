/** Asynchronous invocations through the programs: retries, destinations, and events that survive a kill. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT, run } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

const FUNCTIONS = join(ROOT, "test", "functions");

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A server of one function, and a way to hand it events. */
async function serve(
  t: TestContext,
  name: string,
  options: readonly string[],
  env: Record<string, string>,
): Promise<{ server: BackgroundProgram; endpoint: string; send: (event: unknown) => Promise<string> }> {
  const args = ["serve", "--port", "0", "--name", name, "--zip", join(FUNCTIONS, name), ...options];
  const server = new BackgroundProgram(t, "local-lambda", args, env);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const client = new LambdaClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
  t.after(() => client.destroy());
  const send = async (event: unknown): Promise<string> => {
    const Payload = Buffer.from(JSON.stringify(event));
    const answer = await client.send(new InvokeCommand({ FunctionName: name, InvocationType: "Event", Payload }));
    assert.equal(answer.StatusCode, 202);
    assert.equal(answer.Payload?.length ?? 0, 0);
    return answer.$metadata.requestId ?? "";
  };
  return { server, endpoint, send };
}

const readLines = (path: string): Record<string, never>[] =>
  existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];

test("an event that fails ends as a record in a file and as a dead letter in a queue", async (t) => {
  const folder = makeFolder(t);
  const queue = ownQueueName(t);
  const env = { ...pigeonEnvironment(queue), PIGEON_STATE_DIRECTORY: folder };
  assert.equal((await run("pigeon", ["queue", "declare"], { env })).code, 0);
  const file = join(folder, "failed.jsonl");
  const options = ["--retry-delays", "0.01,0.02", "--on-failure", `file:${file}`, "--dlq", `amqp:${queue}`];
  const { send } = await serve(t, "throws", options, env);
  const requestId = await send({ message: "x" });
  await until("the record", () => readLines(file).length === 1);
  const { requestContext } = readLines(file)[0] ?? {};
  assert.deepEqual(requestContext, {
    requestId,
    functionArn: "arn:aws:lambda:us-east-1:123456789012:function:throws:$LATEST",
    condition: "RetriesExhausted",
    approximateInvokeCount: 3,
  });
  assert.deepEqual(
    await until("the letter", async () => {
      const items = await takeItems(queue);
      return items.length > 0 && items;
    }),
    ['{"message":"x"}'],
  );
});

test("an accepted event survives kill -9 of the local Lambda", async (t) => {
  const folder = makeFolder(t);
  const env = { PIGEON_STATE_DIRECTORY: folder };
  const file = join(folder, "succeeded.jsonl");
  const options = ["--timeout", "60", "--on-success", `file:${file}`];
  const first = await serve(t, "counts", options, env);
  const requestId = await first.send({ ms: 30_000 });
  await first.server.printed(/^START RequestId/m);
  await first.server.stop("SIGKILL");
  assert.deepEqual(readLines(file), []);
  const path = join(folder, "events", "counts", `${requestId}.json`);
  assert.ok(existsSync(path));
  const second = new BackgroundProgram(
    t,
    "local-lambda",
    ["serve", "--port", "0", "--name", "counts", "--zip", join(FUNCTIONS, "echo"), ...options],
    env,
  );
  await until("it has succeeded", () => readLines(file).length === 1);
  assert.match(second.output, /resuming 1 accepted events/);
  const { requestContext } = readLines(file)[0] ?? {};
  assert.equal((requestContext as unknown as Record<string, string> | undefined)?.requestId, requestId);
  await until("it is done with", () => !existsSync(path));
});

test("a destination of another form is bad usage", async () => {
  const { code, stderr } = await run("local-lambda", ["serve", "--zip", ".", "--dlq", "sqs:x"]);
  assert.equal(code, 2);
  assert.match(stderr, /Expected file:PATH, amqp:QUEUE or sqs:URL, got "sqs:x"/);
  const delays = await run("local-lambda", ["serve", "--zip", ".", "--retry-delays", "1,2,3"]);
  assert.equal(delays.code, 2);
});

test("AWS's delays of one and two minutes can be put forward, and take nobody's time", async (t) => {
  const folder = makeFolder(t);
  const file = join(folder, "failed.jsonl");
  const options = ["--on-failure", `file:${file}`];
  const { server, endpoint, send } = await serve(t, "throws", options, { PIGEON_STATE_DIRECTORY: folder });
  const putForward = (body: string): Promise<Response> =>
    fetch(`${endpoint}/local-lambda/clock`, { method: "POST", body });
  const attempts = (n: number) => until(`attempt ${n}`, () => server.output.match(/^REPORT /gm)?.length === n);
  const requestId = await send({ message: "x" });
  await attempts(1);
  await until("it waits for its first retry", async () => {
    await putForward('{"advanceSeconds": 0.1}');
    return readdirSync(join(folder, "events", "throws")).length === 1;
  });
  await until("the first retry", async () => {
    assert.equal((await putForward('{"advanceSeconds": 20}')).status, 200);
    return server.output.match(/^REPORT /gm)?.length === 2;
  });
  await until("the second", async () => {
    await putForward('{"advanceSeconds": 30}');
    return readLines(file).length === 1;
  });
  const [record] = readLines(file) as unknown as [{ requestContext: Record<string, unknown> }];
  assert.deepEqual([record.requestContext.requestId, record.requestContext.approximateInvokeCount], [requestId, 3]);
  for (const body of ['{"advanceSeconds": -1}', "", "{}", "x"]) assert.equal((await putForward(body)).status, 400);
});
