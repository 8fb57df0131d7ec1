import { type OptionValues, type Parsed, parseText, parseWholeNumber, readOptions } from "../ops/options.ts";
import type { ThrottledQueue } from "./throttle.ts";

/** AMQP's limit on a short string, bytes. */
const QUEUE_NAME_BYTES = 255;

/** Every variable that Pigeon reads. */
export const PIGEON_OPTIONS = {
  host: { name: "PIGEON_HOST", sentence: "Host name or address of the RabbitMQ broker.", parse: parseText },
  port: {
    name: "PIGEON_PORT",
    sentence: "AMQP port of the broker.",
    default: "5672",
    parse: parseWholeNumber(1, 65_535),
  },
  user: { name: "PIGEON_USER", sentence: "User name at the broker.", parse: parseText },
  password: {
    name: "PIGEON_PASSWORD",
    sentence: "Password at the broker.",
    secret: true,
    parse: parseText,
  },
  virtualHost: {
    name: "PIGEON_VIRTUAL_HOST",
    sentence: "Virtual host at the broker.",
    secret: true,
    parse: parseText,
  },
  queues: {
    name: "PIGEON_QUEUE",
    sentence:
      "Comma list of queues: `name`, or `throttle:name` where the throttle is the percentage (0 to 100) of accepted crash ids that go there.",
    parse: parseQueues,
  },
  region: {
    name: "PIGEON_AWS_REGION",
    sentence: "AWS region of the KMS key of password and virtual host. Not supported yet: leave it empty.",
    default: "",
    parse: parseNothing("leave it empty: decryption with KMS is not supported yet"),
  },
  env: {
    name: "PIGEON_ENV",
    sentence: "The `#env:` tag of every metric: letters, digits, `-`, `_`.",
    default: "",
    parse: parseEnvironmentTag,
  },
  tls: {
    name: "PIGEON_TLS",
    sentence: "Connect with TLS. Not supported yet: leave it empty.",
    default: "",
    parse: parseNothing("nothing: TLS is not supported yet"),
  },
  tlsCa: {
    name: "PIGEON_TLS_CA",
    sentence: "Certificate authority for TLS. Not supported yet: leave it empty.",
    default: "",
    parse: parseNothing("nothing: TLS is not supported yet"),
  },
  events: {
    name: "PIGEON_EVENTS",
    sentence: "Comma list of the S3 event names that count.",
    default: "ObjectCreated:Put,ObjectCreated:CompleteMultipartUpload",
    parse: parseEventNames,
  },
} as const;

/** Pigeon's configuration: typed, complete, frozen. */
export type PigeonConfiguration = OptionValues<typeof PIGEON_OPTIONS>;

/** Throws one ConfigurationError with every problem; no message shows a secret. */
export function readPigeonConfiguration(
  environment: Readonly<Record<string, string | undefined>>,
): PigeonConfiguration {
  return readOptions(PIGEON_OPTIONS, environment);
}

/** The queues of `PIGEON_QUEUE`, in order. */
export function parseQueues(text: string): Parsed<readonly ThrottledQueue[]> {
  const queues: ThrottledQueue[] = [];
  for (const entry of text.split(",")) {
    const queue = parseQueue(entry.trim());
    if ("expected" in queue) return queue;
    if (queues.some(({ name }) => name === queue.value.name)) return { expected: "each queue once" };
    queues.push(queue.value);
  }
  return { value: Object.freeze(queues) };
}

const QUEUE_SYNTAX = "name or throttle:name, separated by commas";

function parseQueue(entry: string): Parsed<ThrottledQueue> {
  const parts = entry.split(":").map((part) => part.trim());
  const [first = "", second] = parts;
  const name = second ?? first;
  if (parts.length > 2 || name === "") return { expected: QUEUE_SYNTAX };
  if (Buffer.byteLength(name) > QUEUE_NAME_BYTES)
    return { expected: `queue names of at most ${QUEUE_NAME_BYTES} bytes` };
  if (/\p{Cc}/u.test(name)) return { expected: "queue names without control characters" };
  if (second === undefined) return { value: Object.freeze({ name, throttle: 100 }) };
  const throttle = parseWholeNumber(0, 100)(first);
  if ("expected" in throttle) return { expected: `${throttle.expected} as throttle, in ${QUEUE_SYNTAX}` };
  return { value: Object.freeze({ name, throttle: throttle.value }) };
}

function parseEnvironmentTag(text: string): Parsed<string> {
  return /^[A-Za-z0-9_-]*(?![\s\S])/.test(text) ? { value: text } : { expected: "letters, digits, - and _" };
}

function parseEventNames(text: string): Parsed<ReadonlySet<string>> {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => /^[A-Za-z]+:[A-Za-z]+$/.test(name))) return { value: new Set(names) };
  return { expected: "S3 event names such as ObjectCreated:Put, separated by commas" };
}

function parseNothing(expected: string): (text: string) => Parsed<undefined> {
  return (text) => (text === "" ? { value: undefined } : { expected });
}
