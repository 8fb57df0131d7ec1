import { makeBuildCommand } from "./build.ts";
import { makeCollectorCommand } from "./collector.ts";
import { makeDownCommand } from "./down.ts";
import { makeEventCommand } from "./event.ts";
import { makePigeonInvokeCommand } from "./invoke.ts";
import { makeCommand, runProgram } from "./program.ts";
import { makeQueueCommand } from "./queue.ts";
import { makeRedriveCommand } from "./redrive.ts";
import { makeSendCommand } from "./send.ts";
import { makeUpCommand } from "./up.ts";

/** The program `pigeon`. */
export async function pigeon(argv: readonly string[]): Promise<void> {
  const program = makeCommand(
    "pigeon",
    "A crash-ingestion pipeline: a collector, and the bridge from S3 to RabbitMQ on AWS Lambda.",
  );
  const commands = [
    makeBuildCommand(),
    makeEventCommand(),
    makePigeonInvokeCommand(),
    makeQueueCommand(),
    makeRedriveCommand(),
    makeUpCommand(),
    makeCollectorCommand(),
    makeSendCommand(),
    makeDownCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  await runProgram(program, argv);
}
