/** The lines that Lambda itself writes in its text log format, as AWS writes them since August 2025. */

export type Status = "error" | "timeout";

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

export function formatInitStart(runtimeVersion: string, runtimeVersionArn: string): string {
  return `INIT_START Runtime Version: ${runtimeVersion}\tRuntime Version ARN: ${runtimeVersionArn}\n`;
}

export function formatStart(requestId: string): string {
  return `START RequestId: ${requestId} Version: $LATEST\n`;
}

export function formatEnd(requestId: string): string {
  return `END RequestId: ${requestId}\n`;
}

/** Fields are separated by tabs; one follows the last field unless that is the status or the error type. */
export function formatReport(report: Report): string {
  const fields = [
    `REPORT RequestId: ${report.requestId}`,
    `Duration: ${report.duration.toFixed(2)} ms`,
    `Billed Duration: ${report.billedDuration} ms`,
    `Memory Size: ${report.memorySize} MB`,
    `Max Memory Used: ${report.maxMemoryUsed} MB`,
  ];
  if (report.initDuration !== undefined) fields.push(`Init Duration: ${report.initDuration.toFixed(2)} ms`);
  fields.push(...formatStatus(report.status, report.errorType));
  return `${fields.join("\t")}${report.status === undefined ? "\t" : ""}\n`;
}

/** Written only when an initialization failed; phase `invoke` is the second try, inside the invocation. */
export function formatInitReport(
  duration: number,
  phase: "init" | "invoke",
  status: Status,
  errorType: string | undefined,
): string {
  const fields = [`INIT_REPORT Init Duration: ${duration.toFixed(2)} ms`, `Phase: ${phase}`];
  return `${[...fields, ...formatStatus(status, errorType)].join("\t")}\n`;
}

export function formatTimedOut(time: Date, requestId: string, timeout: number): string {
  return `${time.toISOString()} ${requestId} Task timed out after ${timeout.toFixed(2)} seconds\n\n`;
}

/** A crash is told in two lines: the sentence and the error type. */
export function formatCrash(requestId: string, reason: string, errorType: string): string {
  return `RequestId: ${requestId} Error: ${reason}\n${errorType}\n`;
}

function formatStatus(status: Status | undefined, errorType: string | undefined): string[] {
  if (status === undefined) return [];
  return status === "error" && errorType !== undefined
    ? [`Status: error`, `Error Type: ${errorType}`]
    : [`Status: ${status}`];
}
