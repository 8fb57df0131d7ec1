import { ConfigurationError } from "./errors.ts";

/** What a parser made of a text: a value, or what it had expected. */
export type Parsed<T> = { readonly value: T } | { readonly expected: string };

/** One variable of the environment, declared once: the reader and the README's table both come from it. */
export interface Option<T> {
  readonly name: string;
  /** One sentence: what it does, and its unit if it has one. */
  readonly sentence: string;
  readonly parse: (text: string) => Parsed<T>;
  /** Text that is parsed when the variable is not set or empty; without one the variable is required. */
  readonly default?: string;
  /** Its value appears in no message. */
  readonly secret?: boolean;
}

export type Options = Readonly<Record<string, Option<unknown>>>;

/** The typed values of a set of options. */
export type OptionValues<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/**
 * Reads every option once; a frozen result, or one ConfigurationError that names each variable, what was expected and what came.
 * @param findContradictions gets the values that are good by themselves, and answers with what is wrong with them together
 */
export function readOptions<const O extends Options>(
  options: O,
  environment: Readonly<Record<string, string | undefined>>,
  findContradictions: (values: Partial<OptionValues<O>>) => readonly string[] = () => [],
): OptionValues<O> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(options)) {
    const given = environment[option.name];
    const text = given === undefined || given === "" ? option.default : given;
    if (text === undefined) {
      problems.push(`${option.name}: expected ${expectation(option)}, got nothing`);
      continue;
    }
    const parsed = option.parse(text);
    if ("value" in parsed) values[key] = parsed.value;
    else problems.push(`${option.name}: expected ${parsed.expected}, got ${describeGot(option, text)}`);
  }
  problems.push(...findContradictions(values as Partial<OptionValues<O>>));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return Object.freeze(values) as OptionValues<O>;
}

/** What a required option wants, from its parser's answer to nothing. */
function expectation(option: Option<unknown>): string {
  const parsed = option.parse("");
  return "expected" in parsed ? parsed.expected : "a value";
}

function describeGot(option: Option<unknown>, text: string): string {
  // A URL with credentials is a likely slip.
  return option.secret || text.includes("@")
    ? `${text.length} characters that are not shown`
    : JSON.stringify(text.slice(0, 300));
}

/** Any text but an empty one. */
export function parseText(text: string): Parsed<string> {
  return text === "" ? { expected: "text" } : { value: text };
}

/** A whole number in plain decimal digits: no sign, exponent, prefix, leading zero or white space. */
export function parseWholeNumber(low: number, high: number): (text: string) => Parsed<number> {
  return (text) => {
    const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
    return value >= low && value <= high ? { value } : { expected: `a whole number from ${low} to ${high}` };
  };
}

/** One of a few words. */
export function parseChoice<const T extends string>(...words: readonly T[]): (text: string) => Parsed<T> {
  return (text) => {
    const value = words.find((word) => word === text);
    return value === undefined ? { expected: `one of ${words.join(", ")}` } : { value };
  };
}

/** A Markdown table of the options, for the README. */
export function formatOptionsTable(options: Options): string {
  const rows = Object.values(options).map((option) => {
    const fallback = option.default === undefined ? "required" : option.default === "" ? "-" : `\`${option.default}\``;
    return `| \`${option.name}\` | ${fallback} | ${option.sentence} |`;
  });
  return ["| variable | default | |", "|---|---|---|", ...rows].join("\n");
}
