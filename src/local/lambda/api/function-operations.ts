import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "../../../ops/errors.ts";
import { type FunctionConfiguration, functionArn } from "../function.ts";
import type { LocalLambda } from "../local-lambda.ts";
import { type Answer, readBody, resolveFunction, type ServedFunction, type Target } from "./operation.ts";
import { invalidParameter } from "./service-error.ts";

/** The operations that deploy scripts and waiters use: list, get, update code. */

/** AWS takes 50 MB of zip directly; in base64, within JSON. */
const UPDATE_LIMIT = 70 * 1024 * 1024;

const json = (body: object): Answer => ({ status: 200, body: JSON.stringify(body) });

/** https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html */
export async function listFunctions(all: readonly ServedFunction[]): Promise<Answer> {
  return json({ Functions: all.map(({ lambda }) => describeFunction(lambda)) });
}

/** https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html */
export async function getFunction(
  { lambda }: ServedFunction,
  _request: http.IncomingMessage,
  target: Target,
): Promise<Answer> {
  resolveFunction(lambda, target);
  const Code = { RepositoryType: "S3", Location: `file://${lambda.fn.code}` };
  return json({ Configuration: describeFunction(lambda), Code, Tags: {} });
}

/** https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html */
export async function getConfiguration(
  { lambda }: ServedFunction,
  _request: http.IncomingMessage,
  target: Target,
): Promise<Answer> {
  resolveFunction(lambda, target);
  return json(describeFunction(lambda));
}

/** https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html; only a zip in the request is supported. */
export async function updateCode(
  { lambda }: ServedFunction,
  request: http.IncomingMessage,
  target: Target,
): Promise<Answer> {
  const body = await readBody(request, UPDATE_LIMIT);
  resolveFunction(lambda, target);
  const zip = parseZipFile(body);
  const folder = await mkdtemp(join(tmpdir(), "local-lambda-update-"));
  try {
    const path = join(folder, "code.zip");
    await writeFile(path, zip);
    await lambda.updateCode(path);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again.");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return json(describeFunction(lambda));
}

function parseZipFile(body: Buffer): Buffer {
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    throw invalidParameter("expected a JSON object with ZipFile");
  }
  const others = Object.keys(given).filter((name) => name !== "ZipFile" && name !== "Publish" && given[name] !== null);
  if (others.length > 0) throw invalidParameter(`expected ZipFile alone, ${others.join(", ")} is not supported here`);
  if (given.Publish === true) throw invalidParameter("Publish: versions are not supported here");
  if (typeof given.ZipFile !== "string") throw invalidParameter("ZipFile: expected a zip in base64, got nothing");
  return Buffer.from(given.ZipFile, "base64");
}

/** Members as AWS answers them; a function here is always active. */
function describeFunction({ fn, code }: LocalLambda): object {
  return {
    FunctionName: fn.name,
    FunctionArn: functionArn(fn),
    Runtime: fn.runtime,
    Role: "arn:aws:iam::123456789012:role/local",
    Handler: fn.handler,
    CodeSize: code.size,
    Description: "",
    Timeout: fn.timeout,
    MemorySize: fn.memorySize,
    LastModified: code.unpackedAt.toISOString().replace("Z", "+0000"),
    CodeSha256: code.sha256,
    Version: "$LATEST",
    Environment: { Variables: fn.environment },
    TracingConfig: { Mode: "PassThrough" },
    RevisionId: randomUUID(),
    State: "Active",
    LastUpdateStatus: "Successful",
    PackageType: "Zip",
    Architectures: [process.arch === "arm64" ? "arm64" : "x86_64"],
    EphemeralStorage: { Size: fn.ephemeralStorage },
    SnapStart: { ApplyOn: "None", OptimizationStatus: "Off" },
    LoggingConfig: describeLogging(fn),
  };
}

function describeLogging({ name, logFormat, applicationLogLevel, systemLogLevel }: FunctionConfiguration): object {
  const levels = { ApplicationLogLevel: applicationLogLevel, SystemLogLevel: systemLogLevel };
  return { LogFormat: logFormat, ...(logFormat === "JSON" ? levels : {}), LogGroup: `/aws/lambda/${name}` };
}
