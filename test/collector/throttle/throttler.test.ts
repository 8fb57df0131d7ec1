import assert from "node:assert/strict";
import test from "node:test";
import { MOZILLA_RULES } from "../../../src/collector/throttle/mozilla-rules.ts";
import type { Rule } from "../../../src/collector/throttle/rule.ts";
import { throttle } from "../../../src/collector/throttle/throttler.ts";

const crash = (annotations: Record<string, string>): Map<string, string> => new Map(Object.entries(annotations));
const decide = (rules: readonly Rule[], annotations: Record<string, string>, draw = 0): string => {
  const { result, rule } = throttle(rules, crash(annotations), () => draw);
  return `${result} ${rule}`;
};

const recent = new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");
const windows = (build: unknown): string =>
  JSON.stringify({ system: { os: { name: "Windows_NT", windowsBuildNumber: build } } });
const esr = { ProductName: "Firefox", ReleaseChannel: "esr" };

/** Annotations, a draw below 100, and what Mozilla's rules make of them. */
const CASES: readonly [Record<string, string>, number, string][] = [
  [{ ProductName: "Firefox", BuildID: "20170505000000" }, 0, "reject has_old_buildid"],
  [{ ProductName: "Firefox", BuildID: `${recent}000000` }, 0, "accept accept_everything"],
  [{ ProductName: "Firefox", BuildID: "20179999000000" }, 0, "accept accept_everything"],
  [{ ProductName: "Firefox", BuildID: "20170505" }, 0, "accept accept_everything"],
  [{ ProductName: "Firefox", HangID: "x" }, 0, "reject has_hangid_and_browser"],
  [{ ProductName: "Firefox", HangID: "x", ProcessType: "browser" }, 0, "reject has_hangid_and_browser"],
  [{ ProductName: "Firefox", HangID: "x", ProcessType: "plugin" }, 0, "accept is_background"],
  [
    { ProductName: "Firefox", SubmittedFromInfobar: "true", Version: "52.0.2", BuildID: "20171223" },
    0,
    "reject infobar_is_true",
  ],
  [
    { ProductName: "Firefox", SubmittedFromInfobar: "true", Version: "60.0", BuildID: "20171223" },
    0,
    "accept accept_everything",
  ],
  [
    { ProductName: "Firefox", SubmittedFromInfobar: "true", Version: "52.0.2", BuildID: "20171226" },
    0,
    "accept accept_everything",
  ],
  [{ ProductName: "B2G" }, 0, "reject b2g"],
  [{ ProductName: "b2g" }, 0, "reject b2g"],
  [{}, 0, "reject unsupported_product"],
  [{ ProductName: "" }, 0, "reject unsupported_product"],
  [{ ProductName: "firefox" }, 0, "reject unsupported_product"],
  [{ ProductName: "Firefox Enterprise" }, 0, "accept accept_everything"],
  [{ ProductName: "Fenix" }, 0, "reject unsupported_packagename"],
  [{ ProductName: "Fenix", Android_PackageName: "org.example.fenix" }, 0, "reject unsupported_packagename"],
  [{ ProductName: "Fenix", Android_PackageName: "org.mozilla.firefox" }, 0, "accept accept_everything"],
  [{ ProductName: "Focus", Android_PackageName: "org.mozilla.klar" }, 0, "accept accept_everything"],
  [{ ProductName: "Firefox", ReleaseChannel: "release", Throttleable: "0" }, 99, "accept throttleable_0"],
  [{ ProductName: "Firefox", ReleaseChannel: "release", Throttleable: "1" }, 99, "reject is_firefox_desktop"],
  [{ ProductName: "Firefox", ReleaseChannel: "release", Comments: "" }, 99, "accept has_comments"],
  [{ ProductName: "Firefox", ReleaseChannel: "release", PHCKind: "x" }, 99, "accept has_phc"],
  ...["gpu", "plugin", "rdd", "socket", "utility"].map((ProcessType): [Record<string, string>, number, string] => [
    { ProductName: "Firefox", ReleaseChannel: "release", ProcessType },
    99,
    "accept is_background",
  ]),
  [{ ProductName: "Firefox", ReleaseChannel: "release", ProcessType: "content" }, 99, "reject is_firefox_desktop"],
  [{ ProductName: "Firefox", ipc_channel_error: "ShutDownKill" }, 10, "reject is_shutdownkill"],
  [{ ProductName: "Firefox", ipc_channel_error: "ShutDownKill" }, 9.99, "accept accept_everything"],
  [{ ...esr, TelemetryEnvironment: windows(9600) }, 25, "reject is_firefox_esr_unsupported_windows"],
  [{ ...esr, TelemetryEnvironment: windows(9600) }, 24.9, "accept is_alpha_beta_esr"],
  [{ ...esr, TelemetryEnvironment: windows(19045) }, 99, "accept is_alpha_beta_esr"],
  [{ ...esr, TelemetryEnvironment: windows("9600") }, 99, "accept is_alpha_beta_esr"],
  [{ ...esr, TelemetryEnvironment: "[]" }, 99, "accept is_alpha_beta_esr"],
  [{ ...esr, TelemetryEnvironment: "null" }, 99, "accept is_alpha_beta_esr"],
  [{ ...esr, TelemetryEnvironment: "{" }, 99, "accept is_alpha_beta_esr"],
  ...["aurora", "beta", "esr"].map((ReleaseChannel): [Record<string, string>, number, string] => [
    { ProductName: "Firefox", ReleaseChannel },
    99,
    "accept is_alpha_beta_esr",
  ]),
  [{ ProductName: "Firefox", ReleaseChannel: "nightly-ash" }, 99, "accept is_nightly"],
  [{ ProductName: "Firefox", ReleaseChannel: "release" }, 9.99, "accept is_firefox_desktop"],
  [{ ProductName: "Firefox", ReleaseChannel: "release" }, 10, "reject is_firefox_desktop"],
  [{ ProductName: "Thunderbird", ReleaseChannel: "release" }, 99, "accept accept_everything"],
];

