import http from "node:http";
import net from "node:net";
import { buffer } from "node:stream/consumers";
import type { Answer, Extension } from "./extensions.ts";

/** The Lambda Telemetry API, version 2022-07-01. https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html */

export type TelemetryType = "platform" | "function" | "extension";

/** One event as its subscribers get it: time, type, record. */
export interface TelemetryEvent {
  readonly kind: TelemetryType;
  readonly event: object;
}

/** What a subscriber asked for. */
interface Subscription {
  readonly types: readonly TelemetryType[];
  readonly deliver: (events: readonly object[]) => Promise<void>;
  readonly maxItems: number;
  readonly maxBytes: number;
  /** ms */
  readonly timeout: number;
}

const PATH = "/2022-07-01/telemetry";

/** AWS's limits on what a subscriber may ask for, and what it gets if it does not. */
const BUFFERING = {
  maxItems: { low: 1000, high: 10_000, usual: 10_000 },
  maxBytes: { low: 262_144, high: 1_048_576, usual: 262_144 },
  timeoutMs: { low: 25, high: 30_000, usual: 10_000 },
} as const;

/** The sandbox's own name in AWS; here everything is on this machine. */
const SANDBOX_HOST = /^(sandbox|sandbox\.localdomain|localhost|127\.0\.0\.1)$/;

/** What came before a subscriber is kept for it, but no more than this. */
const MOST_KEPT = 1000;

/** Hands the events of one session to the extensions that asked for them, in batches. */
export class Telemetry {
  readonly #onSubscribed: (name: string, types: readonly TelemetryType[]) => void;
  #kept: TelemetryEvent[] = [];
  #open = true;
  readonly #feeds = new Map<string, Feed>();

  constructor(onSubscribed: (name: string, types: readonly TelemetryType[]) => void) {
    this.#onSubscribed = onSubscribed;
  }

  /** `make` is asked only when somebody listens or may come to do so. */
  publish(kind: TelemetryType, make: () => object): void {
    if (!this.#open && this.#feeds.size === 0) return;
    const event = make();
    if (this.#open && this.#kept.length < MOST_KEPT) this.#kept.push({ kind, event });
    for (const feed of this.#feeds.values()) feed.push({ kind, event });
  }

  /** The initialization is over: nobody subscribes any more. */
  close(): void {
    this.#open = false;
    this.#kept = [];
  }

  /** Resolves when everything published so far has been handed over or cannot be. */
  async flush(): Promise<void> {
    await Promise.all([...this.#feeds.values()].map((feed) => feed.flush()));
  }

  stop(): void {
    for (const feed of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
  }

  /** False when the request is for somebody else. `find` knows the extensions. */
  async serve(
    request: http.IncomingMessage,
    answer: Answer,
    find: (id: string | undefined) => Extension | undefined,
  ): Promise<boolean> {
    if (request.url !== PATH || request.method !== "PUT") return false;
    const body = await buffer(request);
    const id = request.headers["lambda-extension-identifier"];
    const extension = find(typeof id === "string" ? id : undefined);
    if (extension === undefined) {
      answer(403, { errorMessage: `Unknown extension ${id ?? ""}`, errorType: "Extension.UnknownExtensionIdentifier" });
      return true;
    }
    if (!this.#open) {
      answer(403, { errorMessage: "Subscriptions are closed after the initialization", errorType: "Telemetry.Closed" });
      return true;
    }
    const subscription = parseSubscription(body);
    if (typeof subscription === "string") {
      answer(400, { errorMessage: subscription, errorType: "ValidationError" });
      return true;
    }
    this.#feeds.get(extension.id)?.stop();
    const feed = new Feed(subscription);
    this.#feeds.set(extension.id, feed);
    for (const kept of this.#kept) feed.push(kept);
    answer(200, "OK");
    this.#onSubscribed(extension.name, subscription.types);
    return true;
  }
}

/** The events for one subscriber: a batch goes when it is full or old enough. */
class Feed {
  readonly #subscription: Subscription;
  #batch: object[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(subscription: Subscription) {
    this.#subscription = subscription;
  }

  push({ kind, event }: TelemetryEvent): void {
    const { types, maxItems, maxBytes, timeout } = this.#subscription;
    if (!types.includes(kind)) return;
    this.#batch.push(event);
    this.#bytes += Buffer.byteLength(JSON.stringify(event));
    if (this.#batch.length >= maxItems || this.#bytes >= maxBytes) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), timeout).unref();
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    // A subscriber that has gone misses what it would have got, as on AWS.
    if (batch.length > 0) this.#last = this.#last.then(() => this.#subscription.deliver(batch)).catch(() => {});
    return this.#last;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#batch = [];
  }
}

/** What is wrong, in a sentence, or the subscription. */
function parseSubscription(body: Buffer): Subscription | string {
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    return "expected a JSON object";
  }
  const {
    types,
    destination,
    buffering = {},
  } = given as { types?: unknown; destination?: unknown; buffering?: unknown };
  const known = ["platform", "function", "extension"];
  if (!Array.isArray(types) || types.length === 0 || !types.every((type) => known.includes(type)))
    return `types: expected a list of ${known.join(", ")}`;
  const deliver = parseDestination((destination ?? {}) as Record<string, unknown>);
  if (typeof deliver === "string") return deliver;
  const limits: number[] = [];
  for (const [name, { low, high, usual }] of Object.entries(BUFFERING)) {
    const value = (buffering as Record<string, unknown>)[name] ?? usual;
    if (!Number.isInteger(value) || Number(value) < low || Number(value) > high)
      return `buffering.${name}: expected a whole number from ${low} to ${high}, got ${JSON.stringify(value)}`;
    limits.push(Number(value));
  }
  const [maxItems = 0, maxBytes = 0, timeout = 0] = limits;
  return { types, deliver, maxItems, maxBytes, timeout };
}

function parseDestination({ protocol, URI, port }: Record<string, unknown>): Subscription["deliver"] | string {
  if (protocol === "TCP") {
    if (!Number.isInteger(port)) return "destination.port: expected a number";
    return (events) => sendByTcp(Number(port), events);
  }
  if (protocol !== "HTTP") return `destination.protocol: expected HTTP or TCP, got ${JSON.stringify(protocol)}`;
  if (typeof URI !== "string" || !URL.canParse(URI)) return "destination.URI: expected an address";
  const url = new URL(URI);
  if (!SANDBOX_HOST.test(url.hostname))
    return `destination.URI: expected the host sandbox.localdomain, got ${url.hostname}`;
  return (events) => post(url, JSON.stringify(events));
}

async function post({ port, pathname, search }: URL, body: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const options = { host: "127.0.0.1", port: port || 80, path: `${pathname}${search}`, method: "POST", headers };
    const request = http.request(options, (response) => {
      response.resume();
      response.once("end", resolve);
      response.once("error", reject);
    });
    request.once("error", reject);
    request.end(body);
  });
}

/** One line for each event. */
async function sendByTcp(port: number, events: readonly object[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.end(events.map((event) => `${JSON.stringify(event)}\n`).join(""), resolve);
  });
}
