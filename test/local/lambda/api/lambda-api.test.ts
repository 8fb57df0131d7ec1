import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import test, { type TestContext } from "node:test";
import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvalidRequestContentException,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  RequestTooLargeException,
  ResourceNotFoundException,
  TooManyRequestsException,
  UpdateFunctionCodeCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";
import { startLambdaApi } from "../../../../src/local/lambda/api/lambda-api.ts";
import { AsynchronousInvocations } from "../../../../src/local/lambda/asynchronous/asynchronous-invocations.ts";
import type { LocalLambda } from "../../../../src/local/lambda/local-lambda.ts";
import { makeFolder, startFunction, zipFunction } from "../../../helpers/function-zip.ts";

async function startEvents(t: TestContext, lambda: LocalLambda): Promise<AsynchronousInvocations> {
  const events = await AsynchronousInvocations.start(lambda, { directory: makeFolder(t), say: () => {} });
  t.after(() => events.stop());
  return events;
}

async function serve(t: TestContext, name: string, concurrency = 10): Promise<{ client: LambdaClient; url: string }> {
  const { lambda } = await startFunction(t, name, {}, { concurrency });
  const events = await startEvents(t, lambda);
  const api = await startLambdaApi([{ lambda, events }], 0);
  t.after(() => api.stop());
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const client = new LambdaClient({ endpoint: api.url, region: "us-east-1", credentials, maxAttempts: 1 });
  t.after(() => client.destroy());
  return { client, url: api.url };
}

test("AWS's SDK invokes a function by name, partial ARN and ARN", async (t) => {
  const { client } = await serve(t, "echo");
  const names = [
    "echo",
    "123456789012:function:echo",
    "arn:aws:lambda:us-east-1:123456789012:function:echo",
    "echo:$LATEST",
  ];
  for (const FunctionName of names) {
    const answer = await client.send(new InvokeCommand({ FunctionName, Payload: Buffer.from('{"a":1}') }));
    assert.equal(answer.Payload?.transformToString(), '{"a":1}', FunctionName);
    assert.equal(answer.StatusCode, 200);
    assert.equal(answer.ExecutedVersion, "$LATEST");
    assert.equal(answer.FunctionError, undefined);
    assert.match(answer.$metadata.requestId ?? "", /^[0-9a-f-]{36}$/);
  }
});

test("the caller's qualifier and client context reach the function", async (t) => {
  const { client } = await serve(t, "context");
  const ClientContext = Buffer.from('{"custom":{"a":"b"}}').toString("base64");
  const answer = await client.send(new InvokeCommand({ FunctionName: "context", Qualifier: "$LATEST", ClientContext }));
  const context = JSON.parse(answer.Payload?.transformToString() ?? "");
  assert.deepEqual(context.clientContext, { custom: { a: "b" } });
  assert.equal(context.invokedFunctionArn, "arn:aws:lambda:us-east-1:123456789012:function:context:$LATEST");
});

test("a function error is 200 with FunctionError, and the log's tail comes when asked for", async (t) => {
  const { client } = await serve(t, "throws");
  const answer = await client.send(
    new InvokeCommand({ FunctionName: "throws", LogType: "Tail", Payload: Buffer.from("{}") }),
  );
  assert.equal(answer.StatusCode, 200);
  assert.equal(answer.FunctionError, "Unhandled");
  const log = Buffer.from(answer.LogResult ?? "", "base64").toString();
  assert.match(log, /^START RequestId: [\s\S]*Invoke Error[\s\S]*\nREPORT .*\n$/);
});

test("no payload is an empty object, DryRun runs nothing", async (t) => {
  const { client } = await serve(t, "echo");
  assert.equal((await client.send(new InvokeCommand({ FunctionName: "echo" }))).Payload?.transformToString(), "{}");
  const dry = await client.send(new InvokeCommand({ FunctionName: "echo", InvocationType: "DryRun" }));
  assert.equal(dry.StatusCode, 204);
});

test("errors are AWS's exceptions to its SDK", async (t) => {
  const { client } = await serve(t, "sleeps", 1);
  const invoke = (change: object): Promise<unknown> =>
    client.send(new InvokeCommand({ FunctionName: "sleeps", ...change }));
  await assert.rejects(invoke({ FunctionName: "doesnotexist" }), (error: unknown) => {
    assert.ok(error instanceof ResourceNotFoundException);
    assert.equal(
      error.message,
      "Function not found: arn:aws:lambda:us-east-1:123456789012:function:doesnotexist:$LATEST",
    );
    return error.$metadata.httpStatusCode === 404;
  });
  await assert.rejects(invoke({ Payload: Buffer.from("nope") }), (error: unknown) => {
    assert.ok(error instanceof InvalidRequestContentException);
    return error.Type === "User" && error.$metadata.httpStatusCode === 400;
  });
  await assert.rejects(invoke({ Payload: Buffer.from(`"${"x".repeat(6_291_555)}"`) }), (error: unknown) => {
    assert.ok(error instanceof RequestTooLargeException);
    return error.$metadata.httpStatusCode === 413;
  });
  const running = invoke({ Payload: Buffer.from('{"ms":500}') });
  const second = invoke({ Payload: Buffer.from('{"ms":500}') });
  const [one, other] = await Promise.allSettled([running, second]);
  const refused = one.status === "rejected" ? one : other;
  assert.ok(refused.status === "rejected" && refused.reason instanceof TooManyRequestsException);
  assert.equal(refused.reason.Reason, "ReservedFunctionConcurrentInvocationLimitExceeded");
  await assert.rejects(
    invoke({ InvocationType: "Event", Payload: Buffer.from(`"${"x".repeat(1024 * 1024)}"`) }),
    (error: unknown) => {
      assert.ok(error instanceof RequestTooLargeException);
      return error.$metadata.httpStatusCode === 413;
    },
  );
});

