/**
 * Station 1: from crash reports over HTTP to crashes in S3, whose raw crash triggers Pigeon. A report is answered with its crash
 * id when it is safe, in S3 or in the spool; one that cannot be made safe is answered with 500, and its client may send it again.
 */

import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { StackError } from "../ops/errors.ts";
import type { Log } from "../ops/log.ts";
import { CrashStore } from "../storage/crash-store.ts";
import type { CollectorConfiguration } from "./configuration.ts";
import { addHealthRoutes } from "./health.ts";
import { Keeper } from "./keeper.ts";
import { makeCollectorMetrics } from "./metrics.ts";
import { ClientGoneError, malformed, RefusalError } from "./refusal.ts";
import { Spool } from "./spool.ts";
import { type SubmissionContext, takeSubmission } from "./submission.ts";
import { readRules } from "./throttle/rule-file.ts";

export interface CollectorOptions {
  readonly configuration: CollectorConfiguration;
  readonly log: Log;
  /** Dockerflow's version object. */
  readonly version: Readonly<Record<string, string>>;
}

export interface Collector {
  readonly url: string;
  /** Takes no more connections, and resolves when the reports in flight are answered. */
  stop(): Promise<void>;
}

/** Seconds after which a client that was put off may come again. */
const RETRY_AFTER = 10;

/** How long reports in flight may take when the collector stops; ms. */
const STOP_PATIENCE = 60_000;

/** How often clients are looked at that take too long; ms. */
const TIMEOUT_CHECK = 1000;

/** Seconds that the first save, which decides whether to start, may take. */
const CHECK_SECONDS = 10;

/** Rejects when nothing could be saved, or the port cannot be had: reports are never taken in vain. */
export async function startCollector({ configuration, log, version }: CollectorOptions): Promise<Collector> {
  await using stack = new AsyncDisposableStack();
  const rules = await readRules(configuration.rules);
  const { bucket, region, endpoint } = configuration;
  const store = new CrashStore({ bucket, region, endpoint });
  stack.defer(() => store.close());
  const spool = configuration.spool === undefined ? undefined : await Spool.open(configuration.spool, log);
  stack.defer(async () => spool?.close());
  await checkStore(store, spool, log);
  const metrics = makeCollectorMetrics();
  const { saveAttempts: attempts, saveSeconds: seconds } = configuration;
  const keeper = new Keeper({ store, spool, metrics, log, attempts, seconds });
  stack.defer(() => keeper.stop());
  const app = makeServer(configuration, {
    keeper,
    metrics,
    log,
    rules,
    uuidToken: configuration.uuidToken,
    limits: {
      bytes: configuration.mostBytes,
      annotationBytes: configuration.mostAnnotationBytes,
      parts: configuration.mostParts,
    },
  });
  addHealthRoutes(app, { store, spool, metrics, version });
  let isStopping = false;
  // A client that keeps its connection would keep the collector.
  app.addHook("onSend", async (_request, reply) => {
    if (isStopping) reply.header("connection", "close");
  });
  stack.defer(async () => {
    isStopping = true;
    await closeWithin(STOP_PATIENCE, app);
  });
  const url = await listen(app, configuration);
  const started = stack.move();
  return { url, stop: () => started.disposeAsync() };
}

async function checkStore(store: CrashStore, spool: Spool | undefined, log: Log): Promise<void> {
  try {
    await store.checkWritable(`test/collector-${hostname()}.txt`, AbortSignal.timeout(CHECK_SECONDS * 1000));
  } catch (error) {
    if (spool === undefined) throw error;
    log("warning", `reports go to the spool: ${error instanceof Error ? error.message : error}`);
  }
}

function makeServer(configuration: CollectorConfiguration, context: SubmissionContext): FastifyInstance {
  const requestTimeout = configuration.requestSeconds * 1000;
  const app = Fastify({
    logger: false,
    forceCloseConnections: "idle",
    requestTimeout,
    // Node.js takes the larger of both limits for the whole request.
    http: { connectionsCheckingInterval: TIMEOUT_CHECK, headersTimeout: requestTimeout },
  });
  // The body is read by whoever takes the submission, as it comes.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  let inFlight = 0;
  app.post("/submit", async (request, reply) => {
    reply.type("text/plain");
    if (inFlight >= configuration.mostRequests) {
      context.metrics.busy.inc();
      request.raw.resume();
      return reply.code(503).header("retry-after", RETRY_AFTER).send("");
    }
    context.metrics.in_flight.set(++inFlight);
    try {
      return await submit(request, reply, context);
    } finally {
      context.metrics.in_flight.set(--inFlight);
    }
  });
  app.setErrorHandler((error, request, reply) => {
    request.raw.resume();
    reply.type("text/plain");
    // A Content-Type that is none.
    if (Object(error).code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
      return answerFailure(malformed("wrong_content_type"), reply, context);
    return answerFailure(error, reply, context);
  });
  app.options("/submit", (_request, reply) => reply.header("allow", "POST").send(""));
  app.route({
    method: ["GET", "PUT", "DELETE", "PATCH"],
    url: "/submit",
    handler: (_request, reply) =>
      reply.code(405).header("allow", "POST").type("text/plain").send("Method Not Allowed\n"),
  });
  return app;
}

async function submit({ raw }: FastifyRequest, reply: FastifyReply, context: SubmissionContext): Promise<FastifyReply> {
  const end = context.metrics.submit_seconds.startTimer();
  try {
    return reply.send(await takeSubmission(raw, context));
  } catch (error) {
    return answerFailure(error, reply, context);
  } finally {
    end();
  }
}

function answerFailure(error: unknown, reply: FastifyReply, { metrics, log }: SubmissionContext): FastifyReply {
  if (error instanceof RefusalError) {
    metrics.refused.inc({ reason: error.reason });
    log("info", `refused: ${error.reason}`);
    return reply.code(error.status).send(error.message);
  }
  if (error instanceof ClientGoneError) {
    metrics.client_gone.inc();
    log("info", "a client has gone before its report was read");
    return reply.code(400).send(""); // nobody reads it
  }
  metrics.failed.inc();
  log("error", error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  return reply.code(500).send("");
}

async function listen(app: FastifyInstance, { host, port }: CollectorConfiguration): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new StackError(`the collector cannot listen on ${host}:${port}: ${code}`, { cause });
  }
  const address = app.server.address() as AddressInfo;
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

async function closeWithin(limit: number, app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), limit);
  await app.close();
  clearTimeout(timer);
}
