/** Functions, runtimes and callers that misbehave: each harms itself at most. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import http from "node:http";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import { startLambdaApi } from "../../../src/local/lambda/api/lambda-api.ts";
import { AsynchronousInvocations } from "../../../src/local/lambda/asynchronous/asynchronous-invocations.ts";
import { RuntimeApi } from "../../../src/local/lambda/environment/runtime-api.ts";
import { RuntimeEvents } from "../../../src/local/lambda/environment/runtime-events.ts";
import { makeFolder, type RunningFunction, startFunction } from "../../helpers/function-zip.ts";
import { until } from "../../helpers/until.ts";

const MIB = 1024 * 1024;

async function serve(t: TestContext, name: string, concurrency: number): Promise<RunningFunction & { url: string }> {
  const running = await startFunction(t, name, { timeout: 30 }, { concurrency });
  const { lambda } = running;
  const events = await AsynchronousInvocations.start(lambda, { directory: makeFolder(t), say: () => {} });
  t.after(() => events.stop());
  const api = await startLambdaApi([{ lambda, events }], 0);
  t.after(() => api.stop());
  return { ...running, url: api.url };
}

test("a function that floods its output is read to the end in bounded memory, and answers", async (t) => {
  let bytes = 0;
  const { lambda } = await startFunction(t, "floods", { timeout: 30 }, { log: (text) => (bytes += text.length) });
  const before = process.memoryUsage().rss;
  const { payload } = await lambda.invoke(Buffer.from('{"megabytes":64}'));
  assert.equal(String(payload), "64");
  assert.ok(bytes >= 64 * MIB, `${bytes} bytes were read`);
  const grown = (process.memoryUsage().rss - before) / MIB;
  assert.ok(grown < 200, `${grown} MiB more`);
});

for (const isolation of ["namespace", "process"] as const)
  test(`a daemon that a function leaves behind ends with its environment (${isolation})`, async (t) => {
    const { lambda, invoke } = await startFunction(t, "leaves-a-daemon", {}, { isolation });
    const { pid } = JSON.parse(String((await invoke({})).payload));
    assert.ok(existsSync(`/proc/${pid}`));
    await lambda.stop();
    await until("it is gone", () => !existsSync(`/proc/${pid}`));
  });

test("a function that closes its output still answers, and the next invocation too", async (t) => {
  const { invoke } = await startFunction(t, "closes-descriptors");
  assert.equal(String((await invoke({})).payload), '"closed"');
  const second = await invoke({});
  assert.equal(second.requestId.length, 36, "an answer, be it an error");
});

test("a runtime that answers twice or for another is refused, and its first answer counts", async (t) => {
  const { invoke, log } = await startFunction(t, "answers-itself");
  const { payload } = await invoke({});
  assert.equal(String(payload), '"first"');
  assert.match(log(), /statuses 400 202 400/);
  assert.equal(String((await invoke({})).payload), '"first"');
});

test("a function that ignores SIGTERM is ended all the same", async (t) => {
  const { lambda, invoke } = await startFunction(t, "ignores-sigterm");
  const pid = Number(String((await invoke({})).payload));
  await lambda.stop();
  await until("it is gone", () => !existsSync(`/proc/${pid}`));
});

test("50 clients at once each get their own answer", async (t) => {
  const { url } = await serve(t, "echo", 50);
  const answers = await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const answer = await fetch(`${url}/2015-03-31/functions/echo/invocations`, { method: "POST", body: String(n) });
      return answer.text();
    }),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, (_, n) => String(n)),
  );
});

test("a client that hangs up leaves its invocation to end, and the environment to the next", async (t) => {
  const { url, log } = await serve(t, "sleeps", 1);
  const invoke = (body: string, signal?: AbortSignal): Promise<Response> =>
    fetch(`${url}/2015-03-31/functions/sleeps/invocations`, { method: "POST", body, ...(signal && { signal }) });
  const hangUp = new AbortController();
  const first = invoke('{"ms":400}', hangUp.signal);
  await until("it runs", () => log().includes("\nSTART"));
  hangUp.abort();
  await assert.rejects(first, { name: "AbortError" });
  await until("it has ended", () => log().includes("\nREPORT"));
  assert.equal((await invoke('{"ms":1}')).status, 200);
  assert.equal(log().match(/Init Duration/g)?.length, 1, "the same environment");
});

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The status of an answer, or 0 when the connection was closed without one. */
function send(port: number, { method, path, headers, body }: Request): Promise<number> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, method, path, headers: { ...headers, connection: "close" } };
    const request = http.request(options, (response) => {
      response.resume();
      response.once("close", () => resolve(response.statusCode ?? 0));
    });
    request.once("error", () => resolve(0));
    request.end(body);
  });
}

