import http from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

import type { Answer } from "../extensions/extensions.ts";

/**
 * The Lambda Runtime API, version 2018-06-01, for one execution environment.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html; answers as in AWS's runtime interface emulator.
 */

/** What `/next` hands to the runtime. */
export interface NextInvocation {
  readonly requestId: string;
  /** JSON text, already validated: AWS's runtime client 4 dies of anything else. */
  readonly payload: Buffer;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly functionArn: string;
  readonly traceId: string;
  /** JSON text. */
  readonly clientContext?: string | undefined;
  /** The caller wants the response as it comes: its parts go to `onResponseChunk`, and it may be larger. */
  readonly streamed?: boolean | undefined;
}

/** What the runtime says, in the order it says it. */
export interface RuntimeListener {
  /** The runtime asks for work: it is initialized, or done with the invocation before. */
  onNext(): void;
  onInitError(body: Buffer): void;
  /** A part of a streamed response, for a caller who wants it as it comes; `onResponse` with nothing follows. */
  onResponseChunk(chunk: Buffer): void;
  onResponse(body: Buffer): void;
  onResponseTooLarge(): void;
  onInvocationError(body: Buffer): void;
}

/** The largest response: 6 MiB and 100 bytes. */
export const RESPONSE_LIMIT = 6_291_556;

/** The largest streamed response: 200 MiB. */
const STREAM_LIMIT = 200 * 1024 * 1024;

/** The addon sends stack traces in a header, AWS's limit for it is 1 MiB. */
const HEADER_LIMIT = 2 * 1024 * 1024;

const ROUTE = /^\/2018-06-01\/runtime\/(?:(init\/error)|invocation\/(?:(next)|([^/]+)\/(response|error)))$/;

const RESPONSE_MODE = "lambda-runtime-function-response-mode";

/** Serves what is not the Runtime API; false when it is for nobody. */
type Others = (request: http.IncomingMessage, response: http.ServerResponse, answer: Answer) => Promise<boolean>;

/** Serves one runtime process at a time; `reset` makes it forget the one before. */
export class RuntimeApi {
  /** `host:port`, for AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  readonly #server: http.Server;
  #listener: RuntimeListener | undefined;
  #others: Others | undefined;
  #waiting: http.ServerResponse | undefined;
  #initialized = false;
  #current: string | undefined;
  #streamed = false;

  private constructor(server: http.Server) {
    this.#server = server;
    const { address, port } = server.address() as AddressInfo;
    this.address = `${address}:${port}`;
    server.on("request", (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<RuntimeApi> {
    // An idle /next may last for hours: no time limit may ever close it.
    const server = http.createServer({
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0,
      maxHeaderSize: HEADER_LIMIT,
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new RuntimeApi(server);
  }

  /** The limits that could close an idle `/next`; ms, 0 for none. */
  get timeouts(): Pick<http.Server, "keepAliveTimeout" | "requestTimeout" | "headersTimeout" | "timeout"> {
    const { keepAliveTimeout, requestTimeout, headersTimeout, timeout } = this.#server;
    return { keepAliveTimeout, requestTimeout, headersTimeout, timeout };
  }

  /** A new runtime process is about to connect: its listener, and no memory of the last one. */
  reset(listener: RuntimeListener, others?: Others): void {
    this.#listener = listener;
    this.#others = others;
    this.#waiting?.destroy();
    this.#waiting = undefined;
    this.#initialized = false;
    this.#current = undefined;
  }

