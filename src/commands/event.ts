import { type Command, InvalidArgumentError, Option } from "commander";
import { ENVELOPES, type Envelope, wrapRecords } from "../local/s3/envelopes.ts";
import { makeS3Event } from "../local/s3/event.ts";
import { ConfigurationError } from "../ops/errors.ts";
import { makeCommand } from "./program.ts";

/** A raw crash that was accepted; the story's own. */
export const SAMPLE_KEY = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc00180313";

interface EventOptions {
  readonly eventName: string;
  readonly bucket: string;
  readonly via?: Envelope;
}

/** `pigeon event`: a complete S3 event as AWS sends it, one record for each key. */
export function makeEventCommand(): Command {
  return makeCommand("event", "print an S3 event as AWS sends it, one record for each key")
    .argument("[key...]", `keys as stored in the bucket (default: ${SAMPLE_KEY})`)
    .option("--event-name <name>", "what happened to the objects", parseEventName, "ObjectCreated:Put")
    .option("--bucket <name>", "the bucket's name", "dev_bucket")
    .addOption(new Option("--via <service>", "as it arrives through another service").choices(ENVELOPES))
    .action((keys: readonly string[], { bucket, eventName, via }: EventOptions) => {
      if (via === "eventbridge" && keys.length > 1)
        throw new ConfigurationError([
          `key: expected one, as EventBridge sends one event for each object, got ${keys.length}`,
        ]);
      const events = (keys.length > 0 ? keys : [SAMPLE_KEY]).map((key) => makeS3Event({ bucket, key, eventName }));
      const Records = events.flatMap((event) => event.Records);
      const event = via === undefined ? { Records } : wrapRecords(Records, via);
      process.stdout.write(`${JSON.stringify(event, undefined, 2)}\n`);
    });
}

/** Names as in events; the form of notification configurations, with `s3:`, means the same. */
function parseEventName(text: string): string {
  const name = text.replace(/^s3:/, "");
  if (!/^[A-Za-z]+:[A-Za-z]+$/.test(name))
    throw new InvalidArgumentError(`Expected a name such as ObjectCreated:Put, got ${JSON.stringify(text)}.`);
  return name;
}
