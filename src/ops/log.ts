import { hostname } from "node:os";
import { writeLine } from "./output.ts";

/**
 * Log lines as the original Pigeon wrote them: mozlog 2.0, one JSON object a line.
 * https://wiki.mozilla.org/Firefox/Services/Logging
 */

/** Syslog severities. */
const SEVERITIES = { error: 3, warning: 4, info: 6, debug: 7 } as const;

export type Severity = keyof typeof SEVERITIES;

/** Beside `msg`, what else a line tells. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export type Log = (severity: Severity, msg: string, fields?: LogFields) => void;

/** Longer texts are cut in the log, never in a decision. */
const TEXT_LIMIT = 2048;

/**
 * A log that writes to stderr, one write a line, past the console that AWS's runtime client formats.
 * @param logger the line's Type and Logger
 */
export function makeLog(logger: string, write: (line: string) => void = writeStderr): Log {
  const host = hostname();
  return (severity, msg, fields) => {
    const record = {
      Timestamp: 0,
      Type: logger,
      Logger: logger,
      Hostname: host,
      EnvVersion: "2.0",
      Severity: SEVERITIES[severity],
      Pid: process.pid,
      Fields: { msg: shorten(msg), ...fields },
    };
    // Nanoseconds do not fit a number: they are written as digits.
    const json = JSON.stringify(record).replace('"Timestamp":0', `"Timestamp":${Date.now()}000000`);
    write(`${escapeControls(json)}\n`);
  };
}

/** Characters that a terminal or a log viewer might obey: DEL, C1 controls, line and paragraph separators, bidi overrides. */
const CONTROLS = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

function escapeControls(json: string): string {
  return json.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function shorten(text: string): string {
  return text.length <= TEXT_LIMIT ? text : `${text.slice(0, TEXT_LIMIT)}... (${text.length} characters)`;
}

function writeStderr(line: string): void {
  writeLine(process.stderr, line);
}
