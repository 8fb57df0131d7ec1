import type http from "node:http";
import type { AsynchronousInvocations } from "../asynchronous/asynchronous-invocations.ts";
import { functionArn } from "../function.ts";
import type { LocalLambda } from "../local-lambda.ts";
import { ServiceError } from "./service-error.ts";

/** What the operations of the Lambda API have in common: what they work on, what they are asked, what they answer. */

/** A function, and the machinery of its asynchronous invocations. */
export interface ServedFunction {
  readonly lambda: LocalLambda;
  readonly events: AsynchronousInvocations;
}

/** The function that a request names: a name, a partial ARN or an ARN, and perhaps a qualifier. */
export interface Target {
  readonly name: string;
  readonly qualifier: string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body: Buffer | string | AsyncIterable<Uint8Array>;
}

/** The whole body, at most `limit` bytes of it; a longer one is read to its end and refused. */
export async function readBody(request: http.IncomingMessage, limit: number): Promise<Buffer> {
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

const NAME = /^(?:.*:function:|\d{12}:)?([^:]*)(?::(.*))?$/;

/** The name in what may be a name, a partial ARN or an ARN. */
export function functionNameOf({ name }: Target): string {
  return NAME.exec(name)?.[1] ?? "";
}

/** The ARN as the caller meant it, qualified if they qualified it: AWS takes a name, a partial ARN or an ARN. */
export function resolveFunction({ fn }: LocalLambda, { name: given, qualifier: parameter }: Target): string {
  const arn = functionArn(fn);
  const [, name = "", qualifierInName] = NAME.exec(given) ?? [];
  const qualifier = parameter ?? qualifierInName;
  if (name === fn.name && (qualifier === undefined || qualifier === "$LATEST"))
    return qualifier === undefined ? arn : `${arn}:${qualifier}`;
  const asked = `${functionArn({ ...fn, name })}:${qualifier ?? "$LATEST"}`;
  throw new ServiceError(404, "ResourceNotFoundException", { Type: "User", Message: `Function not found: ${asked}` });
}
