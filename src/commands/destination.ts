import { InvalidArgumentError } from "commander";
import { provideBroker, readDevelopmentEnvironment } from "../local/development.ts";
import { type Destination, makeFileDestination } from "../local/lambda/asynchronous/destination.ts";
import { Queues } from "../queue/queues.ts";
import { say } from "./program.ts";

/** `file:PATH`, `amqp:QUEUE` or `sqs:URL`, for --on-success, --on-failure and --dlq. */
export function parseDestination(text: string): Destination {
  const [, kind, name = ""] = /^(file|amqp|sqs):(.+)$/s.exec(text) ?? [];
  if (kind === "file") return makeFileDestination(name);
  if (kind === "amqp") return makeQueueDestination(name);
  if (kind === "sqs" && /^https?:/.test(name) && URL.canParse(name)) return makeLazySqsDestination(new URL(name));
  throw new InvalidArgumentError(`Expected file:PATH, amqp:QUEUE or sqs:URL, got ${JSON.stringify(text)}.`);
}

/** A queue of the configured broker, or of the development broker; attributes are headers. The queue must exist. */
function makeQueueDestination(name: string): Destination {
  return async ({ body, attributes }) => {
    const { findAddress } = await provideBroker(readDevelopmentEnvironment(), say);
    await using queues = await Queues.open(await findAddress());
    await queues.send(name, body, attributes);
  };
}

/** AWS's SDK takes a while to load: nobody waits for it who has no such queue. */
function makeLazySqsDestination(url: URL): Destination {
  let loaded: Promise<Destination> | undefined;
  return async (message) => {
    loaded ??= import("../local/sqs-destination.ts").then(({ makeSqsDestination }) => makeSqsDestination(url));
    await (await loaded)(message);
  };
}
