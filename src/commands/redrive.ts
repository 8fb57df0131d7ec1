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
import { addFunctionOptions, type FunctionOptions } from "./function-options.ts";
import { PIGEON_FUNCTION, readPigeonFunction } from "./invoke.ts";
import { collect, FAILED, makeCommand, say } from "./program.ts";

type RedriveOptions = FunctionOptions & { readonly function?: string };

/** Events that lie in one place; nothing is asked there before they are iterated. */
type Source = () => AsyncIterable<KeptItem>;

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

async function runRedrive(given: readonly Source[], options: RedriveOptions): Promise<void> {
  const sources = given.length > 0 ? given : keptEventFiles().filter(isThere).map(makeFileSource);
  const stop = new AbortController();
  void stopSignal().then((signal) => {
    say(`stopped by ${signal}, after the event under way`);
    stop.abort();
  });
  await using stack = new AsyncDisposableStack();
  const invoke = sources.length === 0 ? noFunction : await startFunction(options, stack);
  const counts = await redrive(
    sources.map((source) => source()),
    { run: async ({ payload }) => readPigeonAnswer(await invoke(payload)), say, stopped: stop.signal },
  );
  process.stdout.write(`${describe(counts)}\n`);
  if (counts.stillFailing > 0 || stop.signal.aborted) process.exitCode = FAILED;
}

function describe({ delivered, deferred, stillFailing }: RedriveCounts): string {
  return `${delivered} delivered, ${deferred} deferred, ${stillFailing} still failing`;
}

type Invoke = (payload: string) => Promise<PigeonAnswer>;

const noFunction: Invoke = async () => {
  throw new TypeError("there is nothing to run");
};

/** The zip in the local Lambda, until `stack` is disposed of, or the function that is deployed. */
async function startFunction(options: RedriveOptions, stack: AsyncDisposableStack): Promise<Invoke> {
  if (options.function !== undefined) {
    const { makeDeployedFunction } = await import("../local/redrive/deployed-function.ts");
    return makeDeployedFunction(options.function);
  }
  let log = "";
  const take = (text: string): void => {
    process.stderr.write(text);
    log += text;
  };
  const lambda = await LocalLambda.start(await readPigeonFunction(options), {
    log: take,
    isolation: options.isolation,
    say,
  });
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
  return () => readKeptFile(path);
}

/** AWS's SDK takes a while to load: nobody waits for it who has no such queue. */
function makeQueueSource(url: URL): Source {
  return async function* () {
    const { readKeptQueue } = await import("../local/redrive/kept-queue.ts");
    yield* readKeptQueue(url);
  };
}
