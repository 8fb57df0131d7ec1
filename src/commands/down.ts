import type { Command } from "commander";
import { stopBroker } from "../local/broker/broker.ts";
import { brokerDirectory } from "../local/development.ts";
import { stopRunningPipeline } from "../local/running-pipeline.ts";
import { makeCommand } from "./program.ts";

/** `pigeon down`: nothing of this checkout's development stack is left running. */
export function makeDownCommand(): Command {
  return makeCommand("down", "stop what the development stack left running").action(async () => {
    const pipeline = await stopRunningPipeline();
    const broker = await stopBroker(brokerDirectory());
    const stopped = [pipeline ? "the pipeline" : "", broker ? "RabbitMQ" : ""].filter(Boolean).join(" and ");
    process.stdout.write(`${stopped === "" ? "nothing was running" : `stopped ${stopped}`}\n`);
  });
}
