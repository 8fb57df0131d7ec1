import { InvalidArgumentError } from "commander";
import { provideBroker, readDevelopmentEnvironment } from "../local/development.ts";
import { type Destination, makeFileDestination } from "../local/lambda/asynchronous/destination.ts";
import { Queues } from "../queue/queues.ts";
import { say } from "./program.ts";

/** `file:PATH` or `amqp:QUEUE`, for --on-success, --on-failure and --dlq. */
export function parseDestination(text: string): Destination {
  const [, kind, name = ""] = /^(file|amqp):(.+)$/s.exec(text) ?? [];
  if (kind === "file") return makeFileDestination(name);
  if (kind === "amqp") return makeQueueDestination(name);
  throw new InvalidArgumentError(`Expected file:PATH or amqp:QUEUE, got ${JSON.stringify(text)}.`);
}

/** A queue of the configured broker, or of the development broker; attributes are headers. The queue must exist. */
function makeQueueDestination(name: string): Destination {
  return async ({ body, attributes }) => {
    const { address } = await provideBroker(readDevelopmentEnvironment(), say);
    await using queues = await Queues.open(address);
    await queues.send(name, body, attributes);
  };
}
