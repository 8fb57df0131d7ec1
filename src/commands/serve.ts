import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { stateDirectory } from "../local/development.ts";
import { AsynchronousInvocations, MAX_EVENT_AGE, RETRY_DELAYS } from "../local/lambda/asynchronous-invocations.ts";
import { watchCode } from "../local/lambda/code-watch.ts";
import type { Destination } from "../local/lambda/destination.ts";
import { startLambdaApi } from "../local/lambda/lambda-api.ts";
import { LocalLambda } from "../local/lambda/local-lambda.ts";
import { describeRuntime } from "../local/lambda/runtime.ts";
import { describeIsolation } from "../local/lambda/sandbox/isolation.ts";
import { stopSignal } from "../ops/stop-signal.ts";
import { parseDestination } from "./destination.ts";
import { addFunctionOptions, type FunctionOptions, parseWhole, readFunction, readInspect } from "./function-options.ts";
import { makeCommand, say } from "./program.ts";

type ServeOptions = FunctionOptions & {
  readonly name?: string;
  readonly port: number;
  readonly concurrency: number;
  readonly freeze: boolean;
  readonly idleTimeout?: number;
  readonly watch?: boolean;
  readonly retryDelays: readonly number[];
  readonly maxEventAge: number;
  readonly onSuccess?: Destination;
  readonly onFailure?: Destination;
  readonly dlq?: Destination;
};

/** `local-lambda serve`: the AWS Lambda Invoke API on loopback for one function, until it is stopped. */
export function makeServeCommand(): Command {
  const command = makeCommand("serve", "answer the AWS Lambda Invoke API on 127.0.0.1 for one function");
  addFunctionOptions(command, { zip: "none, must be given", handler: "index.handler", timeout: 3 });
  const destination = "file:PATH (JSON lines) or amqp:QUEUE";
  return command
    .option("--name <name>", "the function's name (default: function)")
    .option("--port <number>", "0 takes a free one", parseWhole, 9001)
    .option("--no-freeze", "let processes run between invocations, for debugging")
    .option("--watch", "take the zip or folder again whenever it changes")
    .option("--idle-timeout <seconds>", "after which an unused environment is ended (default: 600)", parseWhole)
    .option("--concurrency <number>", "most execution environments at once", parseWhole, 10)
    .option(
      "--retry-delays <seconds>",
      "before each retry of an Event invocation, at most two",
      parseDelays,
      RETRY_DELAYS,
    )
    .option("--max-event-age <seconds>", "after which an Event invocation is given up", parseWhole, MAX_EVENT_AGE)
    .option("--on-success <destination>", `where records of Event invocations go: ${destination}`, parseDestination)
    .option("--on-failure <destination>", "where records of events go that no retry has helped", parseDestination)
    .option("--dlq <destination>", "where those events themselves go", parseDestination)
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const fn = readFunction(options);
  const log = (text: string): void => {
    process.stderr.write(text);
  };
  await using stack = new AsyncDisposableStack();
  const { concurrency, freeze, idleTimeout, isolation, retryDelays, maxEventAge, onSuccess, onFailure, dlq } = options;
  const lambda = await LocalLambda.start(fn, {
    log,
    concurrency,
    freeze,
    idleTimeout,
    isolation,
    inspect: readInspect(options, false),
    say,
  });
  stack.defer(() => lambda.stop());
  if (options.watch) stack.defer(watchCode(lambda, say));
  const directory = join(stateDirectory(), "events", fn.name);
  const asynchronous = { directory, retryDelays, maxEventAge, onSuccess, onFailure, deadLetterQueue: dlq, say };
  const events = await AsynchronousInvocations.start(lambda, asynchronous);
  stack.defer(() => events.stop());
  const api = await startLambdaApi({ lambda, events }, options.port);
  stack.defer(() => api.stop());
  say(describeRuntime(lambda.runtime));
  say(describeIsolation(lambda.isolation));
  process.stdout.write(`listening on ${api.url}\n`);
  await stopSignal();
}

function parseDelays(text: string): readonly number[] {
  const delays = text === "" ? [] : text.split(",");
  if (delays.length > 2 || !delays.every((delay) => /^\d{1,6}(\.\d{1,3})?$/.test(delay)))
    throw new InvalidArgumentError(
      `Expected at most two numbers of seconds, separated by a comma, got ${JSON.stringify(text)}.`,
    );
  return delays.map(Number);
}
