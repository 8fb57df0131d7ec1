import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import {
  InvokeWithResponseStreamCommand,
  type InvokeWithResponseStreamResponseEvent,
  LambdaClient,
  ResourceNotFoundException,
  TooManyRequestsException,
} from "@aws-sdk/client-lambda";
import { startLambdaApi } from "../../../../src/local/lambda/api/lambda-api.ts";
import { AsynchronousInvocations } from "../../../../src/local/lambda/asynchronous/asynchronous-invocations.ts";
import type { FunctionInput } from "../../../../src/local/lambda/function.ts";
import { makeFolder, startFunction } from "../../../helpers/function-zip.ts";

/** What a caller gets: the chunks with the time of each in ms, and the last event. */
interface Streamed {
  readonly chunks: string[];
  readonly times: number[];
  readonly complete: InvokeWithResponseStreamResponseEvent.InvokeCompleteMember["InvokeComplete"] | undefined;
}

async function serve(t: TestContext, name: string, input: FunctionInput = {}): Promise<LambdaClient> {
  const { lambda } = await startFunction(t, name, input, { concurrency: 1 });
  const events = await AsynchronousInvocations.start(lambda, { directory: makeFolder(t), say: () => {} });
  t.after(() => events.stop());
  const api = await startLambdaApi([{ lambda, events }], 0);
  t.after(() => api.stop());
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const client = new LambdaClient({ endpoint: api.url, region: "us-east-1", credentials, maxAttempts: 1 });
  t.after(() => client.destroy());
  return client;
}

async function stream(client: LambdaClient, FunctionName: string, event: object): Promise<Streamed> {
  const Payload = Buffer.from(JSON.stringify(event));
  const answer = await client.send(new InvokeWithResponseStreamCommand({ FunctionName, Payload, LogType: "Tail" }));
  assert.equal(answer.ExecutedVersion, "$LATEST");
  const [chunks, times]: [string[], number[]] = [[], []];
  let complete: Streamed["complete"];
  for await (const part of answer.EventStream ?? []) {
    if (part.PayloadChunk?.Payload) {
      chunks.push(Buffer.from(part.PayloadChunk.Payload).toString());
      times.push(performance.now());
    }
    complete = part.InvokeComplete ?? complete;
  }
  return { chunks, times, complete };
}

for (const runtime of ["nodejs24.x", "nodejs22.x"])
  test(`what a function writes reaches the caller as it is written (${runtime})`, async (t) => {
    const client = await serve(t, "streams-slowly", { runtime });
    const { chunks, times, complete } = await stream(client, "streams-slowly", { chunks: 3, ms: 100 });
    assert.equal(chunks.join(""), "012");
    assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 150, "not all at the end");
    assert.equal(complete?.ErrorCode, undefined);
    assert.match(Buffer.from(complete?.LogResult ?? "", "base64").toString(), /^START[\s\S]*REPORT .*\n$/);
  });

test("more than a buffered response may have comes through whole", async (t) => {
  const client = await serve(t, "streams-slowly");
  const { chunks, complete } = await stream(client, "streams-slowly", { chunks: 3, ms: 1, bytes: 4_000_000 });
  assert.equal(chunks.join("").length, 12_000_000);
  assert.equal(complete?.ErrorCode, undefined);
});

test("an error half-way comes after what was written before", async (t) => {
  const client = await serve(t, "streams-slowly");
  const { chunks, complete } = await stream(client, "streams-slowly", { chunks: 1, ms: 1, fail: true });
  assert.deepEqual(chunks, ["0"]);
  assert.equal(complete?.ErrorCode, "Unhandled");
  assert.equal(JSON.parse(complete?.ErrorDetails ?? "{}").errorMessage, "half-way");
});

test("a function that does not stream answers in one chunk; a crash is in InvokeComplete", async (t) => {
  const echo = await serve(t, "echo");
  assert.deepEqual((await stream(echo, "echo", { a: 1 })).chunks, ['{"a":1}']);
  const exits = await serve(t, "exits");
  const { chunks, complete } = await stream(exits, "exits", { code: 3 });
  assert.deepEqual([chunks, complete?.ErrorCode], [[], "Unhandled"]);
  assert.match(complete?.ErrorDetails ?? "", /"Runtime\.ExitError".*exit status 3/);
});

test("what is refused is refused before the stream begins", async (t) => {
  const client = await serve(t, "streams-slowly");
  await assert.rejects(stream(client, "other", {}), ResourceNotFoundException);
  const first = stream(client, "streams-slowly", { chunks: 1, ms: 200 });
  await assert.rejects(stream(client, "streams-slowly", {}), TooManyRequestsException);
  assert.deepEqual((await first).chunks, ["0"]);
});
