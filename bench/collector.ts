/**
 * How much of a request is the collector's own work: a crash report as Crashpad sends it, gzip in chunks, to a server of node:http
 * that only reads the body (the floor), to the collector's parsing and deciding with nothing saved, and to the whole collector
 * with the local S3. All in one process, as the client is; interleaved, 16 connections.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { startCollector } from "../src/collector/collector.ts";
import { readCollectorConfiguration } from "../src/collector/configuration.ts";
import type { Keeper } from "../src/collector/keeper.ts";
import { makeCollectorMetrics } from "../src/collector/metrics.ts";
import { takeSubmission } from "../src/collector/submission.ts";
import { readRules } from "../src/collector/throttle/rule-file.ts";
import { startLocalS3 } from "../src/local/s3/server.ts";
import { CrashStore } from "../src/storage/crash-store.ts";

const ROUNDS = 7;
const REQUESTS = 400;
const CONNECTIONS = 16;
const BOUNDARY = "---MultipartBoundary-0123456789abcdefghijklmnopqrstuv---";

/** 45 annotations and a minidump of 130 KB, of which a sixth is left when it is compressed. */
function makeBody(): Buffer {
  const field = (name: string, value: string): string =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const annotations = Array.from({ length: 45 }, (_, n) => field(`annotation-${n}`, "value ".repeat(5))).join("");
  const dump = Buffer.concat([randomBytes(20_000), Buffer.alloc(110_000, "MDMP")]);
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="a.dmp"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  return gzipSync(Buffer.concat([Buffer.from(annotations + head), dump, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]));
}

interface Contestant {
  readonly name: string;
  readonly url: string;
  readonly seconds: number[];
}

const directory = mkdtempSync(join(tmpdir(), "pigeon-bench-"));
await using stack = new AsyncDisposableStack();
stack.defer(() => rmSync(directory, { recursive: true, force: true }));

async function serve(name: string, listener: Parameters<typeof createServer>[1]): Promise<Contestant> {
  const server = createServer({}, listener as never);
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  stack.defer(() => void server.close());
  return { name, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/submit`, seconds: [] };
}

const floor = await serve("node:http, body read", (incoming, outgoing) => {
  incoming.resume().on("end", () => outgoing.end("CrashID=bp-x\n"));
});

let folders = 0;
const { mkdir, rm } = await import("node:fs/promises");
const nowhere = {
  makeFolder: async () => {
    const folder = join(directory, String(folders++));
    await mkdir(folder);
    return folder;
  },
  removeFolder: (folder: string) => rm(folder, { recursive: true, force: true }),
  keep: async () => {},
} as unknown as Keeper;
const context = {
  keeper: nowhere,
  metrics: makeCollectorMetrics(),
  log: () => {},
  rules: await readRules("mozilla"),
  uuidToken: undefined,
  limits: { bytes: 26_214_400, annotationBytes: 4_194_304, parts: 2000 },
};
const parsing = await serve("read, decided, not saved", (incoming, outgoing) => {
  takeSubmission(incoming, context).then(
    (text) => outgoing.end(text),
    (error) => outgoing.writeHead(500).end(String(error)),
  );
});

const s3 = stack.use(await startLocalS3({ directory: join(directory, "s3"), notify: async () => {} }));
const store = new CrashStore({ bucket: "crashes", region: "us-east-1", endpoint: s3.endpoint });
await store.ensureBucket();
store.close();
const configuration = readCollectorConfiguration({
  COLLECTOR_PORT: "0",
  COLLECTOR_BUCKET: "crashes",
  COLLECTOR_S3_ENDPOINT: s3.endpoint,
});
const collector = await startCollector({ configuration, log: () => {}, version: {} });
stack.defer(() => collector.stop());
const whole: Contestant = { name: "collector, saved in a local S3", url: `${collector.url}/submit`, seconds: [] };

const body = makeBody();
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
stack.defer(() => agent.destroy());

function send(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}`, "content-encoding": "gzip" };
    const outgoing = request(url, { method: "POST", agent, headers }, (incoming) => {
      incoming
        .resume()
        .on("end", () => (incoming.statusCode === 200 ? resolve() : reject(new Error(String(incoming.statusCode)))));
    });
    outgoing.on("error", reject);
    outgoing.write(body.subarray(0, 1000)); // two chunks, of a length that is not said before
    outgoing.end(body.subarray(1000));
  });
}

async function round({ url, seconds }: Contestant): Promise<void> {
  const started = performance.now();
  let left = REQUESTS;
  const work = async (): Promise<void> => {
    while (left-- > 0) await send(url);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  seconds.push((performance.now() - started) / 1000);
}

const contestants = [floor, parsing, whole];
for (const contestant of contestants) await round(contestant);
for (const { seconds } of contestants) seconds.length = 0;
for (let n = 0; n < ROUNDS; n++) for (const contestant of contestants) await round(contestant);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
console.log(
  `${body.length} bytes, gzip in chunks; ${CONNECTIONS} connections, ${ROUNDS} rounds of ${REQUESTS}; client in the same process`,
);
for (const { name, seconds } of contestants) {
  const rate = REQUESTS / median(seconds);
  const [low, high] = [REQUESTS / Math.max(...seconds), REQUESTS / Math.min(...seconds)];
  const ratio = median(seconds) / median(floor.seconds);
  console.log(
    `${name}: ${rate.toFixed(0)}/s (${low.toFixed(0)} to ${high.toFixed(0)}), ${ratio.toFixed(2)} times the floor's time`,
  );
}
