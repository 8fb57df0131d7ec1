import { type OptionValues, type Parsed, parseText, parseWholeNumber, readOptions } from "../ops/options.ts";

/** Every variable that the collector reads. */
export const COLLECTOR_OPTIONS = {
  host: { name: "COLLECTOR_HOST", sentence: "Address to listen on.", default: "127.0.0.1", parse: parseText },
  port: {
    name: "COLLECTOR_PORT",
    sentence: "Port to listen on; 0 takes a free one.",
    default: "8000",
    parse: parseWholeNumber(0, 65_535),
  },
  bucket: { name: "COLLECTOR_BUCKET", sentence: "Name of the S3 bucket in which crashes are saved.", parse: parseText },
  region: { name: "COLLECTOR_REGION", sentence: "AWS region of the bucket.", default: "us-east-1", parse: parseText },
  endpoint: {
    name: "COLLECTOR_S3_ENDPOINT",
    sentence: "URL of an S3 that is not AWS's; path style, any credentials.",
    default: "",
    parse: parseEndpoint,
  },
  rules: {
    name: "COLLECTOR_RULES",
    sentence: "Throttle rules: `accept-everything`, `mozilla`, or the path of a JSON or TypeScript file.",
    default: "accept-everything",
    parse: parseText,
  },
  uuidToken: {
    name: "COLLECTOR_UUID_TOKEN",
    sentence: "Bearer token with which a client may choose its crash id (`uuid`). Not set: nobody may.",
    default: "",
    secret: true,
    parse: parseOptional,
  },
  spool: {
    name: "COLLECTOR_SPOOL",
    sentence:
      "Directory that takes reports while S3 does not; they are saved later, in order. Not set: those reports are refused with 500.",
    default: "",
    parse: parseOptional,
  },
  mostBytes: {
    name: "COLLECTOR_MAX_BYTES",
    sentence: "Bytes of one report, as received and as decoded; more is refused with 413.",
    default: "26214400",
    parse: parseWholeNumber(1, 2 ** 40),
  },
  mostAnnotationBytes: {
    name: "COLLECTOR_MAX_ANNOTATION_BYTES",
    sentence: "Bytes of all annotations of one report, which are held in memory; more is refused with 413.",
    default: "4194304",
    parse: parseWholeNumber(1, 2 ** 30),
  },
  mostParts: {
    name: "COLLECTOR_MAX_PARTS",
    sentence: "Annotations and dumps of one report; more are refused with 413.",
    default: "2000",
    parse: parseWholeNumber(1, 1_000_000),
  },
  requestSeconds: {
    name: "COLLECTOR_REQUEST_SECONDS",
    sentence: "Seconds that a client may take to send one report; then it is answered with 408.",
    default: "60",
    parse: parseWholeNumber(1, 3600),
  },
  mostRequests: {
    name: "COLLECTOR_MAX_REQUESTS",
    sentence: "Reports that are taken at once; more are answered with 503 and Retry-After.",
    default: "256",
    parse: parseWholeNumber(1, 100_000),
  },
  saveAttempts: {
    name: "COLLECTOR_SAVE_ATTEMPTS",
    sentence: "How often saving a report is tried.",
    default: "5",
    parse: parseWholeNumber(1, 100),
  },
  saveSeconds: {
    name: "COLLECTOR_SAVE_SECONDS",
    sentence: "Seconds after which a report that is still not saved is spooled, or refused with 500.",
    default: "20",
    parse: parseWholeNumber(1, 3600),
  },
} as const;

/** The collector's configuration: typed, complete, frozen. */
export type CollectorConfiguration = OptionValues<typeof COLLECTOR_OPTIONS>;

/** Throws one ConfigurationError with every problem; no message shows the token. */
export function readCollectorConfiguration(
  environment: Readonly<Record<string, string | undefined>>,
): CollectorConfiguration {
  return readOptions(COLLECTOR_OPTIONS, environment);
}

function parseOptional(text: string): Parsed<string | undefined> {
  return { value: text === "" ? undefined : text };
}

function parseEndpoint(text: string): Parsed<string | undefined> {
  if (text === "") return { value: undefined };
  return /^https?:\/\//.test(text) && URL.canParse(text) ? { value: text } : { expected: "an http or https URL" };
}
