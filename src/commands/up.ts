import type { Command } from "commander";
import { stopSignal } from "../ops/stop-signal.ts";
import { parseWhole } from "./function-options.ts";
import { makeCommand } from "./program.ts";

interface UpOptions {
  readonly once?: boolean;
  readonly s3Port?: number;
  readonly lambdaPort?: number;
  readonly collectorPort?: number;
}

/** `pigeon up`: the whole pipeline on this machine, with a sample crash flown through it. */
export function makeUpCommand(): Command {
  return makeCommand(
    "up",
    "start the whole pipeline here, fly a sample crash through it, then stay and rebuild on change",
  )
    .option("--once", "stop when the sample has arrived: exit code 0, or 1 and the hop where it stuck")
    .option("--s3-port <number>", "port of the local S3 (default: 9000, or a free one)", parseWhole)
    .option("--lambda-port <number>", "port of the Lambda Invoke API (default: 9001, or a free one)", parseWhole)
    .option("--collector-port <number>", "port of the collector (default: 8000, or a free one)", parseWhole)
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  const stopped = stopSignal();
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  // Its servers take a while to load: nobody waits for them who runs another command.
  const { startPipeline } = await import("../local/pipeline.ts");
  const { flySample } = await import("../local/sample-flight.ts");
  await using pipeline = await startPipeline({ ...options, print });
  const flight = await Promise.race([flySample(pipeline, print), stopped]);
  if (typeof flight === "string") return;
  if (options.once) return;
  print(pipeline.description);
  await stopped;
  print("stopping");
}
