import type { Readable } from "node:stream";
import { setTimeout as delay, setImmediate } from "node:timers/promises";

/** Receives whole lines (or console messages of several lines), each ending in a line feed. */
export type LineSink = (text: string) => void;

/** A line without an end is cut here, so that memory stays bounded. */
const LINE_LIMIT = 256 * 1024;

/** Frames of the telemetry pipe: type 0xa55a...., int32 length, int64 microseconds, big-endian; then the message. */
const FRAME_HEADER = 16;

const LINE_FEED = 0x0a;

/**
 * More than this at once may not have fitted into the pipe's buffer: Node.js then keeps the rest in the process and writes it
 * when there is room again, after the handler's answer. Linux holds 208 KB, of which the shortest line takes 1.3 KB; macOS 8 KB.
 */
const BUFFERED = process.platform === "linux" ? { lines: 64, bytes: 64 * 1024 } : { lines: 64, bytes: 4096 };

/** How long nothing must come after so much output before it counts as complete; ms. */
const QUIET = 10;

/** Reads one function's output (stdout and stderr) and telemetry pipe and hands on what it says, line by line. */
export class FunctionOutput {
  #flush = (): void => {};
  #reads = 0;
  #lines = 0;
  #bytes = 0;

  constructor(lines: Readable, frames: Readable, sink: LineSink) {
    this.#readLines(lines, sink);
    this.#readFrames(frames, sink);
  }

  /**
   * Resolves when everything the process wrote before its last request to the Runtime API has been handed on.
   * That request was causally later than the writes, so they are in the pipes: a turn of the event loop that polls them all and
   * reads nothing means that they are empty.
   */
  async drain(): Promise<void> {
    await this.#untilQuiet(async () => {
      await setImmediate();
      await setImmediate();
    });
    if (this.#lines > BUFFERED.lines || this.#bytes > BUFFERED.bytes) await this.#untilQuiet(() => delay(QUIET));
    this.#lines = 0;
    this.#bytes = 0;
    this.#flush();
  }

  async #untilQuiet(pause: () => Promise<unknown>): Promise<void> {
    for (let before = -1; before !== this.#reads; ) {
      before = this.#reads;
      await pause();
    }
  }

  #readLines(stream: Readable, sink: LineSink): void {
    let rest: Buffer = Buffer.alloc(0);
    const flush = (): void => {
      if (rest.length > 0) sink(`${rest.toString()}\n`);
      rest = Buffer.alloc(0);
    };
    this.#flush = flush;
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      this.#reads++;
      this.#bytes += chunk.length;
      const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = text.lastIndexOf(LINE_FEED) + 1;
      for (const line of splitLines(text.subarray(0, end))) {
        this.#lines++;
        sink(line);
      }
      rest = text.subarray(end);
      if (rest.length > LINE_LIMIT) flush();
    });
  }

  #readFrames(stream: Readable, sink: LineSink): void {
    let rest: Buffer = Buffer.alloc(0);
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      this.#reads++;
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= FRAME_HEADER) {
        const end = FRAME_HEADER + rest.readInt32BE(4);
        if (rest.length < end) break;
        const message = rest.toString("utf8", FRAME_HEADER, end);
        sink(message.endsWith("\n") ? message : `${message}\n`);
        rest = rest.subarray(end);
      }
    });
  }
}

function* splitLines(text: Buffer): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(LINE_FEED, start) + 1;
    yield text.toString("utf8", start, end);
    start = end;
  }
}
