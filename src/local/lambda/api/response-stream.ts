import type http from "node:http";
import { EventStreamCodec } from "@smithy/core/event-streams";
import type { InvocationResult } from "../environment/invocation.ts";
import { REQUEST_LIMIT, readInvokeHeaders } from "./invoke-operation.ts";
import { type Answer, readBody, resolveFunction, type ServedFunction, type Target } from "./operation.ts";
import { parsePayload } from "./payload.ts";

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString(),
  (text) => Buffer.from(text),
);

/**
 * Answers with AWS's event stream: PayloadChunk events as the function writes them, then InvokeComplete.
 * https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
 */
export async function invokeWithResponseStream(
  { lambda }: ServedFunction,
  request: http.IncomingMessage,
  target: Target,
): Promise<Answer> {
  const body = await readBody(request, REQUEST_LIMIT);
  const functionArn = resolveFunction(lambda, target);
  const payload = parsePayload(body);
  if (request.headers["x-amz-invocation-type"] === "DryRun") return { status: 204, body: "" };
  const chunks = new Chunks();
  const options = { functionArn, ...readInvokeHeaders(request), onChunk: (chunk: Buffer) => chunks.push(chunk) };
  const running = lambda.invoke(payload, options);
  running.then(
    () => chunks.end(),
    (error: unknown) => chunks.fail(error),
  );
  await chunks.started;
  const withLog = request.headers["x-amz-log-type"] === "Tail";
  return {
    status: 200,
    headers: {
      "Content-Type": "application/vnd.amazon.eventstream",
      "X-Amz-Executed-Version": "$LATEST",
      "X-Amz-Invoked-Function-Arn": functionArn,
    },
    body: makeEvents(chunks, running, withLog),
  };
}

async function* makeEvents(
  chunks: Chunks,
  running: Promise<InvocationResult>,
  withLog: boolean,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield makeChunk(chunk);
  const { functionError, payload, logTail } = await running;
  // A function that does not stream has its whole response here.
  if (functionError === undefined && payload.length > 0) yield makeChunk(payload);
  const failure = functionError === undefined ? {} : { ErrorCode: functionError, ErrorDetails: payload.toString() };
  const complete = { ...failure, ...(withLog ? { LogResult: logTail.toString("base64") } : {}) };
  yield makeEvent("InvokeComplete", "application/json", Buffer.from(JSON.stringify(complete)));
}

function makeChunk(chunk: Buffer): Uint8Array {
  return makeEvent("PayloadChunk", "application/octet-stream", chunk);
}

function makeEvent(eventType: string, contentType: string, body: Uint8Array): Uint8Array {
  const text = (value: string): { type: "string"; value: string } => ({ type: "string", value });
  const headers = {
    ":event-type": text(eventType),
    ":content-type": text(contentType),
    ":message-type": text("event"),
  };
  return codec.encode({ headers, body });
}

/** What the function has written and nobody has read yet. */
class Chunks {
  readonly #unread: Buffer[] = [];
  readonly #beginning = Promise.withResolvers<void>();
  #wake: () => void = () => {};
  #ended = false;

  /** Resolves with the first chunk or the end; rejects when there is no invocation, as when it is throttled. */
  get started(): Promise<void> {
    return this.#beginning.promise;
  }

  push(chunk: Buffer): void {
    this.#unread.push(chunk);
    this.#beginning.resolve();
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#beginning.resolve();
    this.#wake();
  }

  fail(error: unknown): void {
    this.#beginning.reject(error);
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = this.#unread.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
