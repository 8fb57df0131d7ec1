import { AwsClient } from "aws4fetch";

/**
 * One call of an AWS service that speaks AWS's JSON 1.1 protocol, with the function's own role. The SDK's client would cost
 * 70 ms of a cold start; this costs nothing until it is called.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */

/** The services that are called: the first part of an operation's name on the wire, and what names their endpoint. */
const SERVICES = {
  kms: { target: "TrentService", variable: "AWS_ENDPOINT_URL_KMS", name: "KMS" },
  secretsmanager: {
    target: "secretsmanager",
    variable: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    name: "Secrets Manager",
  },
  ssm: { target: "AmazonSSM", variable: "AWS_ENDPOINT_URL_SSM", name: "SSM Parameter Store" },
} as const;

/** The service did not do it. The message names service, region and what it said. */
export class AwsApiError extends Error {
  override readonly name = "AwsApiError";
  readonly code = "ERR_AWS_API";
}

export interface AwsCall {
  readonly service: keyof typeof SERVICES;
  readonly region: string;
  /** Such as `Decrypt`. */
  readonly operation: string;
  readonly input: object;
  /** Milliseconds until it is given up. */
  readonly limit: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** More tries of a call that was throttled or failed on the service's side. */
const RETRIES = 3;

/** The answer's members. Credentials and endpoint are those of the environment, as AWS's SDKs read them. */
export async function callAws(
  { service, region, operation, input, limit }: AwsCall,
  environment: Environment = process.env,
): Promise<Record<string, unknown>> {
  const { target, name } = SERVICES[service];
  const failure = (what: string, cause?: unknown): AwsApiError =>
    new AwsApiError(`${name} in ${region}: ${operation}: ${what}`, { cause });
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  if (!accessKeyId || !secretAccessKey)
    throw failure("expected credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, got none");
  const sessionToken = environment.AWS_SESSION_TOKEN || undefined;
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    service,
    region,
    retries: RETRIES,
  });
  const request = {
    method: "POST",
    headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": `${target}.${operation}` },
    body: JSON.stringify(input),
    signal: AbortSignal.timeout(Math.max(0, Math.ceil(limit))),
  };
  let answer: { readonly ok: boolean; readonly status: number; readonly body: Record<string, unknown> };
  try {
    const response = await client.fetch(endpointOf(service, region, environment), request);
    answer = { ok: response.ok, status: response.status, body: parseObject(await response.text()) };
  } catch (cause) {
    throw failure(describeNetworkError(cause, limit), cause);
  }
  if (answer.ok) return answer.body;
  const { __type: type, message, Message } = answer.body;
  const word = typeof type === "string" ? type.slice(type.lastIndexOf("#") + 1) : `HTTP ${answer.status}`;
  throw failure([word, String(message ?? Message ?? "").slice(0, 300)].filter(Boolean).join(": "));
}

function endpointOf(service: keyof typeof SERVICES, region: string, environment: Environment): string {
  const own = environment[SERVICES[service].variable] || environment.AWS_ENDPOINT_URL;
  return own || `https://${service}.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}/`;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function describeNetworkError(error: unknown, limit: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${Math.round(Math.max(0, limit))} ms`;
  const { cause } = error as { readonly cause?: NodeJS.ErrnoException };
  return cause?.code ?? cause?.message ?? error.message;
}
