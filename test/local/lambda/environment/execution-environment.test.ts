import assert from "node:assert/strict";
import test from "node:test";
import { startFunction } from "../../../helpers/function-zip.ts";
import { until } from "../../../helpers/until.ts";

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const parse = (payload: Buffer): Record<string, unknown> => JSON.parse(payload.toString());
const lines = (log: string): string[] => log.split("\n").filter((line) => /^(INIT_|START|END|REPORT)/.test(line));

test("a cold and a warm invocation print what AWS prints", async (t) => {
  const { invoke, log } = await startFunction(t, "echo");
  const result = await invoke({ a: "ü" });
  assert.equal(result.payload.toString(), '{"a":"ü"}');
  assert.equal(result.functionError, undefined);
  const id = result.requestId;
  assert.match(id, new RegExp(`^${UUID}$`));
  const [initStart, start, end, report, ...others] = log().split("\n");
  assert.match(
    initStart ?? "",
    /^INIT_START Runtime Version: nodejs:24\.v\d+\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$/,
  );
  assert.equal(start, `START RequestId: ${id} Version: $LATEST`);
  assert.equal(end, `END RequestId: ${id}`);
  const figures = String.raw`Duration: (\d+\.\d\d) ms\tBilled Duration: (\d+) ms\tMemory Size: 128 MB\tMax Memory Used: (\d+) MB\tInit Duration: (\d+\.\d\d) ms\t`;
  const [, duration, billed, memory, init] =
    new RegExp(`^REPORT RequestId: ${id}\t${figures}$`).exec(report ?? "") ?? [];
  assert.ok(Number(init) > 10, `Init Duration ${init}: a Node.js does not start faster`);
  assert.ok(Math.abs(Number(billed) - Math.ceil(Number(duration) + Number(init))) <= 1, "the init is billed");
  assert.ok(Number(memory) > 30, `Max Memory Used ${memory}: a Node.js takes more`);
  assert.deepEqual(others, [""]);

  const warm = await invoke({});
  assert.doesNotMatch(log().slice(log().indexOf(warm.requestId)), /Init Duration|INIT_START/);
  assert.equal(warm.report.billedDuration, Math.ceil(warm.report.duration));
});

test("the tail of the log is from START to REPORT, at most 4096 bytes", async (t) => {
  const small = await startFunction(t, "logs");
  const tail = (await small.invoke({})).logTail.toString();
  assert.match(tail, /^START RequestId: .*\n[\s\S]*raw stdout\n[\s\S]*\nEND .*\nREPORT .*\t\n$/);
  const large = await startFunction(t, "writes-late");
  const { logTail } = await large.invoke({});
  assert.equal(logTail.length, 4096);
  assert.match(logTail.toString(), /(line \d+|the last line)\nEND .*\nREPORT .*\t\n$/);
});

test("everything that a handler wrote stands before END, lines of a message kept together", async (t) => {
  const { invoke, log } = await startFunction(t, "writes-late");
  await invoke({});
  const text = log();
  for (const line of ["line 0", "line 4999", "the last line"]) {
    assert.ok(text.includes(`${line}\n`), line);
    assert.ok(text.indexOf(line) < text.indexOf("END RequestId"), `${line} before END`);
  }
  const other = await startFunction(t, "logs");
  await other.invoke({});
  assert.match(other.log(), /\tINFO\ttwo\nlines\n/);
  assert.match(other.log(), /raw stderr, no line feed\n/);
});

