import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { watchCode } from "../../../src/local/lambda/code/code-watch.ts";
import { makeFolder, startFunction, zipFunction } from "../../helpers/function-zip.ts";
import { until } from "../../helpers/until.ts";

const parse = (payload: Buffer): Record<string, number> => JSON.parse(payload.toString());

test("one after the other share an environment, at the same time each has its own", async (t) => {
  const { invoke } = await startFunction(t, "counts");
  const first = parse((await invoke({})).payload);
  const second = parse((await invoke({})).payload);
  assert.deepEqual(second, { count: 2, pid: first.pid });
  const both = (await Promise.all([invoke({ ms: 100 }), invoke({ ms: 100 })])).map(({ payload }) => parse(payload).pid);
  assert.equal(new Set(both).size, 2);
});

test("above the limit an invocation is refused, and the limit is free again after", async (t) => {
  const { invoke } = await startFunction(t, "counts", {}, { concurrency: 1 });
  const running = invoke({ ms: 200 });
  await assert.rejects(invoke({}), { name: "TooManyRequestsError", code: "ERR_TOO_MANY_REQUESTS" });
  await running;
  assert.equal((await invoke({})).functionError, undefined);
});

/** The state of a process as the kernel names it: T is stopped. */
const stateOf = (pid = 0): string | undefined => readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0];

test("between invocations the processes stand still, and go on with the next", async (t) => {
  const { invoke } = await startFunction(t, "ticks");
  const { pid, ticks } = parse((await invoke({ ms: 50 })).payload);
  await until("it is stopped", () => stateOf(pid) === "T");
  const soon = performance.now() + 300;
  await until("60 ticks' time has passed", () => performance.now() > soon);
  const later = parse((await invoke({ ms: 0 })).payload);
  assert.equal(later.pid, pid);
  assert.ok((later.ticks ?? 0) - (ticks ?? 0) <= 3, `${ticks} ticks, then ${later.ticks}`);
});

test("without freezing they run on", async (t) => {
  const { invoke } = await startFunction(t, "ticks", {}, { freeze: false });
  const { pid, ticks = 0 } = parse((await invoke({ ms: 0 })).payload);
  assert.notEqual(stateOf(pid), "T");
  await until("time has passed for it", async () => (parse((await invoke({ ms: 20 })).payload).ticks ?? 0) > ticks + 5);
});

test("a frozen environment can be ended", async (t) => {
  const { lambda, invoke } = await startFunction(t, "ticks");
  const { pid } = parse((await invoke({ ms: 0 })).payload);
  await until("it is stopped", () => stateOf(pid) === "T");
  await lambda.stop();
  assert.throws(() => process.kill(pid ?? 0, 0), { code: "ESRCH" });
});

test("new code takes effect with the next invocation and disturbs none under way", async (t) => {
  const { lambda, invoke } = await startFunction(t, "counts", { timeout: 10 });
  const running = invoke({ ms: 300 });
  await lambda.updateCode(zipFunction(t, "echo"));
  assert.equal((await invoke({ new: true })).payload.toString(), '{"new":true}');
  assert.equal(parse((await running).payload).count, 1);
  assert.equal((await invoke(1)).payload.toString(), "1");
});

test("code that cannot be read leaves the old one in place", async (t) => {
  const { lambda, invoke } = await startFunction(t, "counts");
  await assert.rejects(lambda.updateCode("nowhere.zip"), /found nothing at nowhere\.zip/);
  assert.equal(parse((await invoke({})).payload).count, 1);
});

test("kill ends what is under way, as a crash, and removes the code", async (t) => {
  const { lambda } = await startFunction(t, "environment");
  const sleeping = await startFunction(t, "sleeps", { timeout: 60 });
  const running = sleeping.invoke({ ms: 60_000 });
  await until("it runs", () => sleeping.log().includes("START"));
  await sleeping.lambda.kill();
  assert.match((await running).payload.toString(), /signal: killed/);
  assert.ok(existsSync(lambda.code.directory));
  await lambda.stop();
  assert.equal(existsSync(lambda.code.directory), false);
});

test("an environment that nobody uses is ended, and the next invocation starts another", async (t) => {
  const { invoke } = await startFunction(t, "counts", {}, { idleTimeout: 0.2 });
  const { pid } = parse((await invoke({})).payload);
  await until("the idle process is gone", () => !existsSync(`/proc/${pid}/stat`));
  assert.equal(parse((await invoke({})).payload).count, 1);
});

test("new code comes from the watched zip or folder", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "index.js"), "exports.handler = async () => 1;");
  const zip = zipFunction(t, "echo");
  for (const [code, change, answers] of [
    [folder, () => writeFileSync(join(folder, "index.js"), "exports.handler = async () => 2;"), ["1", "2"]],
    [zip, () => renameSync(zipFunction(t, "esm"), zip), ['{"a":1}', "42"]],
  ] as const) {
    const handler = "index.handler";
    const { lambda, invoke } = await startFunction(t, "watched", { code, handler });
    const said: string[] = [];
    const stop = watchCode(lambda, (sentence) => said.push(sentence));
    t.after(stop);
    assert.equal(String((await invoke({ a: 1 })).payload), answers[0]);
    change();
    await until("the change is taken", () => said.length > 0);
    assert.deepEqual(said, [`watched: new code from ${code}`]);
    assert.equal(String((await invoke({ a: 1 })).payload), answers[1]);
  }
});

test("a watched zip that is no zip leaves the old code in place, and says so", async (t) => {
  const zip = zipFunction(t, "echo");
  const { lambda, invoke } = await startFunction(t, "watched", { code: zip });
  const said: string[] = [];
  t.after(watchCode(lambda, (sentence) => said.push(sentence)));
  writeFileSync(zip, "no zip");
  await until("it is said", () => said.length > 0);
  assert.match(said[0] ?? "", /^watched: the old code stays: .*expected a zip file/);
  assert.equal(String((await invoke(7)).payload), "7");
});
