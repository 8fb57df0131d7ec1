import { constants } from "node:os";
import type { Status } from "./platform-event.ts";
import { RESPONSE_LIMIT } from "./runtime-api.ts";
import type { Exit } from "./runtime-process.ts";

/** How an initialization or an invocation ended, in AWS's words. */
export interface Outcome {
  /** The handler's JSON, or the error object that the caller gets. */
  readonly payload: Buffer;
  /** The payload is an error object. */
  readonly failed: boolean;
  /** What REPORT says; a handler that throws is no failure of the platform and has none. */
  readonly status?: Status;
  readonly errorType?: string;
  /** The sentence of a crash, to be logged. */
  readonly crash?: string;
}

function errorPayload(errorType: string, errorMessage: string): Buffer {
  return Buffer.from(JSON.stringify({ errorType, errorMessage }));
}

/** `seconds` is the function's configured timeout. */
export function timeoutOutcome(requestId: string, seconds: number): Outcome {
  const message = `RequestId: ${requestId} Error: Task timed out after ${seconds.toFixed(2)} seconds`;
  return { failed: true, payload: errorPayload("Sandbox.Timedout", message), status: "timeout" };
}

export function exitOutcome(requestId: string, exit: Exit): Outcome {
  const crash = describeExit(exit);
  const payload = errorPayload("Runtime.ExitError", `RequestId: ${requestId} Error: ${crash}`);
  const errorType = exit.outOfMemory ? "Runtime.OutOfMemory" : "Runtime.ExitError";
  return { failed: true, payload, status: "error", errorType, crash };
}

/** There is no program to start; `reason` in AWS's words. */
export function invalidEntrypointOutcome(requestId: string, reason: string): Outcome {
  const errorType = "Runtime.InvalidEntrypoint";
  const payload = errorPayload(errorType, `RequestId: ${requestId} Error: ${reason}`);
  return { failed: true, payload, status: "error", errorType, crash: reason };
}

/** An extension ended or gave up; `errorType` is AWS's, such as Extension.Crash. */
export function extensionFailureOutcome(requestId: string, errorType: string, reason: string): Outcome {
  const payload = errorPayload(errorType, `RequestId: ${requestId} Error: ${reason}`);
  return { failed: true, payload, status: "error", errorType, crash: reason };
}

export function responseTooLargeOutcome(): Outcome {
  const errorType = "Function.ResponseSizeTooLarge";
  const message = `Response payload size exceeded maximum allowed payload size (${RESPONSE_LIMIT} bytes).`;
  return { failed: true, payload: errorPayload(errorType, message), status: "error", errorType };
}

/** The runtime reported that the function's module cannot be loaded. */
export function initErrorOutcome(body: Buffer): Outcome {
  return { failed: true, payload: body, status: "error", errorType: knownErrorType(body) };
}

/** The error types that Lambda itself tells; a function's own become Runtime.Unknown in REPORT, never in the payload. */
function knownErrorType(body: Buffer): string {
  try {
    const { errorType } = JSON.parse(body.toString()) as { errorType?: unknown };
    if (typeof errorType === "string" && /^(Runtime|Function)\.[A-Z][A-Za-z]+$/.test(errorType)) return errorType;
  } catch {
    // not JSON: unknown too
  }
  return "Runtime.Unknown";
}

/** Go's names of the signals, which AWS's sentences carry. */
const SIGNAL_NAMES: Partial<Record<NodeJS.Signals, string>> = {
  SIGABRT: "aborted",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGHUP: "hangup",
  SIGILL: "illegal instruction",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGQUIT: "quit",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
  SIGTRAP: "trace/breakpoint trap",
};

function describeExit({ code, signal }: Exit): string {
  if (signal !== null) {
    const name = SIGNAL_NAMES[signal] ?? `signal ${constants.signals[signal]}`;
    return `Runtime exited with error: signal: ${name}`;
  }
  return code === 0 ? "Runtime exited without providing a reason" : `Runtime exited with error: exit status ${code}`;
}
