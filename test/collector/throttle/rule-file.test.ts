import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { readRules } from "../../../src/collector/throttle/rule-file.ts";
import { ConfigurationError } from "../../../src/ops/errors.ts";
import { makeFolder } from "../../helpers/function-zip.ts";

const problemsOf = async (source: string): Promise<readonly string[]> => {
  try {
    await readRules(source);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    return error.problems;
  }
  return [];
};

test("the presets have names", async () => {
  assert.deepEqual(
    (await readRules("accept-everything")).map(({ name }) => name),
    ["accept_everything"],
  );
  assert.equal((await readRules("mozilla")).at(-1)?.name, "accept_everything");
});

test("a JSON file and a TypeScript module", async (t) => {
  const folder = makeFolder(t);
  const json = join(folder, "rules.json");
  const rule = {
    name: "beta",
    when: { all: [{ annotation: "Channel", oneOf: ["beta"] }, { not: "always" }] },
    result: { percent: 12.5, chosen: "accept", others: "continue" },
  };
  writeFileSync(json, JSON.stringify([rule]));
  assert.deepEqual(await readRules(json), [rule]);
  const module = join(folder, "rules.ts");
  writeFileSync(
    module,
    `export const rules = [{ name: "big", when: (a: ReadonlyMap<string, string>): boolean => a.size > 2, result: "defer" }];`,
  );
  const [big] = await readRules(module);
  assert.equal(typeof big?.when === "function" && big.when(new Map()), false);
});

test("every problem is named with its place", async (t) => {
  const path = join(makeFolder(t), "rules.json");
  const rules = [
    { name: "with space", when: "always", result: "accept" },
    { name: "a", when: "sometimes", result: "accept" },
    { name: "b", when: { annotation: "A", matches: "(" }, result: "accept" },
    { name: "c", when: "always", result: "drop" },
    { name: "d", when: "always", result: { percent: 101, chosen: "accept", others: "reject" } },
    { name: "e", when: "always", result: "accept", extra: 1 },
  ];
  writeFileSync(path, JSON.stringify(rules));
  const problems = await problemsOf(path);
  assert.equal(problems.length, rules.length, problems.join("\n"));
  for (const [n, problem] of problems.entries()) assert.match(problem, new RegExp(`rules\\.json: ${n}\\.`));
});

test("what is no list of rules is named", async (t) => {
  const folder = makeFolder(t);
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  for (const source of [
    "nowhere.json",
    "no-such-preset",
    write("a.json", "{"),
    write("b.json", "{}"),
    write("c.ts", "export const other = 1;"),
    write("d.ts", "throw new Error('x');"),
    write(
      "e.json",
      JSON.stringify([
        { name: "a", when: "always", result: "accept" },
        { name: "a", when: "always", result: "accept" },
      ]),
    ),
  ])
    assert.equal((await problemsOf(source)).length, 1, source);
});
