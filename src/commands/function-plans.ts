import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { stateDirectory } from "../local/development.ts";
import { type AsynchronousOptions, RETRY_DELAYS } from "../local/lambda/asynchronous/asynchronous-invocations.ts";
import { type Destination, makeFileDestination } from "../local/lambda/asynchronous/destination.ts";
import {
  type ApplicationLogLevel,
  type FunctionConfiguration,
  type LogFormat,
  makeFunctionConfiguration,
  type SystemLogLevel,
} from "../local/lambda/function.ts";
import type { TemplateFunction } from "../local/lambda/template/function-properties.ts";
import type { S3Trigger } from "../local/lambda/template/s3-trigger.ts";
import { readTemplate } from "../local/lambda/template/template.ts";
import { ConfigurationError } from "../ops/errors.ts";
import { type FunctionOptions, readFunction, readFunctionEnvironment } from "./function-options.ts";
import { say } from "./program.ts";

/** Everything about one function that is to be served. */
export interface FunctionPlan {
  readonly fn: FunctionConfiguration;
  readonly concurrency: number | undefined;
  readonly triggers: readonly S3Trigger[];
  readonly asynchronous: Omit<AsynchronousOptions, "directory" | "say">;
}

export type PlanOptions = FunctionOptions & {
  readonly template?: string;
  readonly parameter?: readonly [string, string][];
  readonly name?: string;
  readonly concurrency?: number;
  readonly retryDelays?: readonly number[];
  readonly maxEventAge?: number;
  readonly onSuccess?: Destination;
  readonly onFailure?: Destination;
  readonly dlq?: Destination;
  readonly s3Port?: number;
};

/** The function of --zip, or all of --template; options win over what the template says. */
export function readPlans(options: PlanOptions): FunctionPlan[] {
  if (options.template === undefined) return [makePlan(readFunction(options), options)];
  const others = (["zip", "handler", "runtime", "name", "layer"] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (others.length > 0)
    throw new ConfigurationError([
      `--template: expected without --${others.join(", --")}, which are the template's to say`,
    ]);
  const functions = readTemplate(options.template, { parameters: Object.fromEntries(options.parameter ?? []) });
  return functions.map((each) => {
    for (const note of each.notes) say(note);
    if (options.s3Port === undefined)
      for (const { bucket } of each.s3) say(`${each.logicalId}: bucket ${bucket} is there with --s3-port only`);
    return makePlan(configure(each, options), options, each);
  });
}

function configure(each: TemplateFunction, options: PlanOptions): FunctionConfiguration {
  const { name, code, handler, runtime, layers, ephemeralStorage } = each;
  return makeFunctionConfiguration({
    name,
    code,
    handler,
    runtime,
    layers,
    ephemeralStorage,
    timeout: options.timeout ?? each.timeout,
    memorySize: options.memory ?? each.memorySize,
    environment: { ...each.environment, ...readFunctionEnvironment(options) },
    // What AWS would not take is refused there by name.
    logFormat: each.logFormat as LogFormat | undefined,
    applicationLogLevel: each.applicationLogLevel as ApplicationLogLevel | undefined,
    systemLogLevel: each.systemLogLevel as SystemLogLevel | undefined,
  });
}

function makePlan(fn: FunctionConfiguration, options: PlanOptions, each?: TemplateFunction): FunctionPlan {
  const { retryDelays = RETRY_DELAYS, maxEventAge, onSuccess, onFailure, dlq } = options;
  return {
    fn,
    concurrency: options.concurrency ?? each?.concurrency,
    triggers: each?.s3 ?? [],
    asynchronous: {
      retryDelays: retryDelays.slice(0, each?.maximumRetryAttempts),
      maxEventAge: maxEventAge ?? each?.maximumEventAge,
      onSuccess: onSuccess ?? makeTemplateDestination(each?.onSuccess),
      onFailure: onFailure ?? makeTemplateDestination(each?.onFailure),
      deadLetterQueue: dlq ?? makeTemplateDestination(each?.deadLetterQueue),
    },
  };
}

/** A queue or topic of AWS is here a file of its name. */
function makeTemplateDestination(name: string | undefined): Destination | undefined {
  if (name === undefined) return undefined;
  const path = join(stateDirectory(), `${name}.jsonl`);
  mkdirSync(stateDirectory(), { recursive: true });
  say(`${name} is the file ${path}`);
  return makeFileDestination(path);
}
