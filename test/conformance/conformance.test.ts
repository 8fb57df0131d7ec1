/** Every recorded answer of AWS against ours, on each runtime; the table at the end says what agrees. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, type TestContext } from "node:test";
import { ROOT } from "../helpers/program.ts";
import { CASES } from "./cases.ts";
import { compare, type Difference } from "./comparison.ts";
import { RECORDED, type Recording } from "./recorded.ts";
import { S3_CASES } from "./s3-cases.ts";

const RUNTIMES = ["nodejs24.x", "nodejs22.x"];

interface Row {
  readonly name: string;
  readonly where: string;
  readonly result: string;
}

const rows: Row[] = [];

after(() => {
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, where, result } of rows) console.log(`${name.padEnd(width)}  ${where.padEnd(10)}  ${result}`);
  const agreeing = rows.filter(({ result }) => result.startsWith("agrees")).length;
  console.log(`${agreeing} of ${rows.length} agree`);
});

/** Differences that are no caveat fail, and so does a caveat that is none any more. */
function judge(
  recording: Recording,
  where: string,
  ours: unknown,
  caveats: Readonly<Record<string, string>> = {},
): void {
  const differences = compare(RECORDED[recording], ours);
  const unexpected = differences.filter(({ path }) => !(path in caveats));
  const stale = Object.keys(caveats).filter((path) => !differences.some((difference) => difference.path === path));
  const result =
    unexpected.length > 0
      ? unexpected.map(describe).join("; ")
      : ["agrees", ...Object.values(caveats).map((reason) => `but: ${reason}`)].join(", ");
  rows.push({ name: recording, where, result });
  assert.deepEqual(unexpected, [], recording);
  assert.deepEqual(stale, [], "a caveat that is none");
}

function describe({ path, recorded, ours }: Difference): string {
  return `${path}: AWS ${JSON.stringify(recorded)}, ours ${JSON.stringify(ours)}`;
}

for (const { recording, runtime: only, ask, caveats } of CASES)
  for (const runtime of RUNTIMES.filter((each) => only === undefined || each === only))
    test(`${recording} (${runtime})`, async (t: TestContext) =>
      judge(recording, runtime, await ask(t, runtime), caveats));

for (const { recording, ask } of S3_CASES)
  test(`${recording} (S3)`, async (t: TestContext) => judge(recording, "S3", await ask(t)));

test("a difference is seen: in a value, in a member too many, in one too few", () => {
  assert.deepEqual(compare({ a: "x <y> z" }, { a: "x 1 z" }), []);
  assert.equal(compare({ a: "x <y> z" }, { a: "x 1" }).length, 1);
  assert.deepEqual(compare({ a: { b: 1 } }, { a: { b: 2 } }), [{ path: "a.b", recorded: 1, ours: 2 }]);
  assert.equal(compare({ a: 1 }, { a: 1, b: 1 }).length, 1);
  assert.equal(compare({ a: 1, b: 1 }, { a: 1 }).length, 1);
  assert.equal(compare([1, 2], [1]).length, 1);
});

const ORACLE = join(ROOT, "..", "shared", "oracle", "aws-recorded.json");

/** Every text of a value that is long enough to be somebody's words. */
function texts(value: unknown): string[] {
  if (typeof value === "string") return value.length > 3 ? [value] : [];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(texts) : [];
}

test("what is restated here is what was recorded, where the recordings are at hand", () => {
  if (!existsSync(ORACLE)) return;
  const recorded = new Set(texts(JSON.parse(readFileSync(ORACLE, "utf8"))));
  const own = /^(SIGNATURE|<e-tag>(-1)?)$/;
  const invented = texts(RECORDED).filter((text) => !recorded.has(text) && !own.test(text));
  assert.deepEqual(invented, []);
});
