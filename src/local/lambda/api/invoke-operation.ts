import type http from "node:http";
import type { InvocationResult } from "../environment/invocation.ts";
import { RESPONSE_LIMIT } from "../environment/runtime-api.ts";
import type { InvokeOptions } from "../local-lambda.ts";
import { type Answer, readBody, resolveFunction, type ServedFunction, type Target } from "./operation.ts";
import { parsePayload } from "./payload.ts";
import { ServiceError } from "./service-error.ts";

/** The largest request, bytes: as the largest response; of an asynchronous invocation 1 MiB (256 KiB until October 2025). */
export const REQUEST_LIMIT = RESPONSE_LIMIT;
const EVENT_LIMIT = 1024 * 1024;

const INVOCATION_TYPES: ReadonlySet<string> = new Set(["Event", "RequestResponse", "DryRun"]);

/** https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html; errors as recorded from AWS. */
export async function invoke(
  { lambda, events }: ServedFunction,
  request: http.IncomingMessage,
  target: Target,
): Promise<Answer> {
  const type = request.headers["x-amz-invocation-type"] ?? "RequestResponse";
  const body = await readBody(request, type === "Event" ? EVENT_LIMIT : REQUEST_LIMIT);
  const functionArn = resolveFunction(lambda, target);
  if (!INVOCATION_TYPES.has(String(type))) throw unknownInvocationType(String(type));
  const payload = parsePayload(body);
  if (type === "DryRun") return { status: 204, body: "" };
  if (type === "Event") {
    const requestId = await events.accept(payload);
    return { status: 202, headers: { "x-amzn-RequestId": requestId }, body: "" };
  }
  const result = await lambda.invoke(payload, { functionArn, ...readInvokeHeaders(request) });
  return invocationAnswer(result, request.headers["x-amz-log-type"] === "Tail");
}

/** What else a caller says of an invocation. */
export function readInvokeHeaders({ headers }: http.IncomingMessage): Pick<InvokeOptions, "clientContext" | "traceId"> {
  const traceId = headers["x-amzn-trace-id"];
  return {
    clientContext: decodeClientContext(headers["x-amz-client-context"]),
    traceId: typeof traceId === "string" ? traceId : undefined,
  };
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
  const constraint = `Member must satisfy enum value set: [${[...INVOCATION_TYPES].join(", ")}]`;
  return new ServiceError(400, "ValidationException", {
    message: `1 validation error detected: Value '${type}' at 'invocationType' failed to satisfy constraint: ${constraint}`,
  });
}
