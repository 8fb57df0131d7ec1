import type { Command } from "commander";
import { startInvokeApi } from "../local/lambda/invoke-api.ts";
import { LocalLambda } from "../local/lambda/local-lambda.ts";
import { describeRuntime } from "../local/lambda/runtime.ts";
import { stopSignal } from "../ops/stop-signal.ts";
import { addFunctionOptions, type FunctionOptions, parseWhole, readFunction } from "./function-options.ts";
import { makeCommand, say } from "./program.ts";

type ServeOptions = FunctionOptions & {
  readonly name?: string;
  readonly port: number;
  readonly concurrency: number;
  readonly freeze: boolean;
};

/** `local-lambda serve`: the AWS Lambda Invoke API on loopback for one function, until it is stopped. */
export function makeServeCommand(): Command {
  const command = makeCommand("serve", "answer the AWS Lambda Invoke API on 127.0.0.1 for one function");
  addFunctionOptions(command, { zip: "none, must be given", handler: "index.handler", timeout: 3 });
  return command
    .option("--name <name>", "the function's name (default: function)")
    .option("--port <number>", "0 takes a free one", parseWhole, 9001)
    .option("--no-freeze", "let processes run between invocations, for debugging")
    .option("--concurrency <number>", "most execution environments at once", parseWhole, 10)
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const fn = readFunction(options);
  const log = (text: string): void => {
    process.stderr.write(text);
  };
  const lambda = await LocalLambda.start(fn, { log, concurrency: options.concurrency, freeze: options.freeze });
  try {
    const api = await startInvokeApi(lambda, options.port);
    say(describeRuntime(lambda.runtime));
    process.stdout.write(`listening on ${api.url}\n`);
    await stopSignal();
    await api.stop();
  } finally {
    await lambda.stop();
  }
}
