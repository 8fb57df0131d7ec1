import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { RuntimeApi, type RuntimeListener } from "../../../../src/local/lambda/environment/runtime-api.ts";
import { until } from "../../../helpers/until.ts";

const INVOCATION = {
  requestId: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
  payload: Buffer.from('{"a":"ü"}'),
  deadline: 1_800_000_000_000,
  functionArn: "arn:aws:lambda:us-east-1:123456789012:function:f",
  traceId: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
};

interface Setup {
  readonly api: RuntimeApi;
  readonly heard: string[];
  readonly request: (
    method: string,
    path: string,
    body?: string,
    headers?: Record<string, string>,
  ) => Promise<Response>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const api = await RuntimeApi.start();
  t.after(() => api.stop());
  const heard: string[] = [];
  const listener: RuntimeListener = {
    onNext: () => heard.push("next"),
    onInitError: (body) => heard.push(`init-error ${body}`),
    onResponseChunk: () => {},
    onResponse: (body) => heard.push(`response ${body.length > 100 ? body.length : body}`),
    onResponseTooLarge: () => heard.push("too large"),
    onInvocationError: (body) => heard.push(`error ${body}`),
  };
  api.reset(listener);
  const request: Setup["request"] = (method, path, body, headers) =>
    fetch(`http://${api.address}/2018-06-01/runtime${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: headers ?? {},
    });
  return { api, heard, request };
}

/** Asks for the next invocation and hands it over. */
async function next({ api, heard, request }: Setup): Promise<Response> {
  const waiting = request("GET", "/invocation/next");
  const before = heard.length;
  await until("the runtime waits", () => heard.length > before);
  api.send(INVOCATION);
  return waiting;
}

test("/next carries the headers that the runtime client needs, its Content-Type first of all", async (t) => {
  const setup = await setUp(t);
  const response = await next(setup);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("lambda-runtime-aws-request-id"), INVOCATION.requestId);
  assert.equal(response.headers.get("lambda-runtime-deadline-ms"), "1800000000000");
  assert.equal(response.headers.get("lambda-runtime-invoked-function-arn"), INVOCATION.functionArn);
  assert.equal(response.headers.get("lambda-runtime-trace-id"), INVOCATION.traceId);
  assert.equal(response.headers.get("lambda-runtime-client-context"), null);
  assert.deepEqual(await response.json(), { a: "ü" });
});

test("an invocation is answered once, under its own id", async (t) => {
  const setup = await setUp(t);
  await next(setup);
  const wrong = await setup.request("POST", "/invocation/other/response", "1");
  assert.equal(wrong.status, 400);
  assert.equal(((await wrong.json()) as { errorType: string }).errorType, "InvalidRequestID");
  const right = await setup.request("POST", `/invocation/${INVOCATION.requestId}/response`, "1");
  assert.equal(right.status, 202);
  assert.deepEqual(await right.json(), { status: "OK" });
  assert.equal((await setup.request("POST", `/invocation/${INVOCATION.requestId}/response`, "2")).status, 400);
  assert.equal((await setup.request("POST", `/invocation/${INVOCATION.requestId}/error`, "{}")).status, 400);
  assert.deepEqual(setup.heard, ["next", "response 1"]);
});

test("/next before the answer is refused", async (t) => {
  const setup = await setUp(t);
  await next(setup);
  const early = await setup.request("GET", "/invocation/next");
  assert.equal(early.status, 403);
  assert.equal(((await early.json()) as { errorType: string }).errorType, "InvalidStateTransition");
});

test("init/error counts before the first /next only", async (t) => {
  const setup = await setUp(t);
  assert.equal((await setup.request("POST", "/init/error", '{"errorType":"E"}')).status, 202);
  await next(setup);
  assert.equal((await setup.request("POST", "/init/error", "{}")).status, 403);
  assert.deepEqual(setup.heard, ['init-error {"errorType":"E"}', "next"]);
});

test("an error needs no error-type header, and its cause may fill one of 1 MB", async (t) => {
  const setup = await setUp(t);
  await next(setup);
  const cause = { "lambda-runtime-function-xray-error-cause": "x".repeat(1024 * 1024) };
  const answer = await setup.request("POST", `/invocation/${INVOCATION.requestId}/error`, '{"errorType":"E"}', cause);
  assert.equal(answer.status, 202);
  assert.deepEqual(setup.heard, ["next", 'error {"errorType":"E"}']);
});

test("a response over 6 MiB and 100 bytes is refused with 413, and read to its end", async (t) => {
  const setup = await setUp(t);
  await next(setup);
  const answer = await setup.request("POST", `/invocation/${INVOCATION.requestId}/response`, "x".repeat(6_291_557));
  assert.equal(answer.status, 413);
  assert.deepEqual(await answer.json(), {
    errorMessage: "Exceeded maximum allowed payload size (6291556 bytes).",
    errorType: "RequestEntityTooLarge",
  });
  assert.deepEqual(setup.heard, ["next", "too large"]);
});

test("an idle /next is never closed by the server", async (t) => {
  const { api } = await setUp(t);
  const timeouts = api.timeouts;
  assert.deepEqual(timeouts, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, timeout: 0 });
});

test("after a reset nothing of the process before counts", async (t) => {
  const setup = await setUp(t);
  await next(setup);
  const heard: string[] = [];
  const silent = (): void => {};
  setup.api.reset({
    onNext: () => heard.push("next"),
    onInitError: silent,
    onResponseChunk: () => {},
    onResponse: () => heard.push("response"),
    onResponseTooLarge: silent,
    onInvocationError: silent,
  });
  assert.equal((await setup.request("POST", `/invocation/${INVOCATION.requestId}/response`, "1")).status, 400);
  assert.deepEqual(heard, []);
});

test("an unknown path is told", async (t) => {
  const { request } = await setUp(t);
  assert.equal((await request("GET", "/invocation/elsewhere")).status, 404);
});
