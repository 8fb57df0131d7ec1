import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { type RunningFunction, startFunction, writeZip } from "../../../helpers/function-zip.ts";
import { ROOT } from "../../../helpers/program.ts";
import { until } from "../../../helpers/until.ts";

function layer(t: TestContext): string {
  const program = readFileSync(join(ROOT, "test", "extensions", "observer", "observer"));
  return writeZip(t, { "extensions/observer": [program, { os: 3, attrs: 0o100755 << 16 }] });
}

async function start(t: TestContext, name: string, environment = {}, timeout = 3): Promise<RunningFunction> {
  return startFunction(
    t,
    name,
    { layers: [layer(t)], environment, timeout, memorySize: 256 },
    { isolation: "namespace" },
  );
}

const events = (log: string): Record<string, unknown>[] =>
  [...log.matchAll(/^observer event (.*)$/gm)].map(([, json = ""]) => JSON.parse(json));
const telemetry = (log: string): string[] =>
  [...log.matchAll(/^observer telemetry "(.*)"$/gm)].map(([, type = ""]) => type);

test("an extension is started before the runtime, told of invocations and of the end", async (t) => {
  const { lambda, invoke, log } = await start(t, "ends-politely");
  const first = await invoke({});
  assert.equal(first.functionError, undefined, log());
  const second = await invoke({});
  assert.match(
    log(),
    /^observer registered \{"functionName":"ends-politely","functionVersion":"\$LATEST","handler":"index\.handler","accountId":"123456789012"\}$/m,
  );
  assert.match(log(), /^EXTENSION\tName: observer\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]$/m);
  assert.match(log(), /^TELEMETRY\tName: observer\tState: Subscribed\tTypes: \[Platform, Function\]$/m);
  assert.ok(log().indexOf("EXTENSION\t") < log().indexOf("\nSTART "));
  await lambda.stop();
  assert.deepEqual(events(log()), [
    { eventType: "INVOKE", requestId: first.requestId, inTime: true },
    { eventType: "INVOKE", requestId: second.requestId, inTime: true },
    { eventType: "SHUTDOWN", shutdownReason: "spindown", inTime: true },
  ]);
  assert.match(log(), /\tINFO\ttold to end\n[\s\S]*"SHUTDOWN"/, "the runtime gets SIGTERM first");
});

test("subscribed telemetry is delivered, from the very beginning", async (t) => {
  const { lambda, invoke, log } = await start(t, "ends-politely");
  await invoke({});
  await lambda.stop();
  const types = telemetry(log());
  for (const type of [
    "platform.initStart",
    "platform.telemetrySubscription",
    "platform.initRuntimeDone",
    "platform.start",
    "platform.report",
  ])
    assert.ok(types.includes(type), `${type} in ${types}`);
  assert.ok(types.includes("function"));
});

test("an invocation is over when the extensions are done with it", async (t) => {
  const { invoke } = await start(t, "echo", { OBSERVER_DELAY: "300", OBSERVER_EVENTS: "INVOKE" });
  const { report, payload } = await invoke({ a: 1 });
  assert.equal(String(payload), '{"a":1}');
  assert.ok(report.duration >= 295, `${report.duration} ms`);
});

test("a timeout is told to extensions as the reason of the end", async (t) => {
  const { invoke, log } = await start(t, "sleeps", {}, 1);
  assert.equal((await invoke({ ms: 10_000 })).report.status, "timeout");
  assert.deepEqual(events(log()).at(-1), { eventType: "SHUTDOWN", shutdownReason: "timeout", inTime: true });
  assert.equal((await invoke({ ms: 1 })).functionError, undefined, "the next one starts all of them again");
});

test("an extension that crashes fails the invocation, and the next one starts afresh", async (t) => {
  const { invoke } = await start(t, "sleeps", { OBSERVER_CRASH: "INVOKE" });
  const { payload, requestId } = await invoke({ ms: 1000 });
  assert.deepEqual(JSON.parse(String(payload)), {
    errorType: "Extension.Crash",
    errorMessage: `RequestId: ${requestId} Error: observer: exit status 7`,
  });
});

test("an extension that does not end is killed at its deadline", async (t) => {
  const { lambda, invoke, log } = await start(t, "echo", { OBSERVER_DELAY: "60000", OBSERVER_EVENTS: "SHUTDOWN" });
  await invoke({});
  const started = performance.now();
  await lambda.stop();
  const took = performance.now() - started;
  assert.ok(took > 1800 && took < 8000, `${took} ms`);
  assert.deepEqual(events(log()).at(-1), { eventType: "SHUTDOWN", shutdownReason: "spindown", inTime: true });
});

test("a function can be its own extension, for invocations only and from its start only", async (t) => {
  const { invoke, log } = await startFunction(t, "registers-itself", { memorySize: 256 });
  const { payload, functionError } = await invoke({});
  assert.equal(functionError, undefined, log());
  assert.deepEqual(JSON.parse(String(payload)), {
    refused: "Extension.InvalidEventType",
    late: "Extension.RegistrationClosed",
  });
  await until("its own event is seen", () => /\tINFO\tinner INVOKE$/m.test(log()));
});
