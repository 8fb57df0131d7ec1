import type { CrashId } from "../crash/crash-id.ts";
import type { CrashReport } from "./report/report.ts";

export interface RawCrashContext {
  readonly id: CrashId;
  readonly received: Date;
  /** The rule that decided. */
  readonly rule: string;
  readonly result: "accept" | "defer";
  readonly userAgent: string | undefined;
  /** What the collector has to say beyond the report's own notes. */
  readonly notes: readonly string[];
}

/** The raw crash, version 2: the annotations, and what the collector knows. Its members are sorted when it is saved. */
export function makeRawCrash(report: CrashReport, context: RawCrashContext): Record<string, unknown> {
  return {
    ...Object.fromEntries(report.annotations),
    uuid: context.id,
    version: 2,
    submitted_timestamp: context.received.toISOString(),
    metadata: {
      collector_notes: [...report.notes, ...context.notes],
      dump_checksums: Object.fromEntries(report.dumps.map(({ name, sha256 }) => [name, sha256] as const).sort()),
      payload: report.payload,
      payload_compressed: report.isCompressed ? "1" : "0",
      payload_size: report.size,
      throttle_result: context.result,
      throttle_rule: context.rule,
      user_agent: context.userAgent ?? "",
    },
  };
}
