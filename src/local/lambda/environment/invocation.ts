import type { Report } from "./platform-event.ts";

/** One invocation as it reaches an execution environment. */
export interface InvocationRequest {
  /** UUID; asynchronous retries keep it. */
  readonly requestId: string;
  /** JSON text, validated. */
  readonly payload: Buffer;
  /** As the caller named the function, with its qualifier. */
  readonly functionArn: string;
  readonly traceId: string;
  /** JSON text. */
  readonly clientContext?: string | undefined;
  /** For a caller who wants a streamed response as it comes; the result's payload is then empty. */
  readonly onChunk?: ((chunk: Buffer) => void) | undefined;
}

/** What the caller gets, and what was logged on the way. */
export interface InvocationResult {
  readonly requestId: string;
  /** The handler's JSON as it came from the runtime, or the error object. */
  readonly payload: Buffer;
  /** Set when the payload is an error; AWS knows no other word today. */
  readonly functionError?: "Unhandled";
  /** From START to REPORT, at most the last 4096 bytes. */
  readonly logTail: Buffer;
  readonly report: Report;
}

/** AWS's limit on the LogResult of an Invoke answer. */
const TAIL_BYTES = 4096;

/** Keeps the end of an invocation's log. */
export class LogTail {
  #text = "";

  append(text: string): void {
    this.#text += text;
    if (this.#text.length > 4 * TAIL_BYTES) this.#text = this.#text.slice(-TAIL_BYTES);
  }

  bytes(): Buffer {
    return Buffer.from(this.#text).subarray(-TAIL_BYTES);
  }
}
