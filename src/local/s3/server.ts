import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { S3Event } from "aws-lambda";
import { buildApp } from "fauxqs";
import { StackError } from "../../ops/errors.ts";
import { makeHostId, makeRequestId, makeS3Event, makeSequencer } from "./event.ts";
import { formatNotifications, matchNotifications, parseNotifications } from "./notification.ts";
import { NotificationStore } from "./notification-store.ts";
import { openObjectStore, type S3Store, type StoredObject } from "./object-store.ts";
import { S3ApiError } from "./s3-api-error.ts";

export interface LocalS3Options {
  /** Where buckets, objects and notification configurations live. */
  readonly directory: string;
  /** 0 or absent: a free one. */
  readonly port?: number;
  /** Default us-east-1. */
  readonly region?: string;
  /** Called once for each notification that an object triggers, with one complete event of one record. */
  readonly notify: (functionArn: string, event: S3Event) => Promise<void>;
  /** Told when `notify` rejects; default: ignored. */
  readonly onError?: (error: unknown) => void;
}

export interface LocalS3 {
  readonly endpoint: string;
  readonly port: number;
  /** Takes no more requests and waits for the notifications under way, at most 5 s. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/** The largest body of one request, which is held in memory; bytes. Larger objects go in parts. */
const BODY_LIMIT = 256 * 1024 * 1024;

const STOP_LIMIT = 5000;

type App = ReturnType<typeof buildApp>;
/** What of Fastify's request is looked at. */
interface Request {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** The request whose handler runs: fauxqs's handlers are synchronous from the hook before them to the stored object. */
interface Operation {
  readonly eventName: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly sourceIPAddress: string;
}

/** A real S3 API on loopback whose objects survive a restart, with bucket notifications. Rejects with a StackError. */
export async function startLocalS3(options: LocalS3Options): Promise<LocalS3> {
  const { directory, port = 0 } = options;
  const notifications = new NotificationStore(join(directory, "notifications"));
  const notifier = new Notifier(options, notifications);
  const store = openObjectStore(directory, (bucket, key, object) => notifier.tell(bucket, key, object));
  const app = buildApp({
    logger: false,
    stores: { s3Store: store } as never,
    defaultRegion: options.region ?? "us-east-1",
  });
  app.removeContentTypeParser("*");
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  );
  addHooks(app, store, notifications, notifier);
  try {
    await app.listen({ port, host: LOOPBACK });
  } catch (cause) {
    await app.close();
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
    throw new StackError(`port ${port} is in use: the local S3 cannot listen there; stop the other program`, { cause });
  }
  const { port: address } = app.server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    await app.close();
    await notifier.settle(STOP_LIMIT);
  };
  return { endpoint: `http://${LOOPBACK}:${address}`, port: address, stop, [Symbol.asyncDispose]: stop };
}

function addHooks(app: App, store: S3Store, notifications: NotificationStore, notifier: Notifier): void {
  app.addHook("preHandler", (request, reply, done) => {
    const requestId = makeRequestId();
    const hostId = makeHostId();
    reply.header("x-amz-request-id", requestId).header("x-amz-id-2", hostId);
    notifier.begin({ eventName: nameEvent(request), requestId, hostId, sourceIPAddress: request.ip });
    try {
      rejectUnmetCondition(request, store);
      const answer = serveNotificationConfiguration(request, store, notifications);
      if (answer === undefined) done();
      else reply.header("content-type", "application/xml").send(answer);
    } catch (error) {
      if (!(error instanceof S3ApiError)) throw error;
      reply.status(error.status).header("content-type", "application/xml").send(error.toXml());
    }
  });
}

function parameters(request: Request): { bucket: string; key: string; query: Record<string, unknown> } {
  const params = (request.params ?? {}) as Record<string, string | undefined>;
  const query = (request.query ?? {}) as Record<string, unknown>;
  return { bucket: params.bucket ?? "", key: params["*"] ?? "", query };
}

/** The event that a request causes if it stores or removes an object. */
function nameEvent(request: Request): string {
  if (request.method === "DELETE" || "delete" in parameters(request).query) return "ObjectRemoved:Delete";
  if (request.method === "POST")
    return parameters(request).key === "" ? "ObjectCreated:Post" : "ObjectCreated:CompleteMultipartUpload";
  return request.headers["x-amz-copy-source"] === undefined ? "ObjectCreated:Put" : "ObjectCreated:Copy";
}

/** `If-None-Match: *` protects an existing object from being overwritten; fauxqs would overwrite it. */
function rejectUnmetCondition(request: Request, store: S3Store): void {
  const { bucket, key } = parameters(request);
  const writes = request.method === "PUT" || request.method === "POST";
  if (!writes || key === "") return;
  if (request.headers["if-match"] !== undefined)
    throw new S3ApiError(501, "NotImplemented", "If-Match is not supported here for writing");
  if (request.headers["if-none-match"] === undefined || !exists(store, bucket, key)) return;
  throw new S3ApiError(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
}

function exists(store: S3Store, bucket: string, key: string): boolean {
  try {
    store.headObject(bucket, key);
    return true;
  } catch {
    return false;
  }
}

/** Undefined for every other request. */
function serveNotificationConfiguration(
  request: Request,
  store: S3Store,
  notifications: NotificationStore,
): string | undefined {
  const { bucket, key, query } = parameters(request);
  if (key !== "" || !("notification" in query)) return undefined;
  if (!store.hasBucket(bucket)) throw new S3ApiError(404, "NoSuchBucket", "The specified bucket does not exist");
  if (request.method === "GET") return formatNotifications(notifications.get(bucket));
  if (request.method !== "PUT")
    throw new S3ApiError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
  notifications.put(bucket, parseNotifications(String(request.body ?? "")));
  return "";
}

/** Turns stored and removed objects into events for the functions that are to know. */
class Notifier {
  readonly #options: LocalS3Options;
  readonly #notifications: NotificationStore;
  readonly #underWay = new Set<Promise<void>>();
  #operation: Operation | undefined;

  constructor(options: LocalS3Options, notifications: NotificationStore) {
    this.#options = options;
    this.#notifications = notifications;
  }

  begin(operation: Operation): void {
    this.#operation = operation;
  }

  tell(bucket: string, key: string, object: StoredObject | undefined): void {
    const operation = this.#operation;
    if (operation === undefined) return;
    const time = new Date();
    const { region = "us-east-1" } = this.#options;
    const stored = object && { object: { size: object.contentLength, eTag: object.etag.replaceAll('"', "") } };
    const common = { ...operation, ...stored, bucket, key, time, region, sequencer: makeSequencer(time) };
    for (const { id, functionArn } of matchNotifications(this.#notifications.get(bucket), operation.eventName, key))
      this.#send(functionArn, makeS3Event({ ...common, configurationId: id }));
  }

  /** The client's answer does not wait for the function. */
  #send(functionArn: string, event: S3Event): void {
    const sending: Promise<void> = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#options.notify(functionArn, event))
      .catch((error: unknown) => this.#options.onError?.(error))
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async settle(limit: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limit);
    });
    await Promise.race([Promise.allSettled(this.#underWay), late]);
    clearTimeout(timer);
  }
}
