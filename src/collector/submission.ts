import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type CrashId, makeCrashId, parseCrashId } from "../crash/crash-id.ts";
import type { Log } from "../ops/log.ts";
import type { Keeper } from "./keeper.ts";
import type { CollectorMetrics } from "./metrics.ts";
import { makeRawCrash } from "./raw-crash.ts";
import { malformed, RefusalError } from "./refusal.ts";
import { readReport } from "./report/read-report.ts";
import type { CrashReport, ReportLimits } from "./report/report.ts";
import type { Rule } from "./throttle/rule.ts";
import { throttle } from "./throttle/throttler.ts";

export interface SubmissionContext {
  readonly keeper: Keeper;
  readonly metrics: CollectorMetrics;
  readonly log: Log;
  readonly rules: readonly Rule[];
  readonly uuidToken: string | undefined;
  readonly limits: ReportLimits;
}

/**
 * One submission, from its request to the text of its answer: read, decide, keep, answer. When it resolves the report is safe,
 * or is not wanted. Rejects with a RefusalError, a ClientGoneError, or what kept it from being safe.
 */
export async function takeSubmission(request: IncomingMessage, context: SubmissionContext): Promise<string> {
  const { keeper, metrics, log, rules, limits } = context;
  const received = new Date();
  const folder = await keeper.makeFolder();
  try {
    const report = await readReport(request, folder, limits);
    metrics.incoming.inc();
    metrics.payload_bytes.observe({ compressed: String(report.isCompressed) }, report.size);
    const wanted = findWantedId(report, request, context.uuidToken);
    const { result, rule, brokenRules } = throttle(rules, report.annotations);
    metrics.throttle.inc({ result });
    metrics.throttle_rule.inc({ rule });
    if (result === "reject") {
      log("info", `rejected by rule ${rule}`);
      return `Discarded=rule_${rule}`;
    }
    const id = wanted ?? makeCrashId(result, received);
    const notes = brokenRules.map((name) => `Throttle rule ${name} failed.`);
    const userAgent = request.headers["user-agent"];
    const rawCrash = makeRawCrash(report, { id, received, rule, result, userAgent, notes });
    const dumps = new Map(report.dumps.map(({ name, path, size }) => [name, { path, size }]));
    await keeper.keep(folder, id, { rawCrash, dumps });
    log("info", `${id}: ${result} by rule ${rule}, ${report.dumps.length} dumps, ${report.size} bytes`);
    return `CrashID=bp-${id}\n`;
  } finally {
    await keeper.removeFolder(folder);
  }
}

/** The crash id that the client has chosen, if it may choose. */
function findWantedId(
  { uuid }: CrashReport,
  { headers }: IncomingMessage,
  token: string | undefined,
): CrashId | undefined {
  if (uuid === undefined) return undefined;
  if (token === undefined || !isSame(headers.authorization ?? "", `Bearer ${token}`))
    throw new RefusalError(401, "unauthorized_uuid");
  const id = parseCrashId(uuid);
  if (id === undefined) throw malformed("invalid_uuid");
  return id;
}

/** In a time that tells nothing of how much of it was right. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
