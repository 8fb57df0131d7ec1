import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test, { type TestContext } from "node:test";
import { chooseIsolation, describeIsolation } from "../../../../src/local/lambda/sandbox/isolation.ts";
import { MemoryGroup } from "../../../../src/local/lambda/sandbox/memory-group.ts";
import { makeFolder, startFunction } from "../../../helpers/function-zip.ts";
import { ROOT, run } from "../../../helpers/program.ts";

const isRoot = process.getuid?.() === 0;
const PATHS = ["/var/task", "/opt", "/tmp", "/lambda-entrypoint.sh"];
const WRITES = ["TASK/x", "/x", "/usr/x", "/tmp/x", "/opt/x"];
const EXIT = {
  errorType: "Runtime.ExitError",
  message: /^RequestId: \S+ Error: Runtime exited with error: signal: killed$/,
};

async function introspect(t: TestContext, isolation: "namespace" | "process") {
  const { invoke, log } = await startFunction(t, "introspects", { ephemeralStorage: 600 }, { isolation });
  const result = await invoke({ paths: isolation === "namespace" ? PATHS : ["/tmp"], writes: WRITES });
  assert.equal(result.functionError, undefined, log());
  return JSON.parse(result.payload.toString());
}

function limitOf(limits: string, name: string): string[] {
  return new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, "m").exec(limits)?.slice(1) ?? [];
}

test("in namespaces a function sees what AWS shows it, and can write nothing but /tmp", async (t) => {
  const seen = await introspect(t, "namespace");
  assert.deepEqual(seen.writes, {
    "TASK/x": "EROFS",
    "/x": "EROFS",
    "/usr/x": "EROFS",
    "/opt/x": "EROFS",
    "/tmp/x": "written",
  });
  assert.deepEqual([seen.user.uid, seen.user.gid, seen.user.username], [993, 990, "sbx_user1051"]);
  assert.equal(seen.tmp, 600 * 1024 * 1024);
  const modes = Object.values(seen.paths as Record<string, { mode: string }>).map(({ mode }) => mode);
  assert.deepEqual(modes, ["40755", "40755", "41777", "100755"]);
  if (isRoot) assert.ok(PATHS.every((path) => seen.paths[path].uid === 0 && seen.paths[path].gid === 0));
  assert.deepEqual(limitOf(seen.limits, "Max open files"), ["1024", "1024"]);
  assert.deepEqual(limitOf(seen.limits, "Max processes"), ["742", "742"]);
  assert.deepEqual(limitOf(seen.limits, "Max locked memory"), ["65536", "65536"]);
  assert.deepEqual(limitOf(seen.limits, "Max stack size"), ["8388608", "unlimited"]);
  assert.deepEqual(limitOf(seen.limits, "Max core file size"), ["10737418240", "10737418240"]);
  assert.match(seen.status, /^CapEff:\s+0+$/m);
  assert.match(seen.status, /^NoNewPrivs:\s+1$/m);
});

test("a plain process is this user's, with a limit on open files", async (t) => {
  const seen = await introspect(t, "process");
  assert.equal(seen.user.uid, process.getuid?.());
  assert.deepEqual(limitOf(seen.limits, "Max open files"), ["1024", "1024"]);
});

test("/tmp survives a crash and a timeout, and belongs to one environment alone", async (t) => {
  const { invoke, lambda } = await startFunction(t, "writes-tmp", { timeout: 1 }, { isolation: "namespace" });
  assert.equal((await invoke({ name: "a", next: "exit" })).functionError, "Unhandled");
  assert.equal((await invoke({ name: "a", next: "wait", ms: 5000 })).report.status, "timeout");
  const [first, second] = await Promise.all([invoke({ name: "a", next: "wait", ms: 300 }), invoke({ name: "b" })]);
  assert.deepEqual([String(first?.payload), String(second?.payload)], ["true", "false"]);
  const other = await startFunction(t, "writes-tmp", { code: lambda.fn.code }, { isolation: "namespace" });
  assert.equal(String((await other.invoke({ name: "a" })).payload), "false");
});

for (const isolation of ["namespace", "process"] as const)
  test(`a function that takes too much memory is killed as on AWS (${isolation})`, async (t) => {
    const { invoke, log } = await startFunction(t, "exhausts-memory", { timeout: 20 }, { isolation });
    const { payload, functionError, report } = await invoke({ megabytes: 512 });
    const { errorType, errorMessage } = JSON.parse(payload.toString());
    assert.equal(functionError, "Unhandled");
    assert.equal(errorType, EXIT.errorType);
    assert.match(errorMessage, EXIT.message);
    assert.deepEqual([report.status, report.errorType], ["error", "Runtime.OutOfMemory"]);
    assert.match(
      log(),
      /Memory Size: 128 MB\tMax Memory Used: 128 MB\tInit Duration: \S+ ms\tStatus: error\tError Type: Runtime.OutOfMemory\n/,
    );
    assert.equal(String((await invoke({ megabytes: 8 })).payload), "1", "the next invocation has a fresh process");
  });

test("without control groups memory is looked at, and the limit is kept all the same", async (t) => {
  t.mock.method(MemoryGroup, "create", () => undefined);
  const { invoke } = await startFunction(t, "exhausts-memory", { timeout: 20 });
  assert.equal((await invoke({ megabytes: 512 })).report.errorType, "Runtime.OutOfMemory");
});

test("what is in force is said", async () => {
  assert.match(describeIsolation(await chooseIsolation("namespace")), /^isolation: namespaces \(read-only \/var\/task/);
  assert.match(describeIsolation(await chooseIsolation("process")), /^isolation: a plain process \(asked for\)/);
});

test("an odd path is mounted all the same", async (t) => {
  const folder = join(makeFolder(t), "a folder # with \\ and\ttab");
  mkdirSync(folder);
  writeFileSync(join(folder, "index.js"), "exports.handler = async () => 1;");
  const { invoke } = await startFunction(t, "echo", { code: folder }, { isolation: "namespace" });
  assert.equal(String((await invoke({})).payload), "1");
});

test("what a killed local Lambda has left of control groups is removed by the next", async (t) => {
  const own = MemoryGroup.create(128 * 1024 * 1024);
  if (own === undefined) return; // this user may not make any
  t.after(() => own.remove());
  const left = `${dirname(own.directory)}/local-lambda-999999999-0`;
  mkdirSync(left);
  const zip = join(ROOT, "test", "functions", "echo");
  assert.equal((await run("local-lambda", ["invoke", "--zip", zip])).code, 0);
  assert.deepEqual([existsSync(left), existsSync(own.directory)], [false, true]);
});
