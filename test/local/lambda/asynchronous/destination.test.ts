import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { appendLines, makeFileDestination } from "../../../../src/local/lambda/asynchronous/destination.ts";

function makePath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "kept.jsonl");
}

test("records and dead letters are lines of their own", async (t) => {
  const path = makePath(t);
  const destination = makeFileDestination(path);
  await destination({ body: '{"a":1}', attributes: {} });
  await destination({ body: "[2]", attributes: { RequestID: "r" } });
  assert.equal(readFileSync(path, "utf8"), '{"a":1}\n{"MessageBody":"[2]","MessageAttributes":{"RequestID":"r"}}\n');
});

test("a line that was cut short by a kill spoils no other", async (t) => {
  const path = makePath(t);
  writeFileSync(path, '{"a":1}\n{"requestPay');
  await appendLines(path, ['{"b":2}', '{"c":3}']);
  assert.equal(readFileSync(path, "utf8"), '{"a":1}\n{"requestPay\n{"b":2}\n{"c":3}\n');
});

test("no lines make no file", async (t) => {
  const path = makePath(t);
  await appendLines(path, []);
  assert.throws(() => readFileSync(path), /ENOENT/);
});
