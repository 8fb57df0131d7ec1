/** What becomes of a report: saved to be processed, saved to lie, or not saved. */
export type ThrottleResult = "accept" | "defer" | "reject";

/** A draw: `chosen` for so many percent of the reports, `others` for the rest. `continue` lets the next rule decide. */
export interface Draw {
  /** 0 to 100. */
  readonly percent: number;
  readonly chosen: ThrottleResult | "continue";
  readonly others: ThrottleResult | "continue";
}

/** A condition as data, so that it can stand in a JSON file. */
export type Condition =
  | "always"
  | { readonly annotation: string; readonly equals: string }
  | { readonly annotation: string; readonly oneOf: readonly string[] }
  | { readonly annotation: string; readonly matches: string }
  | { readonly annotation: string; readonly present: boolean }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition };

export type ReportAnnotations = ReadonlyMap<string, string>;

/** One rule; the first of several that matches decides. */
export interface Rule {
  /** Letters, digits, underscore: it is response text, metric label and part of the raw crash. */
  readonly name: string;
  /** A function, in a TypeScript or JavaScript file, may look at everything; when it throws the rule does not match. */
  readonly when: Condition | ((annotations: ReportAnnotations) => boolean);
  readonly result: ThrottleResult | Draw;
}

export function matches(condition: Rule["when"], annotations: ReportAnnotations): boolean {
  if (typeof condition === "function") return condition(annotations);
  if (condition === "always") return true;
  if ("all" in condition) return condition.all.every((each) => matches(each, annotations));
  if ("any" in condition) return condition.any.some((each) => matches(each, annotations));
  if ("not" in condition) return !matches(condition.not, annotations);
  const value = annotations.get(condition.annotation);
  if ("present" in condition) return (value !== undefined && value !== "") === condition.present;
  if (value === undefined) return false;
  if ("equals" in condition) return value === condition.equals;
  if ("oneOf" in condition) return condition.oneOf.includes(value);
  return new RegExp(condition.matches).test(value);
}
