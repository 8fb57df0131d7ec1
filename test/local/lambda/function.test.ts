import assert from "node:assert/strict";
import test from "node:test";
import { type FunctionInput, functionArn, makeFunctionConfiguration } from "../../../src/local/lambda/function.ts";
import { ConfigurationError } from "../../../src/ops/errors.ts";

function problems(input: FunctionInput): readonly string[] {
  try {
    makeFunctionConfiguration({ code: "f.zip", ...input });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
}

test("the defaults are AWS's", () => {
  const { memorySize, timeout, handler, runtime } = makeFunctionConfiguration({ code: "f.zip", timeout: undefined });
  assert.deepEqual(
    { memorySize, timeout, handler, runtime },
    { memorySize: 128, timeout: 3, handler: "index.handler", runtime: "nodejs24.x" },
  );
});

test("every problem is named with what was expected and what came", () => {
  const found = problems({ code: "", name: "a b", handler: "", runtime: "nodejs6.x", memorySize: 64, timeout: 901 });
  assert.deepEqual(found, [
    'code: expected the path of a zip file or a folder, got ""',
    'function name: expected 1 to 64 letters, digits, - or _, got "a b"',
    'handler: expected 1 to 128 characters without white space, got ""',
    'runtime: expected one of nodejs24.x, nodejs22.x, provided.al2023, got "nodejs6.x"',
    "memory size: expected whole MB from 128 to 10240, got 64",
    "timeout: expected whole seconds from 1 to 900, got 901",
  ]);
});

test("environment variables follow AWS's rules", () => {
  assert.deepEqual(problems({ environment: { AWS_REGION: "eu-west-1", AWS_ACCESS_KEY_ID: "x", OWN: "1" } }), []);
  assert.match(problems({ environment: { _HANDLER: "x" } })[0] ?? "", /expected a letter/);
  assert.match(problems({ environment: { LAMBDA_TASK_ROOT: "x" } })[0] ?? "", /LAMBDA_TASK_ROOT: reserved/);
  assert.match(problems({ environment: { A: "x" } })[0] ?? "", /expected a letter, then/);
  assert.match(problems({ environment: { AB: "x".repeat(4095) } })[0] ?? "", /at most 4096 bytes together, got 4097/);
});

test("the ARN is the function's", () => {
  const fn = makeFunctionConfiguration({ code: "f.zip", name: "pigeon", region: "eu-west-1" });
  assert.equal(functionArn(fn), "arn:aws:lambda:eu-west-1:123456789012:function:pigeon");
});
