/** The local Lambda as a tool of its own: anybody's function, no Pigeon, no broker. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT, run } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";
import { zipFiles } from "../helpers/zip.ts";

const FUNCTIONS = join(ROOT, "test", "functions");

test("invoke prints the result alone on stdout, everything else on stderr", async (t) => {
  const zip = zipFiles(t, join(FUNCTIONS, "logs"));
  const { code, stdout, stderr } = await run("local-lambda", ["invoke", "--zip", zip], { input: "{}" });
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "null\n" });
  assert.match(
    stderr,
    /^nodejs24\.x: [\s\S]*\nSTART RequestId: [\s\S]*raw stdout\n[\s\S]*\nEND RequestId: .*\nREPORT RequestId: .*\t\n$/,
  );
});

test("a folder, a handler, variables, memory and timeout are the function's", async () => {
  const args = [
    "invoke",
    "--zip",
    join(FUNCTIONS, "environment"),
    "--handler",
    "index.handler",
    "--memory",
    "256",
    "--timeout",
    "5",
  ];
  const { stdout } = await run("local-lambda", [...args, "--env", "ONE=1", "--env", "TWO=a=b"], { input: "{}" });
  const { env } = JSON.parse(stdout);
  assert.deepEqual([env.ONE, env.TWO, env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE], ["1", "a=b", "256"]);
});

test("a function error is exit code 1, its object on stdout", async () => {
  const { code, stdout } = await run("local-lambda", ["invoke", "--zip", join(FUNCTIONS, "throws")], {
    input: '{"message":"x"}',
  });
  assert.equal(code, 1);
  assert.equal(JSON.parse(stdout).errorMessage, "x");
});

test("--json gives status, payload and the figures of REPORT", async () => {
  const { stdout } = await run("local-lambda", ["invoke", "--json", "--zip", join(FUNCTIONS, "echo")], {
    input: '{"a":1}',
  });
  const { StatusCode, ExecutedVersion, RequestId, FunctionError, Payload, Report } = JSON.parse(stdout);
  assert.deepEqual(
    { StatusCode, ExecutedVersion, FunctionError, Payload },
    { StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: undefined, Payload: { a: 1 } },
  );
  assert.equal(Report.requestId, RequestId);
  assert.ok(Report.billedDuration >= Report.duration + Report.initDuration);
});

test("serve says when it is ready, answers AWS's SDK, and stops on SIGTERM", async (t) => {
  const args = ["serve", "--port", "0", "--name", "counter", "--zip", zipFiles(t, join(FUNCTIONS, "counts"))];
  const server = new BackgroundProgram(t, "local-lambda", args);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\/\/127\.0\.0\.1:\d+)$/m);
  const client = new LambdaClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
  t.after(() => client.destroy());
  for (const count of [1, 2]) {
    const answer = await client.send(new InvokeCommand({ FunctionName: "counter", Payload: Buffer.from("{}") }));
    assert.equal(JSON.parse(answer.Payload?.transformToString() ?? "").count, count);
  }
  const { pid } = JSON.parse(
    (await client.send(new InvokeCommand({ FunctionName: "counter" }))).Payload?.transformToString() ?? "",
  );
  assert.equal(await server.stop("SIGTERM"), 0);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" }, "the function's process is gone");
  assert.equal(server.output.match(/^REPORT /gm)?.length, 3);
});

test("a server that is killed leaves no process of its functions, frozen ones included", async (t) => {
  const args = ["serve", "--port", "0", "--zip", zipFiles(t, join(FUNCTIONS, "counts"))];
  const server = new BackgroundProgram(t, "local-lambda", args);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const answer = await fetch(`${endpoint}/2015-03-31/functions/function/invocations`, { method: "POST", body: "{}" });
  const { pid } = (await answer.json()) as { pid: number };
  await server.stop("SIGKILL");
  await until("the function's process is gone", () => !existsSync(`/proc/${pid}`) || commandLine(pid) === "");
});

/** Empty for a process that has ended, though nobody has asked how. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
