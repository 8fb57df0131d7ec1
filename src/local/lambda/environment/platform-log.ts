import type { SystemLogLevel } from "../function.ts";
import { levelOf, makeTelemetryEvent, type PlatformEvent, type Report, type Status } from "./platform-event.ts";

/** What an environment's events look like in its log. */
export type EventFormat = (event: PlatformEvent) => string;

/** The lines that AWS writes since August 2025; events that have none are empty. */
export const formatAsText: EventFormat = (event) => {
  switch (event.type) {
    case "initStart":
      return `INIT_START Runtime Version: ${event.runtimeVersion}\tRuntime Version ARN: ${event.runtimeVersionArn}\n`;
    case "initRuntimeDone":
      return "";
    case "initReport": {
      // Written only when an initialization failed.
      if (event.status === "success") return "";
      const fields = [`INIT_REPORT Init Duration: ${event.duration.toFixed(2)} ms`, `Phase: ${event.phase}`];
      return `${[...fields, ...formatStatus(event.status, event.errorType)].join("\t")}\n`;
    }
    case "start":
      return `START RequestId: ${event.requestId} Version: $LATEST\n`;
    case "runtimeDone":
      return `END RequestId: ${event.requestId}\n`;
    case "report":
      return formatReport(event.report);
    case "extension":
      return `EXTENSION\tName: ${event.name}\tState: Ready\tEvents: [${event.events.join(", ")}]\n`;
    case "telemetrySubscription":
      return `TELEMETRY\tName: ${event.name}\tState: Subscribed\tTypes: [${event.types.map(capitalize).join(", ")}]\n`;
  }
};

const LEVELS = ["DEBUG", "INFO", "WARN"];

/** One JSON object a line, of the events that have at least this level. */
export function formatAsJson(level: SystemLogLevel): EventFormat {
  const isShown = (event: PlatformEvent): boolean => LEVELS.indexOf(levelOf(event)) >= LEVELS.indexOf(level);
  return (event) => (isShown(event) ? `${JSON.stringify(makeTelemetryEvent(event))}\n` : "");
}

/** Fields are separated by tabs; one follows the last field unless that is the status or the error type. */
function formatReport(report: Report): string {
  const fields = [
    `REPORT RequestId: ${report.requestId}`,
    `Duration: ${report.duration.toFixed(2)} ms`,
    `Billed Duration: ${report.billedDuration} ms`,
    `Memory Size: ${report.memorySize} MB`,
    `Max Memory Used: ${report.maxMemoryUsed} MB`,
  ];
  if (report.initDuration !== undefined) fields.push(`Init Duration: ${report.initDuration.toFixed(2)} ms`);
  if (report.status !== undefined) fields.push(...formatStatus(report.status, report.errorType));
  return `${fields.join("\t")}${report.status === undefined ? "\t" : ""}\n`;
}

/** The text log's line of a timeout. */
export function formatTimedOut(time: Date, requestId: string, timeout: number): string {
  return `${time.toISOString()} ${requestId} Task timed out after ${timeout.toFixed(2)} seconds\n\n`;
}

/** A crash is told in two lines: the sentence and the error type. */
export function formatCrash(requestId: string, reason: string, errorType: string): string {
  return `RequestId: ${requestId} Error: ${reason}\n${errorType}\n`;
}

function capitalize(word: string): string {
  return `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
}

function formatStatus(status: Status, errorType: string | undefined): string[] {
  return status === "error" && errorType !== undefined
    ? [`Status: error`, `Error Type: ${errorType}`]
    : [`Status: ${status}`];
}
