import { ConfigurationError } from "../../ops/errors.ts";
import { SUPPORTED_RUNTIMES } from "./runtime/runtime.ts";

/** One Lambda function as AWS describes it. Defaults are AWS's own; changing them costs what it costs on AWS. */
export interface FunctionConfiguration {
  readonly name: string;
  /** `<module>.<export>`, the module's path relative to the root of the code. */
  readonly handler: string;
  readonly runtime: string;
  /** MB, 128 to 10240. */
  readonly memorySize: number;
  /** Seconds, 1 to 900. */
  readonly timeout: number;
  readonly environment: Readonly<Record<string, string>>;
  /** A zip file, or a folder that is used as it is. */
  readonly code: string;
  /** Zip files or folders, unpacked one over the other at /opt; at most 5. */
  readonly layers: readonly string[];
  /** MB of the private /tmp, 512 to 10240. */
  readonly ephemeralStorage: number;
  readonly logFormat: LogFormat;
  /** JSON format only: the least level of the function's own lines, and of Lambda's. */
  readonly applicationLogLevel: ApplicationLogLevel;
  readonly systemLogLevel: SystemLogLevel;
  readonly region: string;
}

export const LOG_FORMATS = ["Text", "JSON"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export const APPLICATION_LOG_LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;
export type ApplicationLogLevel = (typeof APPLICATION_LOG_LEVELS)[number];

export const SYSTEM_LOG_LEVELS = ["DEBUG", "INFO", "WARN"] as const;
export type SystemLogLevel = (typeof SYSTEM_LOG_LEVELS)[number];

/** AWS's limit on the layers of a function. */
const MOST_LAYERS = 5;

/** The account of every local function's ARN; AWS's documentation uses the same one. */
export const ACCOUNT_ID = "123456789012";

const DEFAULTS: Omit<FunctionConfiguration, "code"> = {
  name: "function",
  handler: "index.handler",
  runtime: "nodejs24.x",
  memorySize: 128,
  timeout: 3,
  environment: {},
  layers: [],
  ephemeralStorage: 512,
  logFormat: "Text",
  applicationLogLevel: "INFO",
  systemLogLevel: "INFO",
  region: "us-east-1",
};

/** What a caller may leave out; `undefined` means the default. */
export type FunctionInput = { readonly [K in keyof FunctionConfiguration]?: FunctionConfiguration[K] | undefined };

/** Defaults filled in and every rule of AWS checked; throws one ConfigurationError with all problems. */
export function makeFunctionConfiguration(input: FunctionInput): FunctionConfiguration {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const configuration = { ...DEFAULTS, ...given } as FunctionConfiguration;
  const problems = validateFunctionConfiguration(configuration);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return Object.freeze(configuration);
}

function validateFunctionConfiguration(fn: FunctionConfiguration): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, what: string, expected: string, got: unknown): void => {
    if (!holds) problems.push(`${what}: expected ${expected}, got ${JSON.stringify(got) ?? "nothing"}`);
  };
  const whole = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  expect(typeof fn.code === "string" && fn.code !== "", "code", "the path of a zip file or a folder", fn.code);
  expect(/^[A-Za-z0-9_-]{1,64}$/.test(fn.name), "function name", "1 to 64 letters, digits, - or _", fn.name);
  expect(/^\S{1,128}$/.test(fn.handler), "handler", "1 to 128 characters without white space", fn.handler);
  const oneOf = (what: string, choices: readonly string[], got: string): void =>
    expect(choices.includes(got), what, `one of ${choices.join(", ")}`, got);
  oneOf("runtime", SUPPORTED_RUNTIMES, fn.runtime);
  expect(whole(fn.memorySize, 128, 10_240), "memory size", "whole MB from 128 to 10240", fn.memorySize);
  expect(whole(fn.timeout, 1, 900), "timeout", "whole seconds from 1 to 900", fn.timeout);
  expect(
    whole(fn.ephemeralStorage, 512, 10_240),
    "ephemeral storage",
    "whole MB from 512 to 10240",
    fn.ephemeralStorage,
  );
  expect(fn.layers.length <= MOST_LAYERS, "layers", `at most ${MOST_LAYERS}`, fn.layers.length);
  oneOf("log format", LOG_FORMATS, fn.logFormat);
  oneOf("application log level", APPLICATION_LOG_LEVELS, fn.applicationLogLevel);
  oneOf("system log level", SYSTEM_LOG_LEVELS, fn.systemLogLevel);
  problems.push(...validateEnvironmentVariables(fn.environment));
  return problems;
}

/** Set by Lambda itself; AWS refuses a function that sets one. Credentials and region may be set, for lack of a role. */
const RESERVED = [
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_FUNCTION_NAME",
  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_LAMBDA_RUNTIME_API",
  "LAMBDA_TASK_ROOT",
  "LAMBDA_RUNTIME_DIR",
];

/** AWS's limit on names and values together. */
const ENVIRONMENT_BYTES = 4096;

function validateEnvironmentVariables(environment: Readonly<Record<string, string>>): string[] {
  const problems: string[] = [];
  let bytes = 0;
  for (const [name, value] of Object.entries(environment)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    if (!/^[A-Za-z]\w+$/.test(name))
      problems.push(`environment variable: expected a letter, then letters, digits or _, got ${JSON.stringify(name)}`);
    else if (RESERVED.includes(name)) problems.push(`environment variable ${name}: reserved, Lambda sets it`);
    if (value.includes("\0")) problems.push(`environment variable ${name}: expected text without NUL, got one`);
  }
  if (bytes > ENVIRONMENT_BYTES)
    problems.push(`environment: expected at most ${ENVIRONMENT_BYTES} bytes together, got ${bytes}`);
  return problems;
}

/** The function's ARN, unqualified. */
export function functionArn(fn: Pick<FunctionConfiguration, "name" | "region">): string {
  return `arn:aws:lambda:${fn.region}:${ACCOUNT_ID}:function:${fn.name}`;
}
