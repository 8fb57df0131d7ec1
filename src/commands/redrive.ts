import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { keptEventFiles } from "../local/kept-event-files.ts";
import { LocalLambda } from "../local/lambda/local-lambda.ts";
import type { KeptItem } from "../local/redrive/kept-event.ts";
import { readKeptFile } from "../local/redrive/kept-file.ts";
import { type PigeonAnswer, readPigeonAnswer } from "../local/redrive/pigeon-run.ts";
import { type RedriveCounts, redrive } from "../local/redrive/redrive.ts";
import { ConfigurationError } from "../ops/errors.ts";
import { stopSignal } from "../ops/stop-signal.ts";
import { addFunctionOptions, type FunctionOptions, readFunctionEnvironment, readInspect } from "./function-options.ts";
import { PIGEON_FUNCTION, readPigeonFunction } from "./invoke.ts";
import { collect, FAILED, makeCommand, say } from "./program.ts";

type CommandOptions = FunctionOptions & { readonly function?: string };

/** Events that lie in one place; nothing is asked there before they are iterated. */
interface Source {
  readonly kind: "file" | "sqs";
  readonly open: () => AsyncIterable<KeptItem>;
}

/** `pigeon redrive`: runs kept events again, and removes those that succeed from where they lie. */
export function makeRedriveCommand(): Command {
  const command = makeCommand(
    "redrive",
    "run the events again that no retry has helped, and remove those that succeed",
  );
  addFunctionOptions(command, { zip: "dist/pigeon.zip, built if need be", ...PIGEON_FUNCTION });
  return command
    .argument(
      "[source...]",
      "file:PATH (JSON lines) or sqs:URL of a queue (default: the files of pigeon up)",
      (text, previous?: Source[]) => collect(parseSource(text), previous),
    )
    .option("--function <name>", "the deployed function runs them instead (name or ARN; AWS's usual configuration)")
    .action(runRedrive);
}

async function runRedrive(given: readonly Source[], options: CommandOptions): Promise<void> {
  checkOptions(given, options);
  const sources = given.length > 0 ? given : keptEventFiles().filter(isThere).map(makeFileSource);
  const stop = new AbortController();
  void stopSignal().then((signal) => {
    say(`stopped by ${signal}, after the event under way`);
    stop.abort();
  });
  await using stack = new AsyncDisposableStack();
  const invoke = sources.length === 0 ? noFunction : await startFunction(options, stack);
  const counts = await redrive(
    sources.map(({ open }) => open()),
    { run: async ({ payload }) => readPigeonAnswer(await invoke(payload)), say, stopped: stop.signal },
  );
  process.stdout.write(`${describe(counts)}\n`);
  if (counts.stillFailing > 0 || stop.signal.aborted) process.exitCode = FAILED;
}

function describe({ delivered, deferred, stillFailing }: RedriveCounts): string {
  return `${delivered} delivered, ${deferred} deferred, ${stillFailing} still failing`;
}

/** What describes the local function says nothing of a deployed one; and what lies in AWS is not for the development broker. */
function checkOptions(sources: readonly Source[], options: CommandOptions): void {
  const local = (["zip", "handler", "runtime", "timeout", "memory", "env", "envFile", "layer", "inspect"] as const)
    .filter((name) => options[name] !== undefined)
    .map((name) => `--${name === "envFile" ? "env-file" : name}`);
  if (options.function !== undefined && local.length > 0)
    throw new ConfigurationError([`--function: expected without ${local.join(", ")}, which are the local function's`]);
  const isElsewhere =
    options.function !== undefined || process.env.PIGEON_HOST || readFunctionEnvironment(options).PIGEON_HOST;
  if (sources.some(({ kind }) => kind === "sqs") && !isElsewhere)
    throw new ConfigurationError([
      "source: expected --function, or PIGEON_HOST with the broker, for an SQS queue; got neither, and the development broker is not meant",
    ]);
}

type Invoke = (payload: string) => Promise<PigeonAnswer>;

const noFunction: Invoke = async () => {
  throw new TypeError("there is nothing to run");
};

/** The zip in the local Lambda, until `stack` is disposed of, or the function that is deployed. */
async function startFunction(options: CommandOptions, stack: AsyncDisposableStack): Promise<Invoke> {
  if (options.function !== undefined) {
    const { makeDeployedFunction } = await import("../local/redrive/deployed-function.ts");
    return makeDeployedFunction(options.function);
  }
  const fn = await readPigeonFunction(options);
  say(`publishing to ${fn.environment.PIGEON_HOST}, ${fn.environment.PIGEON_QUEUE}`);
  let log = "";
  const take = (text: string): void => {
    process.stderr.write(text);
    log += text;
  };
  const inspect = readInspect(options, true);
  const lambda = await LocalLambda.start(fn, { log: take, isolation: options.isolation, inspect, say });
  stack.defer(() => lambda.kill());
  return async (payload) => {
    log = "";
    const { functionError, payload: answer } = await lambda.invoke(Buffer.from(payload));
    return { functionError, payload: answer.toString(), log };
  };
}

function parseSource(text: string): Source {
  const [, kind, name = ""] = /^(file|sqs):(.+)$/s.exec(text) ?? [undefined, "file", text];
  if (kind === "sqs") {
    if (!/^https?:/.test(name) || !URL.canParse(name))
      throw new InvalidArgumentError(`Expected sqs: and the URL of a queue, got ${JSON.stringify(text)}.`);
    return makeQueueSource(new URL(name));
  }
  if (!isThere(name))
    throw new ConfigurationError([`source: expected file:PATH of kept events or sqs:URL, got no file at ${name}`]);
  return makeFileSource(name);
}

/** Also when a redrive that was killed has only left its claim. */
function isThere(path: string): boolean {
  return existsSync(path) || existsSync(`${path}.redrive`);
}

function makeFileSource(path: string): Source {
  return { kind: "file", open: () => readKeptFile(path) };
}

/** AWS's SDK takes a while to load: nobody waits for it who has no such queue. */
function makeQueueSource(url: URL): Source {
  return {
    kind: "sqs",
    open: async function* () {
      const { readKeptQueue } = await import("../local/redrive/kept-queue.ts");
      yield* readKeptQueue(url);
    },
  };
}
