/**
 * The pipeline on one machine: a crash report that the collector saves in the local S3 makes the built zip run in the local Lambda, which publishes
 * to a real RabbitMQ. What it started it stops, in reverse order; what fails on the way is named.
 */
import { randomUUID } from "node:crypto";
import { watch } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Collector, startCollector } from "../collector/collector.ts";
import { readCollectorConfiguration } from "../collector/configuration.ts";
import { StackError } from "../ops/errors.ts";
import { makeLog } from "../ops/log.ts";
import { readVersion } from "../ops/version.ts";
import { readPigeonConfiguration } from "../pigeon/configuration.ts";
import type { ThrottledQueue } from "../pigeon/throttle.ts";
import type { BrokerAddress } from "../queue/broker-address.ts";
import { Queues } from "../queue/queues.ts";
import { buildArtifact } from "./artifact.ts";
import { stopBroker } from "./broker/broker.ts";
import { brokerDirectory, provideBroker, ROOT, readDevelopmentEnvironment, stateDirectory } from "./development.ts";
import { keptEventFiles } from "./kept-event-files.ts";
import { startLambdaApi } from "./lambda/api/lambda-api.ts";
import { AsynchronousInvocations, type AsynchronousOptions } from "./lambda/asynchronous/asynchronous-invocations.ts";
import { makeFileDestination } from "./lambda/asynchronous/destination.ts";
import { onSettledChange } from "./lambda/code/code-watch.ts";
import type { InvocationResult } from "./lambda/environment/invocation.ts";
import type { FunctionConfiguration } from "./lambda/function.ts";
import { LocalLambda } from "./lambda/local-lambda.ts";
import { describeRuntime } from "./lambda/runtime/runtime.ts";
import { describeIsolation } from "./lambda/sandbox/isolation.ts";
import { makeBuckets, makeNotify, type NotifiedFunction } from "./notifying-buckets.ts";
import { BUCKET, REGION, readPigeonFunction } from "./pigeon-function.ts";
import { claimPipeline } from "./running-pipeline.ts";
import { startLocalS3 } from "./s3/server.ts";

/** Ports that are taken when they are free and nobody asked for others. */
const USUAL_PORTS = { s3: 9000, lambda: 9001, collector: 8000 };

export interface PipelineOptions {
  readonly print: (line: string) => void;
  readonly s3Port?: number;
  readonly lambdaPort?: number;
  readonly collectorPort?: number;
}

export interface Pipeline {
  /** Of the collector's `/submit`. */
  readonly submitUrl: string;
  /** With this bearer token a report may choose its crash id. */
  readonly uuidToken: string;
  readonly queues: Queues;
  readonly configuredQueues: readonly ThrottledQueue[];
  /** Resolves with the result of the next invocation that ends. */
  nextInvocation(): Promise<InvocationResult>;
  /** Where everything listens, and what to do with it. */
  readonly description: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts everything; rejects with one clear sentence, and then nothing that it started is left. */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  await using stack = new AsyncDisposableStack();
  const { print } = options;
  stack.defer(await claimPipeline());
  const artifact = await buildArtifact(ROOT);
  print(`built dist/pigeon.zip: ${artifact.size} bytes, sha256 ${artifact.sha256}`);
  const broker = await provideBroker(readDevelopmentEnvironment(), print);
  if (broker.started) stack.defer(async () => void (await stopBroker(brokerDirectory())));
  const { queues: configuredQueues } = readPigeonConfiguration(broker.environment);
  const address = await broker.findAddress();
  const queues = stack.use(await Queues.open(address));
  for (const { name } of configuredQueues) await queues.declare(name);

