import type { Condition, ReportAnnotations, Rule } from "./rule.ts";

/**
 * The rules of Mozilla's own collector as of 2026, by its names and in its order. Its fake accept of one old product is a
 * rejection here.
 */

/** A build that is older than this many days is of no interest any more. */
const MOST_DAYS = 730;
const MS_PER_DAY = 86_400_000;

const PRODUCTS = ["Fenix", "Firefox", "Firefox Enterprise", "Focus", "MozillaVPN", "ReferenceBrowser", "Thunderbird"];

/** Of products that others build under names of their own. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  Fenix: ["org.mozilla.fenix", "org.mozilla.firefox", "org.mozilla.firefox_beta"],
  Focus: ["org.mozilla.focus", "org.mozilla.focus.beta", "org.mozilla.focus.nightly", "org.mozilla.klar"],
  ReferenceBrowser: ["org.mozilla.reference.browser"],
};

/** Windows 8.1 is the last that is not supported. */
const LAST_UNSUPPORTED_WINDOWS_BUILD = 9600;

const is = (annotation: string, ...values: readonly string[]): Condition => ({ annotation, oneOf: values });
/** There at all, be it empty. */
const has = (annotation: string): Condition => ({ annotation, matches: "" });

export const MOZILLA_RULES: readonly Rule[] = [
  { name: "has_old_buildid", when: hasOldBuild, result: "reject" },
  {
    name: "has_hangid_and_browser",
    when: { all: [has("HangID"), { any: [is("ProcessType", "browser"), { not: has("ProcessType") }] }] },
    result: "reject",
  },
  {
    name: "infobar_is_true",
    when: (annotations) =>
      annotations.get("ProductName") === "Firefox" &&
      annotations.get("SubmittedFromInfobar") === "true" &&
      /^5[2-9]\./.test(annotations.get("Version") ?? "") &&
      isBefore(annotations.get("BuildID"), "20171226"),
    result: "reject",
  },
  { name: "b2g", when: { annotation: "ProductName", matches: "^[bB]2[gG]$" }, result: "reject" },
  { name: "unsupported_product", when: { not: is("ProductName", ...PRODUCTS) }, result: "reject" },
  {
    name: "unsupported_packagename",
    when: {
      any: Object.entries(PACKAGES).map(([product, names]) => ({
        all: [is("ProductName", product), { not: is("Android_PackageName", ...names) }],
      })),
    },
    result: "reject",
  },
  { name: "throttleable_0", when: is("Throttleable", "0"), result: "accept" },
  { name: "has_comments", when: has("Comments"), result: "accept" },
  { name: "has_phc", when: has("PHCKind"), result: "accept" },
  { name: "is_background", when: is("ProcessType", "gpu", "plugin", "rdd", "socket", "utility"), result: "accept" },
  {
    name: "is_shutdownkill",
    when: is("ipc_channel_error", "ShutDownKill"),
    result: { percent: 10, chosen: "continue", others: "reject" },
  },
  {
    name: "is_firefox_esr_unsupported_windows",
    when: (annotations) =>
      annotations.get("ProductName") === "Firefox" &&
      annotations.get("ReleaseChannel") === "esr" &&
      hasUnsupportedWindows(annotations),
    result: { percent: 25, chosen: "continue", others: "reject" },
  },
  { name: "is_alpha_beta_esr", when: is("ReleaseChannel", "aurora", "beta", "esr"), result: "accept" },
  { name: "is_nightly", when: { annotation: "ReleaseChannel", matches: "^nightly" }, result: "accept" },
  {
    name: "is_firefox_desktop",
    when: { all: [is("ProductName", "Firefox"), is("ReleaseChannel", "release")] },
    result: { percent: 10, chosen: "accept", others: "reject" },
  },
  { name: "accept_everything", when: "always", result: "accept" },
];

function hasOldBuild(annotations: ReportAnnotations): boolean {
  const [, year, month, day] = /^(20\d\d)(\d\d)(\d\d)\d{6}$/.exec(annotations.get("BuildID") ?? "") ?? [];
  const built = Date.parse(`${year}-${month}-${day}`);
  return built < Date.now() - MOST_DAYS * MS_PER_DAY; // false for what is no day
}

function isBefore(buildId: string | undefined, day: string): boolean {
  return buildId !== undefined && buildId !== "" && buildId < day;
}

function hasUnsupportedWindows(annotations: ReportAnnotations): boolean {
  let environment: unknown;
  try {
    environment = JSON.parse(annotations.get("TelemetryEnvironment") ?? "");
  } catch {
    return false;
  }
  const os = Object(Object(Object(environment).system).os) as Readonly<Record<string, unknown>>;
  const build = os.windowsBuildNumber;
  return os.name === "Windows_NT" && typeof build === "number" && build > 0 && build <= LAST_UNSUPPORTED_WINDOWS_BUILD;
}
