/** The README is the documentation: its blocks are run as a reader would run them, and must print what it says. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { COLLECTOR_OPTIONS } from "../src/collector/configuration.ts";
import { formatOptionsTable } from "../src/ops/options.ts";
import { PIGEON_OPTIONS } from "../src/pigeon/configuration.ts";
import { ROOT } from "./helpers/program.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

/** A block that is run and, if one follows, the block of what it prints. */
const BLOCKS = [...readme.matchAll(/^```sh\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm)].map(
  ([, script = "", expected]) => ({
    script: script.trim(),
    expected,
  }),
);

/** What is not run as it stands: installing again under the running tests, the tests within the tests, staying for ever. */
const INSTEAD: Readonly<Record<string, string>> = {
  "npm ci && npm start": "npm start -- --once --s3-port 0 --lambda-port 0 --collector-port 0",
  "npm ci && npm test": "test -f package-lock.json",
};

const state = mkdtempSync(join(tmpdir(), "pigeon-readme-"));
// The reader's own configuration: no variable of the test run.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PIGEON_|TEST_|NODE_)/.test(name)));
Object.assign(env, { PIGEON_STATE_DIRECTORY: state });

after(async () => {
  await run("npx pigeon down");
  rmSync(state, { recursive: true, force: true });
});

async function run(script: string): Promise<{ code: number | null; stdout: string; output: string }> {
  const child = spawn("/bin/sh", ["-e", "-c", script], { cwd: ROOT, env });
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, output };
}

/** `<name>` stands for anything. */
function toPattern(line: string): RegExp {
  const parts = line
    .split(/<[a-z]+>/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(" ", "\\s"));
  return new RegExp(`^${parts.join(".+")}\\s*$`);
}

test("the README has blocks, and what they need stands before line 40", () => {
  assert.ok(BLOCKS.length >= 7);
  assert.ok(readme.slice(0, readme.indexOf("npm ci && npm start")).split("\n").length < 40);
});

for (const { script, expected } of BLOCKS) {
  test(`README: ${script.split("\n").join("; ")}`, async () => {
    const { code, stdout, output } = await run(INSTEAD[script] ?? script);
    assert.equal(code, 0, output);
    const lines = stdout.split("\n");
    for (const line of (expected ?? "").split("\n").filter((text) => text !== "")) {
      const at = lines.findIndex((text) => toPattern(line).test(text));
      assert.notEqual(at, -1, `expected, in its place: ${line}\nprinted:\n${stdout}`);
      lines.splice(0, at + 1);
    }
  });
}

test("the tables of variables are the configurations'", () => {
  for (const options of [PIGEON_OPTIONS, COLLECTOR_OPTIONS])
    assert.ok(readme.includes(formatOptionsTable(options)), `expected in the README:\n${formatOptionsTable(options)}`);
});
