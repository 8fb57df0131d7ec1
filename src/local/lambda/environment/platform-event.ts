/**
 * What Lambda itself tells of an execution environment, named as in its Telemetry API.
 * https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
 */

export type Status = "error" | "timeout";

export type EventStatus = "success" | Status;

/** What REPORT tells of one invocation; durations in milliseconds, memory in MB. */
export interface Report {
  readonly requestId: string;
  readonly duration: number;
  readonly billedDuration: number;
  readonly memorySize: number;
  readonly maxMemoryUsed: number;
  /** Only on the first invocation of an environment. */
  readonly initDuration?: number;
  readonly status?: Status;
  readonly errorType?: string;
}

/** `init` is the first try, outside any invocation; `invoke` is one inside it. */
export type Phase = "init" | "invoke";

export interface InitEnd {
  readonly phase: Phase;
  readonly status: EventStatus;
  readonly errorType?: string | undefined;
}

export type PlatformEvent =
  | {
      readonly type: "initStart";
      readonly phase: Phase;
      readonly runtimeVersion: string;
      readonly runtimeVersionArn: string;
    }
  | ({ readonly type: "initRuntimeDone" } & InitEnd)
  | ({ readonly type: "initReport"; readonly duration: number } & InitEnd)
  | { readonly type: "start"; readonly requestId: string }
  | {
      readonly type: "runtimeDone";
      readonly requestId: string;
      readonly status: EventStatus;
      readonly errorType?: string | undefined;
      readonly duration: number;
      readonly producedBytes: number;
    }
  | { readonly type: "report"; readonly report: Report }
  | { readonly type: "extension"; readonly name: string; readonly events: readonly string[] }
  | { readonly type: "telemetrySubscription"; readonly name: string; readonly types: readonly string[] };

/** The event as an object of the Telemetry API: time, type, record. */
export function makeTelemetryEvent(event: PlatformEvent, time = new Date()): object {
  return { time: time.toISOString(), type: `platform.${event.type}`, record: makeRecord(event) };
}

function makeRecord(event: PlatformEvent): object {
  switch (event.type) {
    case "initStart": {
      const { phase, runtimeVersion, runtimeVersionArn } = event;
      return { initializationType: "on-demand", phase, runtimeVersion, runtimeVersionArn };
    }
    case "initRuntimeDone":
      return { initializationType: "on-demand", ...makeEnd(event) };
    case "initReport":
      return { initializationType: "on-demand", ...makeEnd(event), metrics: { durationMs: round(event.duration) } };
    case "start":
      return { requestId: event.requestId, version: "$LATEST" };
    case "runtimeDone": {
      const { requestId, status, errorType, duration, producedBytes } = event;
      const metrics = { durationMs: round(duration), producedBytes };
      return { requestId, status, ...(errorType === undefined ? {} : { errorType }), metrics };
    }
    case "report":
      return makeReportRecord(event.report);
    case "extension":
      return { name: event.name, state: "Ready", events: event.events };
    case "telemetrySubscription":
      return { name: event.name, state: "Subscribed", types: event.types };
  }
}

function makeEnd({ phase, status, errorType }: InitEnd): object {
  return { phase, status, ...(errorType === undefined ? {} : { errorType }) };
}

function makeReportRecord(report: Report): object {
  const { initDuration, status, errorType } = report;
  const metrics = {
    durationMs: round(report.duration),
    billedDurationMs: report.billedDuration,
    memorySizeMB: report.memorySize,
    maxMemoryUsedMB: report.maxMemoryUsed,
    ...(initDuration === undefined ? {} : { initDurationMs: round(initDuration) }),
  };
  return {
    requestId: report.requestId,
    metrics,
    status: status ?? "success",
    ...(errorType === undefined ? {} : { errorType }),
  };
}

/** To a thousandth of a millisecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

export type EventLevel = "DEBUG" | "INFO" | "WARN";

/** The level that AWS gives an event. https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html */
export function levelOf(event: PlatformEvent): EventLevel {
  if (event.type === "report") return event.report.status === undefined ? "INFO" : "WARN";
  if (!("status" in event)) return "INFO";
  return event.status === "success" ? "DEBUG" : "WARN";
}
