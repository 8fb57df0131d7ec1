import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { GetObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import type { S3Event } from "aws-lambda";
import { type Collector, startCollector } from "../../src/collector/collector.ts";
import { readCollectorConfiguration } from "../../src/collector/configuration.ts";
import { type LocalS3, startLocalS3 } from "../../src/local/s3/server.ts";
import { CrashStore } from "../../src/storage/crash-store.ts";
import { makeFolder } from "./function-zip.ts";
import { BOUNDARY } from "./multipart.ts";
import { makeClient, notifyAll } from "./s3.ts";

/** A collector and the real S3 API behind it, both in this process. */
export interface ServedCollector {
  readonly collector: Collector;
  readonly s3: LocalS3;
  /** What S3 has told of: name and key of each event. */
  readonly events: readonly string[];
  readonly client: S3Client;
  readonly bucket: string;
  /** Where reports are received and spooled. */
  readonly spool: string;
  /** Its log lines' messages. */
  readonly log: readonly string[];
  submit(body: Uint8Array, options?: SubmitOptions): Promise<Answer>;
  get(path: string): Promise<Answer>;
  /** An object of the bucket, as text. */
  read(key: string): Promise<string>;
}

export interface SubmitOptions {
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly method?: string;
  readonly path?: string;
  /** Sends no Content-Length. */
  readonly isChunked?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingMessage["headers"];
}

/** Stopped after the test. `variables`: on top of the ones it needs. */
export async function serveCollector(
  t: Pick<TestContext, "after">,
  variables: Readonly<Record<string, string>> = {},
): Promise<ServedCollector> {
  const bucket = "crashes";
  const directory = makeFolder(t as TestContext);
  const events: string[] = [];
  const notify = async (_arn: string, event: S3Event): Promise<void> => {
    for (const { eventName, s3: told } of event.Records) events.push(`${eventName} ${told.object.key}`);
  };
  const s3 = await startLocalS3({ directory: makeFolder(t as TestContext), notify });
  t.after(() => s3.stop());
  const store = new CrashStore({ bucket, region: "us-east-1", endpoint: s3.endpoint });
  await store.ensureBucket();
  store.close();
  const client = makeClient(t as TestContext, s3);
  await notifyAll(client, bucket);
  const spool = join(directory, "spool");
  const log: string[] = [];
  const collector = await startCollector({
    configuration: readCollectorConfiguration({
      COLLECTOR_PORT: "0",
      COLLECTOR_BUCKET: bucket,
      COLLECTOR_S3_ENDPOINT: s3.endpoint,
      COLLECTOR_SPOOL: spool,
      ...variables,
    }),
    log: (severity, msg) => void log.push(`${severity}: ${msg}`),
    version: { version: "test" },
  });
  t.after(() => collector.stop());
  return {
    collector,
    s3,
    events,
    client,
    bucket,
    spool,
    log,
    submit: (body, options) => post(collector.url, body, options),
    read: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return (await Body?.transformToString()) ?? "";
    },
    get: (path) =>
      post(collector.url, Buffer.alloc(0), { method: "GET", path, headers: { "content-type": undefined } }),
  };
}

/** Reports that are being received, by their folders. */
export function foldersInFlight({ spool }: ServedCollector): string[] {
  return readdirSync(join(spool, "incoming"));
}

/** One request; a header that is undefined is not sent. */
export async function post(url: string, body: Uint8Array, options: SubmitOptions = {}): Promise<Answer> {
  const { headers = {}, method = "POST", path = "/submit", isChunked = false } = options;
  const length = isChunked
    ? { "transfer-encoding": "chunked" }
    : method === "GET"
      ? {}
      : { "content-length": String(body.length) };
  const wanted = { "content-type": `multipart/form-data; boundary=${BOUNDARY}`, ...length, ...headers };
  const sent = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
  const outgoing = request(`${url}${path}`, { method, headers: sent, agent: false });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  const chunks = await incoming.toArray();
  return { status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString(), headers: incoming.headers };
}
