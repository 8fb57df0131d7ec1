import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import {
  type OptionValues,
  type Parsed,
  parseChoice,
  parseText,
  parseWholeNumber,
  readOptions,
} from "../ops/options.ts";
import { findSecretProblem } from "./secret.ts";
import type { ThrottledQueue } from "./throttle.ts";

/** AMQP's limit on a short string, bytes. */
const QUEUE_NAME_BYTES = 255;

/** Every variable that Pigeon reads. */
export const PIGEON_OPTIONS = {
  hosts: {
    name: "PIGEON_HOST",
    sentence:
      "Comma list of the RabbitMQ broker's nodes: `host` or `host:port`. They are tried in turn from a random start.",
    parse: parseHosts,
  },
  port: {
    name: "PIGEON_PORT",
    sentence: "AMQP port of the nodes that name none. Not set: 5672, or 5671 with TLS.",
    default: "",
    parse: parseOptionalPort,
  },
  user: { name: "PIGEON_USER", sentence: "User name at the broker.", parse: parseText },
  password: {
    name: "PIGEON_PASSWORD",
    sentence:
      "Password at the broker, or where it is: the ARN of a Secrets Manager secret (`:json-key` may follow) or of an SSM parameter.",
    secret: true,
    parse: parseText,
  },
  virtualHost: {
    name: "PIGEON_VIRTUAL_HOST",
    sentence: "Virtual host at the broker, or where it is, as for the password.",
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
    sentence:
      "Set: password and virtual host are KMS ciphertexts in base64, made in this region, unless they are ARNs. Not set: they are used as they are.",
    default: "",
    parse: parseRegion,
  },
  env: {
    name: "PIGEON_ENV",
    sentence: "The `#env:` tag of every metric: letters, digits, `-`, `_`.",
    default: "",
    parse: parseEnvironmentTag,
  },
  tls: {
    name: "PIGEON_TLS",
    sentence: "`true` connects with TLS (amqps) and refuses a broker whose certificate is not in order.",
    default: "false",
    parse: parseSwitch,
  },
  tlsCa: {
    name: "PIGEON_TLS_CA",
    sentence:
      "Certificates of the authorities that are trusted instead of the well-known ones: PEM, or the path of a file with it.",
    default: "",
    parse: parseCertificates,
  },
  tlsServerName: {
    name: "PIGEON_TLS_SERVER_NAME",
    sentence: "The name that the broker's certificate must carry, if it is not the host's.",
    default: "",
    parse: parseOptionalText,
  },
  events: {
    name: "PIGEON_EVENTS",
    sentence: "Comma list of the S3 event names that count.",
    default: "ObjectCreated:Put,ObjectCreated:CompleteMultipartUpload",
    parse: parseEventNames,
  },
  metrics: {
    name: "PIGEON_METRICS",
    sentence:
      "`monitoring`: MONITORING lines. `emf`: beside them one line for each invocation in CloudWatch's embedded metric format.",
    default: "monitoring",
    parse: parseChoice("monitoring", "emf"),
  },
} as const;

/** Pigeon's configuration: typed, complete, frozen. */
export type PigeonConfiguration = OptionValues<typeof PIGEON_OPTIONS>;

/** Throws one ConfigurationError with every problem; no message shows a secret. */
export function readPigeonConfiguration(
  environment: Readonly<Record<string, string | undefined>>,
): PigeonConfiguration {
  return readOptions(PIGEON_OPTIONS, environment, findContradictions);
}

/** What is wrong with options that are good each by itself. */
function findContradictions(options: Partial<PigeonConfiguration>): string[] {
  const { region, tls, tlsCa, tlsServerName } = options;
  const secrets = [PIGEON_OPTIONS.password, PIGEON_OPTIONS.virtualHost].flatMap(({ name }, index) => {
    const text = [options.password, options.virtualHost][index];
    const expected = text === undefined ? undefined : findSecretProblem(text, region);
    return expected === undefined
      ? []
      : `${name}: expected ${expected}, got ${text?.length} characters that are not shown`;
  });
  if (tls === false && tlsCa !== undefined)
    secrets.push("PIGEON_TLS_CA: expected nothing without PIGEON_TLS, got a value");
  if (tls === false && tlsServerName !== undefined)
    secrets.push("PIGEON_TLS_SERVER_NAME: expected nothing without PIGEON_TLS, got a value");
  return secrets;
}

/** A node of the broker; its port is that of PIGEON_PORT unless it names one. */
export interface Host {
  readonly host: string;
  readonly port?: number;
}

const parsePort = parseWholeNumber(1, 65_535);

/** The nodes of `PIGEON_HOST`, in order. An IPv6 address stands in brackets when a port follows. */
export function parseHosts(text: string): Parsed<readonly Host[]> {
  const hosts: Host[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    const bare = isIPv6(entry) ? { host: entry } : undefined;
    const { v6, name, port } = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:[\]]+))(?::(?<port>.*))?$/s.exec(entry)?.groups ?? {};
    const host = bare?.host ?? (v6 !== undefined && isIPv6(v6) ? v6 : name);
    if (host === undefined || /[^A-Za-z0-9._:%-]/.test(host)) return { expected: HOST_SYNTAX };
    const parsed = bare === undefined && port !== undefined ? parsePort(port) : undefined;
    if (parsed !== undefined && "expected" in parsed)
      return { expected: `${parsed.expected} as port, in ${HOST_SYNTAX}` };
    hosts.push(Object.freeze({ host, ...(parsed === undefined ? {} : { port: parsed.value }) }));
  }
  return { value: Object.freeze(hosts) };
}

const HOST_SYNTAX = "host or host:port, separated by commas";

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

function parseOptionalPort(text: string): Parsed<number | undefined> {
  return text === "" ? { value: undefined } : parsePort(text);
}

function parseOptionalText(text: string): Parsed<string | undefined> {
  return { value: text === "" ? undefined : text };
}

function parseRegion(text: string): Parsed<string | undefined> {
  if (text === "") return { value: undefined };
  return /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(text) ? { value: text } : { expected: "an AWS region such as us-east-1" };
}

function parseSwitch(text: string): Parsed<boolean> {
  if (["true", "1"].includes(text)) return { value: true };
  return ["false", "0"].includes(text) ? { value: false } : { expected: "true or false" };
}

/** PEM; line feeds may be written as `\\n`, as some tools need it in a variable. Whatever is no PEM is a path. */
function parseCertificates(text: string): Parsed<string | undefined> {
  if (text === "") return { value: undefined };
  try {
    const isPem = text.includes("-----BEGIN");
    const pem = isPem ? text.replaceAll("\\n", "\n") : readFileSync(text, "utf8");
    new X509Certificate(pem);
    return { value: pem };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unreadable";
    return { expected: `certificates in PEM, or the path of a file with them (${reason})` };
  }
}