/** Requests that are nearly right, or not at all. */
function requests(paths: readonly string[], names: readonly string[]): fc.Arbitrary<Request> {
  const piece = fc.oneof(fc.constantFrom(...paths), fc.webPath());
  const value = fc.oneof(fc.constantFrom("Event", "DryRun", "Tail", "streaming", "e30=", "x"), fc.base64String());
  return fc.record({
    method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH"),
    path: fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join("").replace(/^(?!\/)/, "/")),
    headers: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 3 }),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.json().map((text) => Buffer.from(text)),
    ),
  });
}

test("whatever is sent to the Lambda API gets an answer, and the API lives on", async (t) => {
  const { url } = await serve(t, "echo", 2);
  const port = Number(new URL(url).port);
  const paths = [
    "/2015-03-31/functions",
    "/echo",
    "/invocations",
    "/configuration",
    "/code",
    "?Qualifier=1",
    "/%E0%A4%A",
  ];
  const headers = ["x-amz-invocation-type", "x-amz-log-type", "x-amz-client-context"];
  await fc.assert(
    fc.asyncProperty(requests(paths, headers), async (request) => {
      const status = await send(port, request);
      assert.ok(status >= 200 && status < 500, `${status} for ${JSON.stringify(request)}`);
    }),
    { numRuns: 300 },
  );
  const malformed = await fetch(`${url}/2015-03-31/functions/%E0%A4%A/invocations`, { method: "POST" });
  assert.equal(malformed.status, 400);
  assert.equal((await fetch(`${url}/2015-03-31/functions/echo`)).status, 200);
});

test("whatever is sent to the Runtime API is refused or answered, and the invocation in hand is not lost", async (t) => {
  const api = await RuntimeApi.start();
  t.after(() => api.stop());
  const events = new RuntimeEvents();
  api.reset(events.listener());
  const port = Number(api.address.split(":")[1]);
  const next = fetch(`http://${api.address}/2018-06-01/runtime/invocation/next`);
  assert.deepEqual(await events.next(performance.now() + 5000), { type: "next" });
  const requestId = "11111111-1111-4111-8111-111111111111";
  api.send({ requestId, payload: Buffer.from("{}"), deadline: Date.now() + 60_000, functionArn: "a", traceId: "t" });
  assert.equal((await next).headers.get("lambda-runtime-aws-request-id"), requestId);
  const paths = [
    "/2018-06-01/runtime",
    "/invocation",
    "/next",
    "/x",
    "/response",
    "/error",
    "/init/error",
    "/2020-01-01",
  ];
  await fc.assert(
    fc.asyncProperty(requests(paths, ["lambda-runtime-function-response-mode", "content-type"]), async (request) => {
      const status = await send(port, request);
      assert.ok(status >= 400 && status < 500, `${status} for ${JSON.stringify(request)}`);
    }),
    { numRuns: 300 },
  );
  const answer = await fetch(`http://${api.address}/2018-06-01/runtime/invocation/${requestId}/response`, {
    method: "POST",
    body: '"mine"',
  });
  assert.equal(answer.status, 202);
  const event = await events.next(performance.now() + 5000);
  assert.equal(event.type === "response" && String(event.body), '"mine"');
});
