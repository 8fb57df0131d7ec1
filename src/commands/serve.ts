import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { stateDirectory } from "../local/development.ts";
import { startLambdaApi } from "../local/lambda/api/lambda-api.ts";
import type { ServedFunction } from "../local/lambda/api/operation.ts";
import {
  AsynchronousInvocations,
  MAX_EVENT_AGE,
  RETRY_DELAYS,
} from "../local/lambda/asynchronous/asynchronous-invocations.ts";
import { Clock } from "../local/lambda/asynchronous/clock.ts";
import { watchCode } from "../local/lambda/code/code-watch.ts";
import { LocalLambda } from "../local/lambda/local-lambda.ts";
import { describeRuntime } from "../local/lambda/runtime/runtime.ts";
import { describeIsolation } from "../local/lambda/sandbox/isolation.ts";
import type { NotifiedFunction } from "../local/notifying-buckets.ts";
import { stopSignal } from "../ops/stop-signal.ts";
import { parseDestination } from "./destination.ts";
import { addFunctionOptions, parsePair, parseWhole, readInspect } from "./function-options.ts";
import { type FunctionPlan, type PlanOptions, readPlans } from "./function-plans.ts";
import { makeCommand, say } from "./program.ts";

type ServeOptions = PlanOptions & {
  readonly port: number;
  readonly freeze: boolean;
  readonly idleTimeout?: number;
  readonly watch?: boolean;
};

/** Of every function's ARN, and of the buckets. */
const REGION = "us-east-1";

/** `local-lambda serve`: the AWS Lambda Invoke API on loopback for one function or all of a template, until it is stopped. */
export function makeServeCommand(): Command {
  const command = makeCommand(
    "serve",
    "answer the AWS Lambda Invoke API on 127.0.0.1 for one function or a template's",
  );
  addFunctionOptions(command, { zip: "none; it or --template must be given", handler: "index.handler", timeout: 3 });
  const destination = "file:PATH (JSON lines), amqp:QUEUE or sqs:URL";
  return command
    .option("--template <path>", "all functions of an AWS SAM template, instead of --zip")
    .option("--parameter <NAME=value>", "a parameter of the template; may be repeated", parsePair)
    .option(
      "--s3-port <number>",
      "also a local S3 with the buckets of the template's S3 events; 0: a free port",
      parseWhole,
    )
    .option("--name <name>", "the function's name (default: function)")
    .option("--port <number>", "0 takes a free one", parseWhole, 9001)
    .option("--no-freeze", "let processes run between invocations, for debugging")
    .option("--watch", "take the zip or folder again whenever it changes")
    .option("--idle-timeout <seconds>", "after which an unused environment is ended (default: 600)", parseWhole)
    .option("--concurrency <number>", "most execution environments at once (default: 10)", parseWhole)
    .option(
      "--retry-delays <seconds>",
      `before each retry of an Event invocation, at most two (default: ${RETRY_DELAYS})`,
      parseDelays,
    )
    .option(
      "--max-event-age <seconds>",
      `after which an Event invocation is given up (default: ${MAX_EVENT_AGE})`,
      parseWhole,
    )
    .option("--on-success <destination>", `where records of Event invocations go: ${destination}`, parseDestination)
    .option("--on-failure <destination>", "where records of events go that no retry has helped", parseDestination)
    .option("--dlq <destination>", "where those events themselves go", parseDestination)
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const clock = new Clock();
  const plans = readPlans(options);
  const served: ServedFunction[] = [];
  for (const plan of plans) served.push(await start(plan, options, clock, stack));
  const api = await startLambdaApi(served, options.port, clock);
  stack.defer(() => api.stop());
  if (options.s3Port !== undefined) {
    const notified = plans.map(({ fn, triggers }, n) => ({
      fn,
      triggers,
      events: (served[n] as ServedFunction).events,
    }));
    await startS3(options.s3Port, notified, stack);
  }
  for (const { lambda } of served) say(describeRuntime(lambda.runtime));
  if (served[0] !== undefined) say(describeIsolation(served[0].lambda.isolation));
  process.stdout.write(`listening on ${api.url}\n`);
  await stopSignal();
}

/** One function with the machinery of its asynchronous invocations; both stop with `stack`. */
async function start(
  { fn, concurrency, asynchronous }: FunctionPlan,
  options: ServeOptions,
  clock: Clock,
  stack: AsyncDisposableStack,
): Promise<ServedFunction> {
  const { freeze, idleTimeout, isolation, watch } = options;
  const log = (text: string): void => void process.stderr.write(text);
  const inspect = readInspect(options, false);
  const lambda = await LocalLambda.start(fn, { log, concurrency, freeze, idleTimeout, isolation, inspect, say });
  stack.defer(() => lambda.stop());
  if (watch) stack.defer(watchCode(lambda, say));
  const directory = join(stateDirectory(), "events", fn.name);
  const events = await AsynchronousInvocations.start(lambda, { directory, ...asynchronous, clock, say });
  stack.defer(() => events.stop());
  return { lambda, events };
}

/** A local S3 with the buckets that the functions' triggers name. */
async function startS3(
  port: number,
  notified: readonly NotifiedFunction[],
  stack: AsyncDisposableStack,
): Promise<void> {
  const directory = join(stateDirectory(), "s3");
  await mkdir(directory, { recursive: true });
  const onError = (error: unknown): void => say(`notification failed: ${error}`);
  // AWS's SDK takes a while to load: nobody waits for it who wants no S3.
  const { startLocalS3 } = await import("../local/s3/server.ts");
  const { makeBuckets, makeNotify } = await import("../local/notifying-buckets.ts");
  const s3 = stack.use(await startLocalS3({ directory, port, region: REGION, notify: makeNotify(notified), onError }));
  const buckets = await makeBuckets(s3.endpoint, REGION, notified);
  say(`S3 on ${s3.endpoint}: ${buckets.join(", ") || "no trigger names a bucket"}`);
}

function parseDelays(text: string): readonly number[] {
  const delays = text === "" ? [] : text.split(",");
  if (delays.length > 2 || !delays.every((delay) => /^\d{1,6}(\.\d{1,3})?$/.test(delay)))
    throw new InvalidArgumentError(
      `Expected at most two numbers of seconds, separated by a comma, got ${JSON.stringify(text)}.`,
    );
  return delays.map(Number);
}
