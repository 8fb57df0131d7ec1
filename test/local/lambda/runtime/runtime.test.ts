import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { describeRuntime, findRuntime, type NodejsRuntime } from "../../../../src/local/lambda/runtime/runtime.ts";

const say = (): void => {};

async function findNodejs(identifier: string, environment?: NodeJS.ProcessEnv): Promise<NodejsRuntime> {
  const { nodejs } = await findRuntime(identifier, say, environment);
  assert.ok(nodejs);
  return nodejs;
}

for (const [identifier, major, client] of [
  ["nodejs24.x", 24, "4.0.2"],
  ["nodejs22.x", 22, "3.3.0"],
] as const)
  test(`${identifier} is Node.js ${major} with AWS's runtime client ${client}`, async () => {
    const nodejs = await findNodejs(identifier);
    assert.match(nodejs.nodeVersion, new RegExp(`^v${major}\\.`));
    const node = join(nodejs.lang, "bin", "node");
    assert.equal(execFileSync(node, ["--version"], { encoding: "utf8" }).trim(), nodejs.nodeVersion);
    assert.equal(nodejs.clientVersion, client);
  });

test("which addon is in use can be chosen, and is said", async () => {
  const standIn = await findNodejs("nodejs24.x", { LOCAL_LAMBDA_ADDON: "stand-in" });
  const describe = (nodejs: NodejsRuntime): string => describeRuntime({ identifier: "nodejs24.x", nodejs });
  assert.match(describe(standIn), /^nodejs24\.x: Node\.js v24.*aws-lambda-ric 4\.0\.2 with a JavaScript stand-in/);
  assert.match(describe({ ...standIn, addon: "native" }), /with its native addon$/);
  await assert.rejects(
    findRuntime("nodejs24.x", say, { LOCAL_LAMBDA_ADDON: "fast" }),
    /expected auto, native or stand-in, got "fast"/,
  );
});

test("a runtime that is not supported is refused by name", async () => {
  await assert.rejects(findRuntime("python3.14", say), /expected one of nodejs24\.x, .*, got "python3\.14"/);
});
