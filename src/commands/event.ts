import { type Command, InvalidArgumentError } from "commander";
import { makeS3Event } from "../local/s3/event.ts";
import { ConfigurationError } from "../ops/errors.ts";
import { makeCommand } from "./program.ts";

/** A raw crash that was accepted; the story's own. */
export const SAMPLE_KEY = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc00180313";

interface EventOptions {
  readonly eventName: string;
  readonly bucket: string;
  readonly via?: string;
}

/** `pigeon event`: a complete S3 event as AWS sends it, one record for each key. */
export function makeEventCommand(): Command {
  return makeCommand("event", "print an S3 event as AWS sends it, one record for each key")
    .argument("[key...]", `keys as stored in the bucket (default: ${SAMPLE_KEY})`)
    .option("--event-name <name>", "what happened to the objects", parseEventName, "ObjectCreated:Put")
    .option("--bucket <name>", "the bucket's name", "dev_bucket")
    .option("--via <service>", "wrapped by sqs, sns or eventbridge: not supported yet")
    .action((keys: readonly string[], options: EventOptions) => {
      if (options.via !== undefined)
        throw new ConfigurationError([`--via: expected nothing, it is not supported yet, got ${options.via}`]);
      const { bucket, eventName } = options;
      const events = (keys.length > 0 ? keys : [SAMPLE_KEY]).map((key) => makeS3Event({ bucket, key, eventName }));
      const Records = events.flatMap((event) => event.Records);
      process.stdout.write(`${JSON.stringify({ Records }, undefined, 2)}\n`);
    });
}

/** Names as in events; the form of notification configurations, with `s3:`, means the same. */
function parseEventName(text: string): string {
  const name = text.replace(/^s3:/, "");
  if (!/^[A-Za-z]+:[A-Za-z]+$/.test(name))
    throw new InvalidArgumentError(`Expected a name such as ObjectCreated:Put, got ${JSON.stringify(text)}.`);
  return name;
}