for (const [annotations, draw, expected] of CASES)
  test(`mozilla: ${JSON.stringify(annotations)} at ${draw}: ${expected}`, () => {
    assert.equal(decide(MOZILLA_RULES, annotations, draw), expected);
  });

test("each kind of condition", () => {
  const when = (condition: Rule["when"]): Rule[] => [{ name: "r", when: condition, result: "reject" }];
  const matching: [Rule["when"], Record<string, string>, boolean][] = [
    ["always", {}, true],
    [{ annotation: "A", equals: "1" }, { A: "1" }, true],
    [{ annotation: "A", equals: "1" }, { A: "12" }, false],
    [{ annotation: "A", equals: "1" }, {}, false],
    [{ annotation: "A", oneOf: ["1", "2"] }, { A: "2" }, true],
    [{ annotation: "A", oneOf: [] }, { A: "2" }, false],
    [{ annotation: "A", matches: "^x.z$" }, { A: "xyz" }, true],
    [{ annotation: "A", matches: "y" }, { A: "x" }, false],
    [{ annotation: "A", present: true }, { A: "0" }, true],
    [{ annotation: "A", present: true }, { A: "" }, false],
    [{ annotation: "A", present: false }, {}, true],
    [{ annotation: "A", present: false }, { A: "0" }, false],
    [{ all: [] }, {}, true],
    [{ any: [] }, {}, false],
    [{ not: { any: ["always"] } }, {}, false],
    [(annotations) => annotations.size === 1, { A: "" }, true],
  ];
  for (const [condition, annotations, isMatch] of matching)
    assert.equal(
      decide(when(condition), annotations),
      isMatch ? "reject r" : "accept no_rule_matched",
      JSON.stringify(condition),
    );
});

test("the first rule that matches decides, and continue leaves it to the next", () => {
  const rules: readonly Rule[] = [
    { name: "a", when: "always", result: { percent: 50, chosen: "continue", others: "defer" } },
    { name: "b", when: "always", result: { percent: 50, chosen: "accept", others: "continue" } },
    { name: "c", when: "always", result: "reject" },
    { name: "d", when: "always", result: "accept" },
  ];
  assert.equal(decide(rules, {}, 50), "defer a");
  assert.equal(decide(rules, {}, 49), "accept b");
  assert.equal(decide(rules.slice(1), {}, 50), "reject c");
});

test("0 percent is nobody, 100 percent is everybody", () => {
  const share = (percent: number): readonly Rule[] => [
    { name: "r", when: "always", result: { percent, chosen: "accept", others: "reject" } },
  ];
  for (const draw of [0, 50, 99.999]) {
    assert.equal(decide(share(0), {}, draw), "reject r");
    assert.equal(decide(share(100), {}, draw), "accept r");
  }
});

test("a rule that throws does not match, and is named", () => {
  const broken: Rule = {
    name: "broken",
    when: () => {
      throw new Error("x");
    },
    result: "reject",
  };
  assert.deepEqual(throttle([broken], new Map()), {
    result: "accept",
    rule: "no_rule_matched",
    brokenRules: ["broken"],
  });
});
