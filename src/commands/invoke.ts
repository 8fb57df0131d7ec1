import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import type { Command } from "commander";
import { findOrBuildArtifact } from "../local/artifact.ts";
import { provideBroker, ROOT, readDevelopmentEnvironment } from "../local/development.ts";
import { InvalidPayloadError, parsePayload } from "../local/lambda/api/payload.ts";
import type { InvocationResult } from "../local/lambda/environment/invocation.ts";
import type { FunctionConfiguration } from "../local/lambda/function.ts";
import { LocalLambda } from "../local/lambda/local-lambda.ts";
import { describeRuntime } from "../local/lambda/runtime/runtime.ts";
import { describeIsolation } from "../local/lambda/sandbox/isolation.ts";
import { ConfigurationError } from "../ops/errors.ts";
import { parseOrText } from "../ops/json.ts";
import { stopSignal } from "../ops/stop-signal.ts";
import {
  addFunctionOptions,
  type FunctionOptions,
  readFunction,
  readFunctionEnvironment,
  readInspect,
} from "./function-options.ts";
import { FAILED, makeCommand, say } from "./program.ts";

type InvokeOptions = FunctionOptions & { readonly json?: boolean };

/** Pigeon's own settings in development. */
export const PIGEON_FUNCTION = { name: "pigeon", handler: "pigeon.handler", timeout: 30 } as const;

/** `local-lambda invoke`: a function's zip, whichever it is, once, in a fresh environment. */
export function makeInvokeCommand(): Command {
  const command = makeCommand(
    "invoke",
    "run a function once: event from FILE or stdin, result on stdout, log on stderr",
  );
  addFunctionOptions(command, { zip: "none, must be given", handler: "index.handler", timeout: 3 });
  return finish(command, async (options) => readFunction(options));
}

/** `pigeon invoke`: the same for Pigeon, with the development configuration and broker. */
export function makePigeonInvokeCommand(): Command {
  const command = makeCommand(
    "invoke",
    "run Pigeon's zip once: event from FILE or stdin, result on stdout, log on stderr",
  );
  addFunctionOptions(command, { zip: "dist/pigeon.zip, built if need be", ...PIGEON_FUNCTION });
  return finish(command, readPigeonFunction);
}

/** Pigeon with the development configuration, and the development broker when no other is configured. */
export async function readPigeonFunction(options: FunctionOptions): Promise<FunctionConfiguration> {
  const wanted = { ...readDevelopmentEnvironment(), ...readFunctionEnvironment(options) };
  const zip = options.zip ?? (await findOrBuildArtifact(ROOT, say));
  const { environment } = await provideBroker(wanted, say);
  return readFunction({ ...PIGEON_FUNCTION, ...options, zip, env: Object.entries(environment) });
}

function finish(command: Command, configure: (options: InvokeOptions) => Promise<FunctionConfiguration>): Command {
  return command
    .option("--json", "print one JSON object: status, function error, payload and the figures of REPORT")
    .argument("[file]", "the event as JSON (default: stdin)")
    .action(async (file: string | undefined, options: InvokeOptions) => {
      const payload = await readPayload(file);
      await invokeOnce(await configure(options), payload, options);
    });
}

async function readPayload(file: string | undefined): Promise<Buffer> {
  if (file === undefined && process.stdin.isTTY) say("reading the event from the terminal; end it with Ctrl-D");
  try {
    return parsePayload(await (file === undefined ? buffer(process.stdin) : readFile(file)));
  } catch (cause) {
    const source = file ?? "stdin";
    const reason = cause instanceof InvalidPayloadError ? cause.message.split("\n")[0] : String(cause);
    throw new ConfigurationError([`event: expected JSON from ${source}, got: ${reason}`], { cause });
  }
}

async function invokeOnce(fn: FunctionConfiguration, payload: Buffer, options: InvokeOptions): Promise<void> {
  const log = (text: string): void => void process.stderr.write(text);
  const { json, isolation } = options;
  const lambda = await LocalLambda.start(fn, { log, isolation, inspect: readInspect(options, true), say });
  say(describeRuntime(lambda.runtime));
  say(describeIsolation(lambda.isolation));
  try {
    const result = await Promise.race([lambda.invoke(payload), stopSignal()]);
    if (typeof result === "string") {
      process.exitCode = FAILED;
      say(`stopped by ${result}`);
      return;
    }
    process.stdout.write(`${json ? JSON.stringify(describeResult(result)) : oneLine(result.payload)}\n`);
    if (result.functionError !== undefined) process.exitCode = FAILED;
  } finally {
    await lambda.kill();
  }
}

/** The member names are those of AWS's Invoke answer and of REPORT. */
function describeResult({ requestId, functionError, payload, report }: InvocationResult): object {
  return {
    StatusCode: 200,
    ExecutedVersion: "$LATEST",
    RequestId: requestId,
    ...(functionError === undefined ? {} : { FunctionError: functionError }),
    Payload: parseOrText(payload.toString()),
    Report: report,
  };
}

/** A handler may answer with JSON text of several lines: white space between its tokens says nothing. */
function oneLine(payload: Buffer): string {
  const text = payload.toString();
  if (!/[\r\n]/.test(text)) return text;
  return JSON.stringify(parseOrText(payload.toString()));
}