  const kept = keptEventFiles();
  const [onFailure, deadLetterQueue] = kept.map(makeFileDestination);
  const waiting: ((result: InvocationResult) => void)[] = [];
  const { fn, triggers, asynchronous } = readPigeonFunction(artifact.path, broker.environment);
  const { lambda, events } = await startFunction(stack, fn, {
    ...asynchronous,
    directory: join(stateDirectory(), "events", "pigeon"),
    onFailure,
    deadLetterQueue,
    say: print,
    onAttempt: (result) => waiting.shift()?.(result),
  });
  const api = await usualOrFree(options.lambdaPort, USUAL_PORTS.lambda, (port) =>
    startLambdaApi([{ lambda, events }], port),
  );
  stack.defer(() => api.stop());
  const endpoint = await startBucket(stack, options, { fn, triggers, events });
  const uuidToken = randomUUID();
  const collector = await usualOrFree(options.collectorPort, USUAL_PORTS.collector, (port) =>
    startDevelopmentCollector(endpoint, port, uuidToken),
  );
  stack.defer(() => collector.stop());
  stack.defer(rebuildOnChange(lambda, print));
  const started = stack.move();
  return {
    submitUrl: `${collector.url}/submit`,
    uuidToken,
    queues,
    configuredQueues,
    nextInvocation: () => new Promise((resolve) => waiting.push(resolve)),
    description: describe(collector.url, endpoint, api.url, address, kept),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Pigeon's zip in the local Lambda, and the machinery that S3's events go through. */
async function startFunction(
  stack: AsyncDisposableStack,
  fn: FunctionConfiguration,
  asynchronous: AsynchronousOptions,
): Promise<{ lambda: LocalLambda; events: AsynchronousInvocations }> {
  const { say } = asynchronous;
  const lambda = await LocalLambda.start(fn, { log: (text) => say(text.replace(/\n$/, "")), say });
  stack.defer(() => lambda.stop());
  say(describeRuntime(lambda.runtime));
  say(describeIsolation(lambda.isolation));
  const events = await AsynchronousInvocations.start(lambda, asynchronous);
  stack.defer(() => events.stop());
  return { lambda, events };
}

/** The local S3 with a bucket whose raw crashes the function is told of. */
async function startBucket(
  stack: AsyncDisposableStack,
  { print, s3Port }: PipelineOptions,
  notified: NotifiedFunction,
): Promise<string> {
  const directory = join(stateDirectory(), "s3");
  await mkdir(directory, { recursive: true });
  const notify = makeNotify([notified]);
  const onError = (error: unknown): void => print(`notification failed: ${error}`);
  const s3 = await usualOrFree(s3Port, USUAL_PORTS.s3, (port) =>
    startLocalS3({ directory, port, region: REGION, notify, onError }),
  );
  stack.use(s3);
  print(`S3 is ready on ${s3.endpoint}`);
  await makeBuckets(s3.endpoint, REGION, [notified]);
  return s3.endpoint;
}

/** The collector with its defaults, a spool under the state directory, and the local S3. */
async function startDevelopmentCollector(endpoint: string, port: number, uuidToken: string): Promise<Collector> {
  const configuration = readCollectorConfiguration({
    ...process.env,
    COLLECTOR_PORT: String(port),
    COLLECTOR_BUCKET: BUCKET,
    COLLECTOR_REGION: REGION,
    COLLECTOR_S3_ENDPOINT: endpoint,
    COLLECTOR_SPOOL: join(stateDirectory(), "spool"),
    COLLECTOR_UUID_TOKEN: uuidToken,
  });
  return startCollector({ configuration, log: makeLog("collector"), version: await readVersion(ROOT) });
}

/** The port asked for; else the usual one if it is free, else any. */
async function usualOrFree<T>(
  wanted: number | undefined,
  usual: number,
  start: (port: number) => Promise<T>,
): Promise<T> {
  if (wanted !== undefined) return start(wanted);
  return start(usual).catch((error: unknown) => {
    if (error instanceof StackError) return start(0);
    throw error;
  });
}

/** New code takes effect with the next invocation; code that does not compile leaves the old one in place. */
function rebuildOnChange(lambda: LocalLambda, print: (line: string) => void): () => Promise<void> {
  return onSettledChange(
    (onChange) =>
      watch(join(ROOT, "src"), { recursive: true }, (_event, file) => {
        if (/^(crash|ops|queue|pigeon)[/\\].*\.ts$/.test(file ?? "")) onChange();
      }),
    async () => {
      try {
        const artifact = await buildArtifact(ROOT);
        await lambda.updateCode(artifact.path);
        print(`rebuilt dist/pigeon.zip: ${artifact.size} bytes, sha256 ${artifact.sha256}`);
      } catch (error) {
        print(`the old code stays: ${error instanceof Error ? error.message : error}`);
      }
    },
  );
}

function describe(
  collector: string,
  s3: string,
  lambda: string,
  broker: BrokerAddress,
  kept: readonly string[],
): string {
  return [
    "",
    "The pipeline is up; Ctrl-C stops it. Changes of src/ are built and taken over.",
    `  collector ${collector}/submit`,
    `  S3        ${s3}  bucket ${BUCKET}, any credentials, path style`,
    `  Lambda    ${lambda}  function pigeon`,
    `  RabbitMQ  ${broker.nodes.map(({ host, port }) => `${host}:${port}`).join(", ")}`,
    `  failed    ${kept.join(", ")}; pigeon redrive runs them again`,
  ].join("\n");
}
