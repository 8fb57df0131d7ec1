import assert from "node:assert/strict";
import test from "node:test";
import type { Zippable } from "fflate";
import { startFunction, writeZip } from "../../../helpers/function-zip.ts";

const text = (content: string): Uint8Array => Buffer.from(content);
const program = (content: string): [Uint8Array, object] => [text(content), { os: 3, attrs: 0o100755 << 16 }];
const ISOLATIONS = ["namespace", "process"] as const;

for (const isolation of ISOLATIONS) {
  test(`a bootstrap of the function's own is a runtime (${isolation})`, async (t) => {
    const layer = writeZip(t, { "layer.txt": text("from a layer") });
    const runtime = { runtime: "provided.al2023", handler: "any.thing", layers: [layer] };
    const { invoke, log } = await startFunction(t, "bootstrap", runtime, { isolation });
    for (const n of [1, 2]) {
      const { payload, functionError } = await invoke({ n });
      assert.equal(functionError, undefined, log());
      const opt = isolation === "namespace" ? "from a layer" : "";
      assert.deepEqual(JSON.parse(payload.toString()), { got: { n }, opt });
    }
    assert.match(log(), /^INIT_START Runtime Version: provided:al2023\.v1\t/);
    assert.match(log(), /^handling for any\.thing$/m);
  });

  test(`layers are at /opt, a later one over an earlier one (${isolation})`, async (t) => {
    const first: Zippable = {
      "nodejs/node_modules/one/index.js": text("exports.name = 'one';"),
      "nodejs/node_modules/two/index.js": text("exports.name = 'wrong';"),
    };
    const second: Zippable = { "nodejs/node_modules/two/index.js": text("exports.name = 'two';") };
    const code = writeZip(t, {
      "index.js": text("exports.handler = async () => [require('one').name, require('two').name];"),
    });
    const layers = [writeZip(t, first), writeZip(t, second)];
    const { invoke } = await startFunction(t, "layered", { code, layers }, { isolation });
    assert.deepEqual(JSON.parse(String((await invoke({})).payload)), ["one", "two"]);
  });

  test(`a wrapper script starts the runtime (${isolation})`, async (t) => {
    const layer = writeZip(t, { wrapper: program('#!/bin/sh\nexport WRAPPED="$#"\nexec "$@"\n') });
    const environment = { AWS_LAMBDA_EXEC_WRAPPER: "/opt/wrapper" };
    const { invoke } = await startFunction(t, "environment", { environment, layers: [layer] }, { isolation });
    const { env } = JSON.parse(String((await invoke({})).payload));
    assert.ok(Number(env.WRAPPED) >= 3, "the command of the runtime was its arguments");
  });
}

test("NODE_OPTIONS reach the function's Node.js", async (t) => {
  const environment = { NODE_OPTIONS: "--title=told-by-options" };
  const code = writeZip(t, { "index.js": text("exports.handler = async () => process.title;") });
  const { invoke } = await startFunction(t, "titled", { code, environment });
  assert.equal(String((await invoke({})).payload), '"told-by-options"');
});

const ENTRYPOINTS: readonly [string, Zippable, string][] = [
  ["none", { other: text("x") }, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"],
  ["not executable", { bootstrap: text("#!/bin/sh\n") }, "fork/exec /var/task/bootstrap: permission denied"],
  ["no program", { bootstrap: program("hello") }, "fork/exec /var/task/bootstrap: exec format error"],
];

for (const [what, files, reason] of ENTRYPOINTS)
  test(`an entry point that cannot be started is told as on AWS: ${what}`, async (t) => {
    const input = { code: writeZip(t, files), runtime: "provided.al2023" };
    const { invoke, log } = await startFunction(t, "entrypoint", input);
    const { payload, requestId, report } = await invoke({});
    assert.deepEqual(JSON.parse(payload.toString()), {
      errorType: "Runtime.InvalidEntrypoint",
      errorMessage: `RequestId: ${requestId} Error: ${reason}`,
    });
    assert.equal(report.errorType, "Runtime.InvalidEntrypoint");
    assert.match(
      log(),
      /INIT_REPORT Init Duration: .*Phase: init\tStatus: error\tError Type: Runtime\.InvalidEntrypoint/,
    );
  });

test("nodejs22.x takes callbacks and settles what never settles, as version 3 of AWS's client does", async (t) => {
  const callback = await startFunction(t, "callback", { runtime: "nodejs22.x" });
  const { payload, functionError } = await callback.invoke({});
  assert.equal(functionError, undefined, String(payload));
  const never = await startFunction(t, "never-settles", { runtime: "nodejs22.x" });
  assert.equal(String((await never.invoke({})).payload), "null");
  assert.doesNotMatch(never.log(), /Executing '/);
  const environment = await startFunction(t, "environment", { runtime: "nodejs22.x" });
  const { env } = JSON.parse(String((await environment.invoke({})).payload));
  assert.equal(env.AWS_EXECUTION_ENV, "AWS_Lambda_nodejs22.x");
  assert.match(env.NODE_PATH, /^\/opt\/nodejs\/node22\/node_modules:/);
});

test("a layer that is not there is named", async (t) => {
  const layers = ["/nowhere/layer.zip"];
  await assert.rejects(
    startFunction(t, "echo", { layers }),
    /layer: expected a zip file or a folder, found nothing at \/nowhere/,
  );
});

test("the AWS SDK that AWS's runtimes bring along is there for the code that asks for it", async (t) => {
  for (const [name, isolation] of [
    ["uses-sdk", "namespace"],
    ["uses-sdk-as-module", "namespace"],
    ["uses-sdk", "process"],
  ] as const)
    for (const runtime of ["nodejs24.x", "nodejs22.x"]) {
      const { invoke, log } = await startFunction(t, name, { runtime, timeout: 10 }, { isolation });
      assert.equal(String((await invoke({})).payload), '"STS"', `${name} ${runtime} ${isolation} ${log()}`);
    }
});

test("a wrapper that is not there ends the runtime as a shell would", async (t) => {
  const { invoke } = await startFunction(t, "echo", { environment: { AWS_LAMBDA_EXEC_WRAPPER: "/idontexist.sh" } });
  const { payload, requestId } = await invoke({});
  assert.deepEqual(JSON.parse(String(payload)), {
    errorType: "Runtime.ExitError",
    errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 127`,
  });
});

test("a bootstrap gets the variables of AWS's own runtimes but for those of a language", async (t) => {
  const bootstrap = `#!/bin/bash
exec 9<>"/dev/tcp/\${AWS_LAMBDA_RUNTIME_API/:/\\/}"
printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&9
env | sort
exit 1
`;
  const { invoke, log } = await startFunction(t, "environment", {
    code: writeZip(t, { bootstrap: program(bootstrap) }),
    runtime: "provided.al2023",
  });
  await invoke({});
  assert.match(log(), /^PATH=\/usr\/local\/bin:\/usr\/bin\/:\/bin:\/opt\/bin$/m);
  assert.match(log(), /^LD_LIBRARY_PATH=\/lib64:\/usr\/lib64:/m);
  assert.doesNotMatch(log(), /^(AWS_EXECUTION_ENV|NODE_PATH|_LAMBDA_TELEMETRY_LOG_FD)=/m);
});
