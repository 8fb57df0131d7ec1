import type { Command } from "commander";
import { provideBroker, readDevelopmentEnvironment } from "../local/development.ts";
import { readPigeonConfiguration } from "../pigeon/configuration.ts";
import { Queues } from "../queue/queues.ts";
import { makeCommand, say } from "./program.ts";

/** `pigeon queue show|drain|declare`: for every configured queue. */
export function makeQueueCommand(): Command {
  const command = makeCommand("queue", "look at, empty or create the configured queues (PIGEON_QUEUE)");
  const add = (name: string, description: string, act: (queues: Queues, queue: string) => Promise<void>): void => {
    command.addCommand(makeCommand(name, description).action(() => forEachQueue(act)));
  };
  add("show", "print how many items are in each", async (queues, name) =>
    print(`${name}: ${await queues.count(name)} items`),
  );
  add("drain", "print every item of each and remove it", drain);
  add("declare", "create those that are not there, as durable quorum queues", async (queues, name) => {
    await queues.declare(name);
    print(`${name}: ${await queues.count(name)} items`);
  });
  return command;
}

async function drain(queues: Queues, name: string): Promise<void> {
  const count = await queues.count(name);
  print(`${name}: ${count} items`);
  // As many as were announced: what arrives meanwhile stays for the next time.
  await queues.drain(name, count, (body) => print(`item: ${body}`));
}

async function forEachQueue(act: (queues: Queues, queue: string) => Promise<void>): Promise<void> {
  const { environment, findAddress } = await provideBroker(readDevelopmentEnvironment(), say);
  const configuration = readPigeonConfiguration(environment);
  await using queues = await Queues.open(await findAddress());
  for (const { name } of configuration.queues) await act(queues, name);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
