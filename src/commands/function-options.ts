import { type Command, InvalidArgumentError, Option } from "commander";
import { readEnvironmentFile } from "../local/development.ts";
import {
  type FunctionConfiguration,
  LOG_FORMATS,
  type LogFormat,
  makeFunctionConfiguration,
} from "../local/lambda/function.ts";
import { SUPPORTED_RUNTIMES } from "../local/lambda/runtime/runtime.ts";
import type { Inspect } from "../local/lambda/runtime/runtime-command.ts";
import { ISOLATION_CHOICES, type IsolationChoice } from "../local/lambda/sandbox/isolation.ts";
import { ConfigurationError } from "../ops/errors.ts";
import { collect } from "./program.ts";

/** The options that describe a function, the same for every command that runs one. */
export interface FunctionOptions {
  readonly zip?: string;
  readonly handler?: string;
  readonly runtime?: string;
  readonly timeout?: number;
  readonly memory?: number;
  readonly env?: readonly [string, string][];
  readonly envFile?: string;
  readonly layer?: readonly string[];
  readonly logFormat?: LogFormat;
  readonly isolation: IsolationChoice;
  readonly inspect?: number | true;
}

/** Node.js's own port for debuggers. */
const INSPECT_PORT = 9229;

/** Adds them to a command; `defaults` are named in its help. */
export function addFunctionOptions(
  command: Command,
  defaults: { zip: string; handler: string; timeout: number },
): Command {
  return command
    .option("--zip <path>", `the function's zip, or a folder (default: ${defaults.zip})`)
    .option("--handler <name>", `module.export (default: ${defaults.handler})`)
    .option("--runtime <identifier>", `${SUPPORTED_RUNTIMES.join(", ")} (default: nodejs24.x)`)
    .option("--timeout <seconds>", `whole seconds, 1 to 900 (default: ${defaults.timeout})`, parseWhole)
    .option("--memory <MB>", "whole MB, 128 to 10240 (default: 128)", parseWhole)
    .option("--env <NAME=value>", "an environment variable of the function; may be repeated", parsePair)
    .option("--env-file <path>", "environment variables of the function, NAME=value lines")
    .option(
      "--layer <path>",
      "a layer's zip or folder, unpacked at /opt; may be repeated, at most 5",
      (path, previous?: string[]) => collect(path, previous),
    )
    .addOption(
      new Option("--log-format <format>", "of the function's and Lambda's lines").choices(LOG_FORMATS).default("Text"),
    )
    .addOption(
      new Option("--isolation <kind>", "how the function is kept apart from this machine")
        .choices(ISOLATION_CHOICES)
        .default("auto"),
    )
    .option("--inspect [port]", `a debugger may connect (default: ${INSPECT_PORT}); no time limits then`, parseWhole);
}

/** The port that a debugger may connect to; `wait`: the function starts when it has. */
export function readInspect({ inspect }: FunctionOptions, wait: boolean): Inspect | undefined {
  if (inspect === undefined) return undefined;
  return { port: inspect === true ? INSPECT_PORT : inspect, wait };
}

/** The function's variables: of the file, over which single ones win. */
export function readFunctionEnvironment({ env = [], envFile }: FunctionOptions): Record<string, string> {
  return { ...(envFile === undefined ? {} : readEnvironmentFile(envFile)), ...Object.fromEntries(env) };
}

/** The function that the options describe; throws a ConfigurationError with everything that is wrong. */
export function readFunction(options: FunctionOptions & { readonly name?: string }): FunctionConfiguration {
  if (options.zip === undefined)
    throw new ConfigurationError(["--zip: expected the path of a zip file or a folder, got nothing"]);
  return makeFunctionConfiguration({
    name: options.name,
    code: options.zip,
    handler: options.handler,
    runtime: options.runtime,
    timeout: options.timeout,
    memorySize: options.memory,
    environment: readFunctionEnvironment(options),
    layers: options.layer,
    logFormat: options.logFormat,
  });
}

/** For whole numbers of any option; the range is checked where the value is used. */
export function parseWhole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(`Expected a whole number, got ${JSON.stringify(text)}.`);
  return Number(text);
}

/** `NAME=value`, for options that are given several times. */
export function parsePair(text: string, previous?: readonly [string, string][]): [string, string][] {
  const split = text.indexOf("=");
  if (split < 1) throw new InvalidArgumentError(`Expected NAME=value, got ${JSON.stringify(text)}.`);
  return collect([text.slice(0, split), text.slice(split + 1)], previous);
}
