import assert from "node:assert/strict";
import test from "node:test";
import { startFunction } from "../../../helpers/function-zip.ts";

interface Line {
  readonly type?: string;
  readonly level?: string;
  readonly message?: string;
  readonly record?: Record<string, unknown>;
}

/** The lines that are JSON; what the function writes itself stays as it is. */
function parseLines(log: string): Line[] {
  return log
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

for (const runtime of ["nodejs24.x", "nodejs22.x"])
  test(`in JSON format platform and console lines are objects (${runtime})`, async (t) => {
    const { invoke, log } = await startFunction(t, "logs", { logFormat: "JSON", runtime });
    const { requestId, logTail } = await invoke({});
    const lines = parseLines(log());
    assert.deepEqual(
      lines.map(({ type, level }) => type ?? level),
      ["platform.initStart", "platform.start", "INFO", "ERROR", "platform.report"],
    );
    assert.equal(lines[2]?.message, "two\nlines");
    assert.deepEqual(lines[1]?.record, { requestId, version: "$LATEST" });
    const { metrics = {}, ...report } = lines[4]?.record ?? {};
    assert.deepEqual(report, { requestId, status: "success" });
    assert.deepEqual(Object.keys(Object(metrics)), [
      "durationMs",
      "billedDurationMs",
      "memorySizeMB",
      "maxMemoryUsedMB",
      "initDurationMs",
    ]);
    assert.match(log(), /^raw stdout$/m);
    assert.match(logTail.toString(), /^\{"time":"[^"]+","type":"platform\.start"/);
  });

test("levels leave out what is below them, on both sides", async (t) => {
  const levels = { logFormat: "JSON", applicationLogLevel: "ERROR", systemLogLevel: "WARN" } as const;
  const { invoke, log } = await startFunction(t, "logs", levels);
  await invoke({});
  assert.deepEqual(
    parseLines(log()).map(({ type, level }) => type ?? level),
    ["ERROR"],
  );
  const debug = await startFunction(t, "logs", { logFormat: "JSON", systemLogLevel: "DEBUG" });
  await debug.invoke({});
  assert.match(
    debug.log(),
    /"type":"platform\.initRuntimeDone","record":\{"initializationType":"on-demand","phase":"init","status":"success"\}/,
  );
  assert.match(debug.log(), /"type":"platform\.runtimeDone"/);
});

test("what goes wrong is a warning, with its error type", async (t) => {
  const { invoke, log } = await startFunction(t, "exits", { logFormat: "JSON", systemLogLevel: "WARN" });
  await invoke({ code: 3 });
  const lines = parseLines(log());
  assert.deepEqual(
    lines.map(({ type }) => type),
    ["platform.runtimeDone", "platform.report"],
  );
  assert.deepEqual([lines[1]?.record?.status, lines[1]?.record?.errorType], ["error", "Runtime.ExitError"]);
  assert.doesNotMatch(log(), /RequestId: /);
});
