import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as v from "valibot";
import { ConfigurationError } from "../../ops/errors.ts";
import { MOZILLA_RULES } from "./mozilla-rules.ts";
import type { Condition, Rule } from "./rule.ts";

const ACCEPT_EVERYTHING: readonly Rule[] = [{ name: "accept_everything", when: "always", result: "accept" }];

/** Rules that have a name instead of a file. */
const PRESETS: Readonly<Record<string, readonly Rule[]>> = {
  "accept-everything": ACCEPT_EVERYTHING,
  mozilla: MOZILLA_RULES,
};

const results = ["accept", "defer", "reject"] as const;
const annotation = v.pipe(v.string(), v.nonEmpty());

const conditionSchema: v.GenericSchema<Condition> = v.lazy(() =>
  v.union(
    [
      v.literal("always"),
      v.strictObject({ annotation, equals: v.string() }),
      v.strictObject({ annotation, oneOf: v.array(v.string()) }),
      v.strictObject({ annotation, matches: v.pipe(v.string(), v.check(isPattern, "expected a regular expression")) }),
      v.strictObject({ annotation, present: v.boolean() }),
      v.strictObject({ all: v.array(conditionSchema) }),
      v.strictObject({ any: v.array(conditionSchema) }),
      v.strictObject({ not: conditionSchema }),
    ],
    'expected "always", { annotation, equals | oneOf | matches | present }, { all | any: [...] } or { not }',
  ),
);

const drawn = v.picklist([...results, "continue"], 'expected "accept", "defer", "reject" or "continue"');

const ruleSchema = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_]+$/, "expected letters, digits and underscores")),
  when: v.union(
    [v.custom<(...args: never) => boolean>((value) => typeof value === "function"), conditionSchema],
    "expected a condition",
  ),
  result: v.union(
    [
      v.picklist(results),
      v.strictObject({ percent: v.pipe(v.number(), v.minValue(0), v.maxValue(100)), chosen: drawn, others: drawn }),
    ],
    'expected "accept", "defer", "reject" or { percent: 0 to 100, chosen, others }',
  ),
});

const rulesSchema = v.array(ruleSchema, "expected an array of rules");

/**
 * The rules of a preset (`accept-everything`, `mozilla`), of a JSON file with an array of rules, or of a TypeScript or JavaScript
 * module that exports one as `rules`. Rejects with a ConfigurationError that names every problem.
 */
export async function readRules(source: string): Promise<readonly Rule[]> {
  const preset = Object.hasOwn(PRESETS, source) ? PRESETS[source] : undefined;
  if (preset !== undefined) return preset;
  const rules = await load(source);
  const parsed = v.safeParse(rulesSchema, rules);
  if (!parsed.success)
    throw new ConfigurationError(
      parsed.issues.map((issue) => `${source}: ${v.getDotPath(issue) ?? "rules"}: ${describe(issue)}`),
    );
  const names = parsed.output.map(({ name }) => name);
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  if (twice.length > 0)
    throw new ConfigurationError(twice.map((name) => `${source}: expected each name once, got ${name} twice`));
  return parsed.output as readonly Rule[];
}

async function load(source: string): Promise<unknown> {
  try {
    if (/\.json$/i.test(source)) return JSON.parse(readFileSync(source, "utf8"));
    return ((await import(pathToFileURL(resolve(source)).href)) as { readonly rules?: unknown }).rules;
  } catch (cause) {
    const presets = Object.keys(PRESETS).join(", ");
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError([`rules: expected ${presets} or the path of a file, got ${source} (${reason})`], {
      cause,
    });
  }
}

function describe({ message, received }: { readonly message: string; readonly received: string }): string {
  return message.startsWith("expected") ? `${message}, got ${received}` : message;
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
