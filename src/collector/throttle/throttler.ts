import { matches, type ReportAnnotations, type Rule, type ThrottleResult } from "./rule.ts";

/** What was decided, and by which rule. */
export interface ThrottleDecision {
  readonly result: ThrottleResult;
  readonly rule: string;
  /** Rules that threw, and so did not match. */
  readonly brokenRules: readonly string[];
}

/** Its name where no rule decides: nothing is thrown away that nobody said should be. */
const NO_RULE: Omit<ThrottleDecision, "brokenRules"> = { result: "accept", rule: "no_rule_matched" };

/**
 * The first rule that matches decides.
 * @param draw a number from 0 to less than 100, for rules with percentages
 */
export function throttle(
  rules: readonly Rule[],
  annotations: ReportAnnotations,
  draw: () => number = () => Math.random() * 100,
): ThrottleDecision {
  const brokenRules: string[] = [];
  for (const { name, when, result } of rules) {
    try {
      if (!matches(when, annotations)) continue;
    } catch {
      brokenRules.push(name);
      continue;
    }
    const decided = typeof result === "string" ? result : draw() < result.percent ? result.chosen : result.others;
    if (decided !== "continue") return { result: decided, rule: name, brokenRules };
  }
  return { ...NO_RULE, brokenRules };
}
