import http from "node:http";
import type { AddressInfo } from "node:net";
import { StackError } from "../../ops/errors.ts";
import type { AsynchronousInvocations } from "./asynchronous-invocations.ts";
import { functionArn } from "./function.ts";
import type { InvocationResult } from "./invocation.ts";
import { type LocalLambda, TooManyRequestsError } from "./local-lambda.ts";
import { InvalidPayloadError, parsePayload } from "./payload.ts";
import { RESPONSE_LIMIT } from "./runtime-api.ts";

/**
 * The Invoke operation of the AWS Lambda API on loopback.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html; errors as recorded from AWS.
 */

/** The largest request, bytes: as the largest response; of an asynchronous invocation 1 MiB (256 KiB until October 2025). */
const REQUEST_LIMIT = RESPONSE_LIMIT;
const EVENT_LIMIT = 1024 * 1024;

const INVOCATION_TYPES: ReadonlySet<string> = new Set(["RequestResponse", "Event", "DryRun"]);

const ROUTE = /^\/2015-03-31\/functions\/([^/?]+)\/invocations(?:\?(.*))?$/;

export interface InvokeApi {
  readonly port: number;
  readonly url: string;
  /** Takes no more requests; resolves when those under way are answered. */
  stop(): Promise<void>;
}

/** What is served: a function, and the machinery of its asynchronous invocations. */
export interface ServedFunction {
  readonly lambda: LocalLambda;
  readonly events: AsynchronousInvocations;
}

/** Serves one function. `port` 0 takes a free one. Rejects with a StackError when the port is in use. */
export async function startInvokeApi(served: ServedFunction, port: number): Promise<InvokeApi> {
  const server = http.createServer((request, response) => {
    serve(served, request).then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, serviceError(error)),
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

interface Answer {
  readonly status: number;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body: Buffer | string;
}

/** An answer of the service itself: the client's SDK makes an exception of its type. */
class ServiceError extends Error {
  readonly status: number;
  readonly type: string;
  readonly members: Readonly<Record<string, string>>;

  constructor(status: number, type: string, members: Readonly<Record<string, string>>) {
    super(type);
    this.status = status;
    this.type = type;
    this.members = members;
  }
}

async function serve({ lambda, events }: ServedFunction, request: http.IncomingMessage): Promise<Answer> {
  const [, encodedName, query] = ROUTE.exec(request.url ?? "") ?? [];
  if (request.method !== "POST" || encodedName === undefined) throw unknownOperation(request);
  const type = request.headers["x-amz-invocation-type"] ?? "RequestResponse";
  const body = await readBody(request, type === "Event" ? EVENT_LIMIT : REQUEST_LIMIT);
  const qualifier = new URLSearchParams(query).get("Qualifier");
  const functionArn = resolveFunction(lambda, decodeURIComponent(encodedName), qualifier);
  if (!INVOCATION_TYPES.has(String(type))) throw unknownInvocationType(String(type));
  const payload = parsePayload(body);
  if (type === "DryRun") return { status: 204, body: "" };
  if (type === "Event") {
    const requestId = await events.accept(payload);
    return { status: 202, headers: { "x-amzn-RequestId": requestId }, body: "" };
  }
  const clientContext = decodeClientContext(request.headers["x-amz-client-context"]);
  const traceId = request.headers["x-amzn-trace-id"];
  const result = await lambda.invoke(payload, {
    functionArn,
    clientContext,
    traceId: typeof traceId === "string" ? traceId : undefined,
  });
  return invocationAnswer(result, request.headers["x-amz-log-type"] === "Tail");
}

function invocationAnswer(result: InvocationResult, withLog: boolean): Answer {
  return {
    status: 200,
    headers: {
      "x-amzn-RequestId": result.requestId,
      "X-Amz-Executed-Version": "$LATEST",
      ...(result.functionError === undefined ? {} : { "X-Amz-Function-Error": result.functionError }),
      ...(withLog ? { "X-Amz-Log-Result": result.logTail.toString("base64") } : {}),
    },
    body: result.payload,
  };
}

async function readBody(request: http.IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
  }
  if (length > limit) {
    throw new ServiceError(413, "RequestTooLargeException", {
      Type: "User",
      message: `Request must be smaller than ${limit} bytes for the InvokeFunction operation`,
    });
  }
  return Buffer.concat(chunks, length);
}

/** The ARN as the caller meant it, qualified if they qualified it: AWS takes a name, a partial ARN or an ARN. */
function resolveFunction(lambda: LocalLambda, given: string, qualifierParameter: string | null): string {
  const arn = functionArn(lambda.fn);
  const [, name = "", qualifierInName] = /^(?:.*:function:|\d{12}:)?([^:]*)(?::(.*))?$/.exec(given) ?? [];
  const qualifier = qualifierParameter ?? qualifierInName;
  if (name === lambda.fn.name && (qualifier === undefined || qualifier === "$LATEST"))
    return qualifier === undefined ? arn : `${arn}:${qualifier}`;
  const asked = `${functionArn({ ...lambda.fn, name })}:${qualifier ?? "$LATEST"}`;
  throw new ServiceError(404, "ResourceNotFoundException", { Type: "User", Message: `Function not found: ${asked}` });
}

function decodeClientContext(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = Buffer.from(String(header), "base64").toString();
  try {
    JSON.parse(text);
  } catch {
    const message = "Client context must be a valid Base64-encoded JSON object.";
    throw new ServiceError(400, "InvalidRequestContentException", { Type: "User", message });
  }
  return text;
}

function unknownInvocationType(type: string): ServiceError {
  return new ServiceError(400, "InvalidParameterValueException", {
    Type: "User",
    message: `invocation type: expected ${[...INVOCATION_TYPES].join(", ")}, got ${JSON.stringify(type)}`,
  });
}

function unknownOperation(request: http.IncomingMessage): ServiceError {
  return new ServiceError(404, "UnknownOperationException", {
    message: `expected POST /2015-03-31/functions/NAME/invocations, got ${request.method} ${request.url}`,
  });
}

function serviceError(error: unknown): Answer {
  const known =
    error instanceof ServiceError
      ? error
      : error instanceof InvalidPayloadError
        ? new ServiceError(400, "InvalidRequestContentException", { Type: "User", message: error.message })
        : error instanceof TooManyRequestsError
          ? new ServiceError(429, "TooManyRequestsException", {
              Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
              Type: "User",
              message: "Rate Exceeded.",
            })
          : new ServiceError(500, "ServiceException", { Type: "Service", message: String(error) });
  return {
    status: known.status,
    headers: { "x-amzn-ErrorType": known.type },
    body: JSON.stringify(known.members),
  };
}

function send(response: http.ServerResponse, answer: Answer): void {
  const headers: http.OutgoingHttpHeaders = { "Content-Type": "application/json", ...answer.headers };
  if (answer.status !== 204) headers["Content-Length"] = Buffer.byteLength(answer.body);
  response.writeHead(answer.status, headers).end(answer.body);
}