  /** Answers the waiting `/next`; a runtime that has gone meanwhile gets nothing. */
  send(invocation: NextInvocation): void {
    const response = this.#waiting;
    if (response === undefined) return;
    this.#waiting = undefined;
    this.#current = invocation.requestId;
    this.#streamed = invocation.streamed === true;
    // Without a Content-Type the addon crashes with a segmentation fault.
    response.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": invocation.payload.length,
      "Lambda-Runtime-Aws-Request-Id": invocation.requestId,
      "Lambda-Runtime-Deadline-Ms": String(invocation.deadline),
      "Lambda-Runtime-Invoked-Function-Arn": invocation.functionArn,
      "Lambda-Runtime-Trace-Id": invocation.traceId,
      ...(invocation.clientContext === undefined ? {} : { "Lambda-Runtime-Client-Context": invocation.clientContext }),
    });
    response.end(invocation.payload);
  }

  async stop(): Promise<void> {
    this.#listener = undefined;
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const answer: Answer = (status, body, headers = {}) => {
      const text = JSON.stringify(body);
      const length = Buffer.byteLength(text);
      response.writeHead(status, { "Content-Type": "application/json", "Content-Length": length, ...headers });
      response.end(text);
    };
    const [, init, next, requestId, outcome] = ROUTE.exec(request.url ?? "") ?? [];
    if (request.method === "GET" && next !== undefined) this.#next(request, response, answer);
    else if (request.method === "POST" && init !== undefined) await this.#initError(request, answer);
    else if (request.method === "POST" && outcome === "response") await this.#response(requestId, request, answer);
    else if (request.method === "POST" && outcome === "error") await this.#invocationError(requestId, request, answer);
    else if (!(await this.#others?.(request, response, answer)))
      answer(404, { errorMessage: `no such path: ${request.method} ${request.url}`, errorType: "NotFound" });
  }

  #next(request: http.IncomingMessage, response: http.ServerResponse, answer: Answer): void {
    request.resume();
    // Also refused: asking for more before the answer to the invocation in hand, as AWS's state machine does.
    if (this.#waiting !== undefined || this.#current !== undefined) {
      answer(403, { errorMessage: "State transition is not allowed", errorType: "InvalidStateTransition" });
      return;
    }
    this.#initialized = true;
    this.#waiting = response;
    response.once("close", () => {
      if (this.#waiting === response) this.#waiting = undefined;
    });
    this.#listener?.onNext();
  }

  async #initError(request: http.IncomingMessage, answer: Answer): Promise<void> {
    const body = await buffer(request);
    if (this.#initialized) {
      answer(403, { errorMessage: "State transition is not allowed", errorType: "InvalidStateTransition" });
      return;
    }
    this.#listener?.onInitError(body);
    answer(202, { status: "OK" });
  }

  async #response(requestId: string | undefined, request: http.IncomingMessage, answer: Answer): Promise<void> {
    const isMine = requestId !== undefined && requestId === this.#current;
    const forward = this.#streamed && isMine && request.headers[RESPONSE_MODE] === "streaming";
    const body = forward ? await this.#forward(request) : await readAtMost(request, RESPONSE_LIMIT);
    if (!this.#take(requestId, answer)) return;
    const trailer = request.trailers["lambda-runtime-function-error-body"];
    if (body === undefined) {
      this.#listener?.onResponseTooLarge();
      const errorMessage = `Exceeded maximum allowed payload size (${RESPONSE_LIMIT} bytes).`;
      answer(413, { errorMessage, errorType: "RequestEntityTooLarge" });
      return;
    }
    // A streamed response that fails half-way carries its error, base64 JSON, in a trailer.
    if (typeof trailer === "string") this.#listener?.onInvocationError(Buffer.from(trailer, "base64"));
    else this.#listener?.onResponse(body);
    answer(202, { status: "OK" });
  }

  /** Hands on the parts as they come; the body is then empty, or undefined when there is too much. */
  async #forward(request: http.IncomingMessage): Promise<Buffer | undefined> {
    let length = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length <= STREAM_LIMIT) this.#listener?.onResponseChunk(chunk);
    }
    return length > STREAM_LIMIT ? undefined : Buffer.alloc(0);
  }

  async #invocationError(requestId: string | undefined, request: http.IncomingMessage, answer: Answer): Promise<void> {
    const body = await buffer(request);
    if (!this.#take(requestId, answer)) return;
    this.#listener?.onInvocationError(body);
    answer(202, { status: "OK" });
  }

  /** Each invocation is answered once; an unknown or already answered id is refused. */
  #take(requestId: string | undefined, answer: Answer): boolean {
    if (requestId !== undefined && requestId === this.#current) {
      this.#current = undefined;
      return true;
    }
    answer(400, { errorMessage: "Invalid request ID", errorType: "InvalidRequestID" });
    return false;
  }
}

/** The body, or undefined when it is longer; read to its end in any case, so that the client gets its answer. */
async function readAtMost(request: http.IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  return length > limit ? undefined : Buffer.concat(chunks, length);
}
