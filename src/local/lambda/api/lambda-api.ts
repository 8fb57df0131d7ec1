import { randomUUID } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StackError } from "../../../ops/errors.ts";
import type { Clock } from "../asynchronous/clock.ts";
import { getConfiguration, getFunction, listFunctions, updateCode } from "./function-operations.ts";
import { invoke } from "./invoke-operation.ts";
import { type Answer, functionNameOf, readBody, type ServedFunction, type Target } from "./operation.ts";
import { invokeWithResponseStream } from "./response-stream.ts";
import { invalidParameter, ServiceError, toServiceError } from "./service-error.ts";

/** The AWS Lambda API on loopback, as far as functions that are loaded need it. https://docs.aws.amazon.com/lambda/latest/api/ */

export interface LambdaApi {
  readonly port: number;
  readonly url: string;
  /** Takes no more requests; resolves when those under way are answered. */
  stop(): Promise<void>;
}

/** Serves these functions, of which there is at least one, and the time of their retries. `port` 0 takes a free one. Rejects with a StackError when the port is in use. */
export async function startLambdaApi(
  served: readonly ServedFunction[],
  port: number,
  clock?: Clock,
): Promise<LambdaApi> {
  const server = http.createServer((request, response) => {
    const answer =
      request.url === CLOCK_PATH && clock !== undefined ? putForward(clock, request) : serve(served, request);
    answer.then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, errorAnswer(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(describeListenError(error, port)));
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    url: `http://${address.address}:${address.port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function describeListenError(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code !== "EADDRINUSE") return error;
  return new StackError(`port ${port} is in use: stop the program that listens on it, or choose another with --port`, {
    cause: error,
  });
}

/** Not AWS's: a test puts the time of retries forward instead of waiting for it. */
const CLOCK_PATH = "/local-lambda/clock";

async function putForward(clock: Clock, request: http.IncomingMessage): Promise<Answer> {
  const body = await readBody(request, 1024);
  const seconds =
    request.method === "POST" ? Number(/^\{"advanceSeconds":\s*([\d.]+)\}$/.exec(`${body}`)?.[1]) : Number.NaN;
  if (!(seconds >= 0))
    throw invalidParameter('clock: expected POST {"advanceSeconds": <a number that is not negative>}');
  clock.advance(seconds * 1000);
  return { status: 200, body: JSON.stringify({ now: new Date(clock.now()).toISOString() }) };
}

type Operation = (served: ServedFunction, request: http.IncomingMessage, target: Target) => Promise<Answer>;

const PATH = /^\/2015-03-31\/functions(?:\/([^/?]*)(\/[a-z]+)?)?\/?(?:\?(.*))?$/;

/** By method and what follows the function's name. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  "POST /invocations": invoke,
  "GET ": getFunction,
  "GET /configuration": getConfiguration,
  "PUT /code": updateCode,
};

/** https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html */
const STREAM_PATH = /^\/2021-11-15\/functions\/([^/?]+)\/response-streaming-invocations(?:\?(.*))?$/;

async function serve(all: readonly ServedFunction[], request: http.IncomingMessage): Promise<Answer> {
  const [, streaming, streamQuery] = STREAM_PATH.exec(request.url ?? "") ?? [];
  if (streaming !== undefined && request.method === "POST")
    return answerFor(invokeWithResponseStream, all, request, readTarget(streaming, streamQuery));
  const match = PATH.exec(request.url ?? "");
  const [, name, rest = "", query] = match ?? [];
  if (match !== null && !name && request.method === "GET") return listFunctions(all);
  const operation = name ? OPERATIONS[`${request.method} ${rest}`] : undefined;
  if (operation === undefined || !name) throw unknownOperation(request);
  return answerFor(operation, all, request, readTarget(name, query));
}

/** An operation refuses a name that is not its function's: for an unknown one any function will do. */
function answerFor(
  operation: Operation,
  all: readonly ServedFunction[],
  request: http.IncomingMessage,
  target: Target,
): Promise<Answer> {
  const served = all.find(({ lambda }) => lambda.fn.name === functionNameOf(target)) ?? all[0];
  if (served === undefined) throw unknownOperation(request);
  return operation(served, request, target);
}

function readTarget(name: string, query: string | undefined): Target {
  const qualifier = new URLSearchParams(query).get("Qualifier");
  try {
    return { name: decodeURIComponent(name), qualifier };
  } catch {
    throw invalidParameter(`function name: expected percent-encoded UTF-8, got ${JSON.stringify(name)}`);
  }
}

function unknownOperation(request: http.IncomingMessage): ServiceError {
  return new ServiceError(404, "UnknownOperationException", {
    message: `expected Invoke, InvokeWithResponseStream, ListFunctions, GetFunction, GetFunctionConfiguration or UpdateFunctionCode, got ${request.method} ${request.url}`,
  });
}

function errorAnswer(error: unknown): Answer {
  const { status, type, members } = toServiceError(error);
  return { status, headers: { "x-amzn-ErrorType": type }, body: JSON.stringify(members) };
}

function send(response: http.ServerResponse, answer: Answer): void {
  const headers: http.OutgoingHttpHeaders = {
    "Content-Type": "application/json",
    "x-amzn-RequestId": randomUUID(),
    ...answer.headers,
  };
  const { status, body } = answer;
  if (typeof body === "string" || Buffer.isBuffer(body)) {
    if (status !== 204) headers["Content-Length"] = Buffer.byteLength(body);
    response.writeHead(status, headers).end(body);
    return;
  }
  response.writeHead(status, headers).flushHeaders();
  pipeline(Readable.from(body), response).catch(() => {}); // the client has gone
}