test("another path or method is told", async (t) => {
  const { url } = await serve(t, "echo");
  for (const path of ["/2015-03-31/layers", "/2015-03-31/functions/echo/policy", "/"]) {
    const answer = await fetch(`${url}${path}`);
    assert.equal(answer.status, 404);
    assert.match(await answer.text(), /expected Invoke, InvokeWithResponseStream, ListFunctions/);
  }
});

test("a port in use is one clear sentence", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const { lambda } = await startFunction(t, "echo");
  await assert.rejects(startLambdaApi([{ lambda, events: await startEvents(t, lambda) }], port), {
    name: "StackError",
    message: `port ${port} is in use: stop the program that listens on it, or choose another with --port`,
  });
});

test("a function can be listed and looked at, and waiters find it active", async (t) => {
  const { client } = await serve(t, "echo");
  const { Functions = [] } = await client.send(new ListFunctionsCommand({}));
  assert.deepEqual(
    Functions.map(({ FunctionName }) => FunctionName),
    ["echo"],
  );
  const { Configuration } = await client.send(new GetFunctionCommand({ FunctionName: "echo" }));
  assert.equal(Configuration?.FunctionArn, "arn:aws:lambda:us-east-1:123456789012:function:echo");
  const configuration = await client.send(new GetFunctionConfigurationCommand({ FunctionName: "echo" }));
  const { Runtime, Handler, MemorySize, Timeout, State, LastUpdateStatus, CodeSize = 0 } = configuration;
  assert.deepEqual(
    { Runtime, Handler, MemorySize, Timeout, State, LastUpdateStatus },
    {
      Runtime: "nodejs24.x",
      Handler: "index.handler",
      MemorySize: 128,
      Timeout: 3,
      State: "Active",
      LastUpdateStatus: "Successful",
    },
  );
  assert.ok(CodeSize > 100);
  const waited = await waitUntilFunctionActiveV2({ client, maxWaitTime: 5 }, { FunctionName: "echo" });
  assert.equal(waited.state, "SUCCESS");
  await assert.rejects(client.send(new GetFunctionCommand({ FunctionName: "other" })), ResourceNotFoundException);
});

test("new code takes effect with the next invocation, and its hash is told; what is no zip changes nothing", async (t) => {
  const { client } = await serve(t, "counts");
  const invoke = async (): Promise<unknown> => {
    const answer = await client.send(new InvokeCommand({ FunctionName: "counts", Payload: Buffer.from('{"a":1}') }));
    return JSON.parse(answer.Payload?.transformToString() ?? "");
  };
  assert.equal(((await invoke()) as { count: number }).count, 1);
  const ZipFile = readFileSync(zipFunction(t, "echo"));
  const updated = await client.send(new UpdateFunctionCodeCommand({ FunctionName: "counts", ZipFile }));
  assert.equal(updated.CodeSha256, createHash("sha256").update(ZipFile).digest("base64"));
  const waited = await waitUntilFunctionUpdatedV2({ client, maxWaitTime: 5 }, { FunctionName: "counts" });
  assert.equal(waited.state, "SUCCESS");
  assert.deepEqual(await invoke(), { a: 1 });
  const wrong = client.send(new UpdateFunctionCodeCommand({ FunctionName: "counts", ZipFile: Buffer.from("no zip") }));
  await assert.rejects(wrong, { name: "InvalidParameterValueException", message: /^Could not unzip uploaded file/ });
  const elsewhere = client.send(new UpdateFunctionCodeCommand({ FunctionName: "counts", S3Bucket: "b", S3Key: "k" }));
  await assert.rejects(elsewhere, {
    name: "InvalidParameterValueException",
    message: /S3Bucket, S3Key is not supported here/,
  });
  assert.deepEqual(await invoke(), { a: 1 });
});

test("an invocation type that there is not is a ValidationException", async (t) => {
  const { url } = await serve(t, "echo");
  const headers = { "x-amz-invocation-type": "Later" };
  const answer = await fetch(`${url}/2015-03-31/functions/echo/invocations`, { method: "POST", headers });
  assert.deepEqual([answer.status, answer.headers.get("x-amzn-errortype")], [400, "ValidationException"]);
  const { message } = (await answer.json()) as { message: string };
  assert.match(message, /Value 'Later' at 'invocationType' .* enum value set: \[Event, RequestResponse, DryRun\]$/);
});
