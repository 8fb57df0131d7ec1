import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { makeLog } from "../../src/ops/log.ts";

function logged(msg: string): string {
  let text = "";
  makeLog("pigeon", (line) => {
    text += line;
  })("info", msg);
  return text;
}

test("a line is one JSON object with mozlog's fields", () => {
  const before = Date.now();
  const line = logged("hello");
  assert.match(line, /^\{.*\}\n$/);
  const { Timestamp, ...rest } = JSON.parse(line);
  assert.deepEqual(Object.keys(rest), ["Type", "Logger", "Hostname", "EnvVersion", "Severity", "Pid", "Fields"]);
  assert.equal(rest.Type, "pigeon");
  assert.equal(rest.Logger, "pigeon");
  assert.equal(rest.EnvVersion, "2.0");
  assert.equal(rest.Severity, 6);
  assert.equal(rest.Pid, process.pid);
  assert.deepEqual(rest.Fields, { msg: "hello" });
  assert.match(line, /"Timestamp":\d{19},/);
  assert.ok(Math.abs(Timestamp / 1e6 - before) < 10_000);
});

test("no text adds a line, blanks one, or speaks to the terminal", () => {
  const hostile = fc.constantFrom(
    "\n",
    "\r",
    "\u001b[2J",
    "\u009b2J",
    "\u007f",
    "\u2028",
    "\u202e",
    "\u0085",
    "{",
    "}",
    '"',
    "|",
    "\\",
  );
  const text = fc.array(fc.oneof(hostile, fc.string({ unit: "binary" }))).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, (msg) => {
      const line = logged(msg);
      assert.equal(line.indexOf("\n"), line.length - 1);
      assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
      if (msg.isWellFormed()) assert.equal(JSON.parse(line).Fields.msg, msg);
    }),
  );
});

test("a text of 100 kB is cut, and its length told", () => {
  const { msg } = JSON.parse(logged("x".repeat(100_000))).Fields;
  assert.equal(msg, `${"x".repeat(2048)}... (100000 characters)`);
});

test("fields stand beside msg, and severities are syslog's", () => {
  const lines: string[] = [];
  const log = makeLog("pigeon", (line) => lines.push(line));
  log("error", "a", { count: 2 });
  log("warning", "b");
  log("debug", "c");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).Severity),
    [3, 4, 7],
  );
  assert.deepEqual(JSON.parse(lines[0] ?? "").Fields, { msg: "a", count: 2 });
});