test("a handler that throws: its error, no status, and the process stays", async (t) => {
  const { invoke, log } = await startFunction(t, "throws");
  const { functionError, payload, report } = await invoke({ message: "x" });
  assert.equal(functionError, "Unhandled");
  const { errorType, errorMessage, trace } = parse(payload);
  assert.deepEqual({ errorType, errorMessage }, { errorType: "TypeError", errorMessage: "x" });
  assert.ok(Array.isArray(trace) && trace[0] === "TypeError: x");
  assert.equal(report.status, undefined);
  assert.match(log(), /\tERROR\tInvoke Error \t\{"errorType":"TypeError"/);
  assert.equal((await invoke({})).report.initDuration, undefined);
});

test("an exit, however it comes about, is told in AWS's words and followed by a fresh process", async (t) => {
  const cases = [
    ["exits", { code: 0 }, "Runtime exited without providing a reason"],
    ["exits", { code: 7 }, "Runtime exited with error: exit status 7"],
    ["kills-itself", { signal: "SIGKILL" }, "Runtime exited with error: signal: killed"],
    ["kills-itself", { signal: "SIGABRT" }, "Runtime exited with error: signal: aborted"],
    ["never-settles", {}, "Runtime exited without providing a reason"],
    ["rejects-unhandled", {}, "Runtime exited with error: exit status 1"],
  ] as const;
  for (const [name, event, reason] of cases) {
    const { invoke, log } = await startFunction(t, name);
    const { requestId, functionError, payload } = await invoke(event);
    assert.equal(functionError, "Unhandled", name);
    assert.deepEqual(parse(payload), {
      errorType: "Runtime.ExitError",
      errorMessage: `RequestId: ${requestId} Error: ${reason}`,
    });
    assert.ok(
      log().includes(`RequestId: ${requestId} Error: ${reason}\nRuntime.ExitError\nEND RequestId: ${requestId}\n`),
      log(),
    );
    assert.match(log(), /Init Duration: .* ms\tStatus: error\tError Type: Runtime\.ExitError\n$/);
  }
});

test("after a crash the next invocation starts a process within its own duration", async (t) => {
  const { invoke, log } = await startFunction(t, "exits");
  await invoke({ code: 1 });
  await invoke({ code: 1 });
  assert.deepEqual(
    lines(log()).map((line) => line.split(" ")[0]),
    ["INIT_START", "START", "END", "REPORT", "START", "END", "REPORT"],
  );
  assert.equal(log().match(/Init Duration/g)?.length, 1);
});

test("a timeout kills the process, and figures stop at the limit", async (t) => {
  const { invoke, log } = await startFunction(t, "sleeps", { timeout: 1 });
  const { pid } = process;
  const started = performance.now();
  const { requestId, payload, report } = await invoke({ ms: 30_000 });
  const elapsed = performance.now() - started;
  assert.ok(elapsed < 10_000, `${elapsed} ms`); // not the 30 s that the handler would take
  assert.deepEqual(parse(payload), {
    errorType: "Sandbox.Timedout",
    errorMessage: `RequestId: ${requestId} Error: Task timed out after 1.00 seconds`,
  });
  assert.equal(report.duration, 1000);
  assert.match(
    log(),
    new RegExp(`\\n\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z ${requestId} Task timed out after 1\\.00 seconds\\n\\nEND `),
  );
  assert.match(log(), /\tDuration: 1000\.00 ms\tBilled Duration: \d+ ms\t.*\tInit Duration: .* ms\tStatus: timeout\n$/);
  assert.equal((await invoke({ ms: 1 })).functionError, undefined);
  assert.equal(process.pid, pid);
});

test("a segmentation fault is noticed at the timeout, as recorded from AWS", async (t) => {
  const { invoke } = await startFunction(t, "kills-itself", { timeout: 1 });
  const { requestId, payload, report } = await invoke({ signal: "SIGSEGV" });
  assert.deepEqual(parse(payload), {
    errorType: "Sandbox.Timedout",
    errorMessage: `RequestId: ${requestId} Error: Task timed out after 1.00 seconds`,
  });
  assert.equal(report.status, "timeout");
});

test("a module that cannot be loaded is tried twice, and its own error is the answer", async (t) => {
  const { invoke, log } = await startFunction(t, "fails-to-load");
  const { payload, report, functionError } = await invoke({});
  assert.equal(functionError, "Unhandled");
  assert.equal(parse(payload).errorType, "RangeError");
  assert.equal(parse(payload).errorMessage, "this module cannot be loaded");
  const [initStart, first, second, ...others] = lines(log());
  assert.match(initStart ?? "", /^INIT_START/);
  assert.match(
    first ?? "",
    /^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: Runtime\.Unknown$/,
  );
  assert.match(
    second ?? "",
    /^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: invoke\tStatus: error\tError Type: Runtime\.Unknown$/,
  );
  assert.deepEqual(
    others.map((line) => line.split(" ")[0]),
    ["START", "END", "REPORT"],
  );
  assert.equal(report.initDuration, undefined);
  assert.match(log(), /\tMax Memory Used: \d+ MB\tStatus: error\tError Type: Runtime\.Unknown\n$/);
});

test("what is wrong with a handler is told by AWS's runtime client", async (t) => {
  const cases = [
    ["echo", "missing.handler", "Runtime.ImportModuleError"],
    ["echo", "index.missing", "Runtime.HandlerNotFound"],
    ["echo", "index", "Runtime.MalformedHandlerName"],
    ["callback", "index.handler", "Runtime.CallbackHandlerDeprecated"],
  ] as const;
  for (const [name, handler, errorType] of cases) {
    const { invoke, log } = await startFunction(t, name, { handler });
    assert.equal(parse((await invoke({})).payload).errorType, errorType, handler);
    assert.ok(log().includes(`Status: error\tError Type: ${errorType}\n`), handler);
  }
});

test("an exit during init has AWS's error", async (t) => {
  const { invoke, log } = await startFunction(t, "exits-at-init");
  const { requestId, payload } = await invoke({});
  assert.deepEqual(parse(payload), {
    errorType: "Runtime.ExitError",
    errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 3`,
  });
  assert.match(log(), /Phase: init\tStatus: error\tError Type: Runtime\.ExitError\n/);
});

test("an init that takes over 10 s is ended, and begins again within the function's own limit", async (t) => {
  const environment = { LOAD_MS: "60000" };
  const { invoke, log } = await startFunction(t, "loads-slowly", { environment, timeout: 1 });
  const { requestId, payload, report } = await invoke({});
  assert.match(log(), /^INIT_REPORT Init Duration: 10\d{3}\.\d\d ms\tPhase: init\tStatus: timeout$/m);
  assert.match(log(), /^INIT_REPORT Init Duration: 1\d{3}\.\d\d ms\tPhase: invoke\tStatus: timeout$/m);
  assert.deepEqual(parse(payload), {
    errorType: "Sandbox.Timedout",
    errorMessage: `RequestId: ${requestId} Error: Task timed out after 1.00 seconds`,
  });
  assert.equal(report.status, "timeout");
  assert.equal(report.duration, 1000);
});

test("an init that is slow but within 10 s is no part of the duration, whatever the function's limit", async (t) => {
  const { invoke } = await startFunction(t, "loads-slowly", { environment: { LOAD_MS: "1500" }, timeout: 1 });
  const { payload, report } = await invoke({});
  assert.equal(payload.toString(), '"loaded"');
  assert.ok((report.initDuration ?? 0) >= 1500 && report.duration < 1000, JSON.stringify(report));
});

test("a response of 6 MiB and 100 bytes passes, one byte more does not, and the process stays", async (t) => {
  const { invoke } = await startFunction(t, "big-response", { timeout: 20 });
  const fits = await invoke({ length: 6_291_554 }); // with its quotes
  assert.equal(fits.payload.length, 6_291_556);
  const { payload, report } = await invoke({ length: 6_291_555 });
  assert.deepEqual(parse(payload), {
    errorType: "Function.ResponseSizeTooLarge",
    errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
  });
  assert.equal(report.errorType, "Function.ResponseSizeTooLarge");
  assert.equal((await invoke({ length: 1 })).payload.toString(), '"x"');
});

test("Max Memory Used is what the process really used", async (t) => {
  const { invoke } = await startFunction(t, "allocates", { memorySize: 512, timeout: 20 });
  const before = (await invoke({ megabytes: 1 })).report.maxMemoryUsed;
  const after = (await invoke({ megabytes: 200 })).report.maxMemoryUsed;
  assert.ok(after - before >= 195 && after - before <= 260, `${before} MB, then ${after} MB`);
});

test("the environment variables are AWS's and the function's; nothing is inherited", async (t) => {
  process.env.MUST_NOT_BE_INHERITED = "1";
  t.after(() => delete process.env.MUST_NOT_BE_INHERITED);
  const { invoke } = await startFunction(t, "environment", { environment: { TEST_KEY: "TEST_VAL" }, memorySize: 1024 });
  const { env, cwd } = parse((await invoke({})).payload) as { env: Record<string, string>; cwd: string };
  const { LAMBDA_TASK_ROOT, PWD, AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_LOG_STREAM_NAME, _X_AMZN_TRACE_ID, ...rest } = env;
  assert.equal(cwd, LAMBDA_TASK_ROOT);
  assert.equal(PWD, LAMBDA_TASK_ROOT);
  assert.match(AWS_LAMBDA_RUNTIME_API ?? "", /^127\.0\.0\.1:\d+$/);
  assert.match(AWS_LAMBDA_LOG_STREAM_NAME ?? "", /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
  assert.match(_X_AMZN_TRACE_ID ?? "", /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/);
  assert.deepEqual(rest, {
    AWS_ACCESS_KEY_ID: "local",
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1024",
    AWS_LAMBDA_FUNCTION_NAME: "environment",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/environment",
    AWS_REGION: "us-east-1",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "local",
    AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
    AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1:2000",
    LAMBDA_RUNTIME_DIR: "/var/runtime",
    LANG: "en_US.UTF-8",
    LD_LIBRARY_PATH: "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    NODE_PATH:
      "/opt/nodejs/node24/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task",
    PATH: "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    SHLVL: "0",
    TEST_KEY: "TEST_VAL",
    TZ: ":UTC",
    _AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1",
    _AWS_XRAY_DAEMON_PORT: "2000",
    _HANDLER: "index.handler",
  });
});

test("the context has what AWS's has", async (t) => {
  const { lambda } = await startFunction(t, "context", { timeout: 20 });
  const result = await lambda.invoke(Buffer.from("{}"), { clientContext: '{"custom":{"a":1}}' });
  const { remaining, ...context } = parse(result.payload);
  assert.ok(Number(remaining) > 18_000 && Number(remaining) <= 20_000, String(remaining));
  assert.equal(context.awsRequestId, result.requestId);
  assert.equal(context.functionName, "context");
  assert.equal(context.functionVersion, "$LATEST");
  assert.equal(context.memoryLimitInMB, "128");
  assert.equal(context.invokedFunctionArn, "arn:aws:lambda:us-east-1:123456789012:function:context");
  assert.equal(context.logGroupName, "/aws/lambda/context");
  assert.deepEqual(context.clientContext, { custom: { a: 1 } });
});

test("ES modules with top-level await work, and streamed responses are collected", async (t) => {
  assert.equal((await (await startFunction(t, "esm")).invoke({})).payload.toString(), "42");
  const streams = await startFunction(t, "streams");
  assert.equal((await streams.invoke({})).payload.toString(), "one,two");
  const failed = await streams.invoke({ fail: true });
  assert.equal(failed.functionError, "Unhandled");
  assert.equal(parse(failed.payload).errorMessage, "half-way");
});

test("nothing of an environment is left when it is stopped, children of the function included", async (t) => {
  const { lambda, invoke } = await startFunction(t, "counts");
  const { pid } = parse((await invoke({})).payload) as { pid: number };
  assert.equal(process.kill(pid, 0), true);
  await lambda.stop();
  await until("the process is gone", () => {
    try {
      return !process.kill(pid, 0);
    } catch {
      return true;
    }
  });
});
