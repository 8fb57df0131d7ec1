import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { describeRuntime, findRuntime } from "../../../src/local/lambda/runtime.ts";

test("nodejs24.x is Node.js 24 with AWS's runtime client 4", () => {
  const runtime = findRuntime("nodejs24.x");
  assert.match(runtime.nodeVersion, /^v24\./);
  assert.equal(execFileSync(runtime.node, ["--version"], { encoding: "utf8" }).trim(), runtime.nodeVersion);
  assert.equal(runtime.clientVersion, "4.0.2");
});

test("which addon is in use can be chosen, and is said", () => {
  const standIn = findRuntime("nodejs24.x", { LOCAL_LAMBDA_ADDON: "stand-in" });
  assert.match(
    describeRuntime(standIn),
    /^nodejs24\.x: Node\.js v24.*aws-lambda-ric 4\.0\.2 with a JavaScript stand-in/,
  );
  assert.match(describeRuntime({ ...standIn, addon: "native" }), /with its native addon$/);
  assert.throws(
    () => findRuntime("nodejs24.x", { LOCAL_LAMBDA_ADDON: "fast" }),
    /expected auto, native or stand-in, got "fast"/,
  );
});
