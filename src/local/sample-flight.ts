import { setTimeout as delay } from "node:timers/promises";
import { parseCrashId } from "../crash/crash-id.ts";
import { StackError } from "../ops/errors.ts";
import { passesThrottle } from "../pigeon/throttle.ts";
import { postReport } from "./crash-client.ts";
import type { Pipeline } from "./pipeline.ts";

/** The crash of the story. */
const SAMPLE_ID = "00007bd0-2d1c-4865-af09-80bc00180313";

/** A minidump's first bytes; Pigeon reads keys only. */
const SAMPLE_DUMP = Buffer.from("MDMP");

/** Milliseconds that one hop may take: longer than Pigeon's own time limit. */
const HOP_LIMIT = 45_000;
const POLL = 50;

/** How many items of a queue are printed. */
const SHOWN_ITEMS = 10;

/** Posts a crash report and follows it to the queue, printing each hop. Rejects with a StackError that names the hop where it stuck. */
export async function flySample(pipeline: Pipeline, print: (line: string) => void): Promise<void> {
  const id = parseCrashId(SAMPLE_ID);
  if (id === undefined) throw new TypeError(`${SAMPLE_ID} is no crash id`);
  const [first] = pipeline.configuredQueues;
  if (first === undefined) throw new TypeError("no queue is configured");
  const queue = first.name;
  const before = await pipeline.queues.count(queue);
  const invocation = pipeline.nextInvocation();
  print(`posting a crash report to ${pipeline.submitUrl}`);
  const annotations = { ProductName: "Sample", Version: "1.0", uuid: id };
  const dumps = new Map([["upload_file_minidump", new Blob([SAMPLE_DUMP])]]);
  const posting = postReport(pipeline.submitUrl, { annotations, dumps }, { token: pipeline.uuidToken });
  const { status, text } = await hop("the collector: the report is not taken", posting);
  if (text !== `CrashID=bp-${id}`) throw new StackError(`the sample stuck at the collector: ${status} ${text}`);
  const result = await hop("Lambda: the function was not invoked to its end", invocation);
  if (result.functionError !== undefined)
    throw new StackError(`the sample stuck at Lambda: the function failed with ${result.payload}`);
  if (!passesThrottle(id, first))
    throw new StackError(
      `the sample stuck at RabbitMQ: nothing arrived in ${queue}: its throttle is ${first.throttle}`,
    );
  print(text);
  await hop(`RabbitMQ: nothing arrived in ${queue}`, arrival(pipeline, queue, before));
  for (const { name } of pipeline.configuredQueues) {
    print(`${name}: ${await pipeline.queues.count(name)} items`);
    for (const item of await pipeline.queues.peek(name, SHOWN_ITEMS)) print(`item: ${item}`);
  }
}

async function arrival({ queues }: Pipeline, queue: string, before: number): Promise<void> {
  for (const deadline = Date.now() + HOP_LIMIT; (await queues.count(queue)) <= before; await delay(POLL)) {
    if (Date.now() > deadline) throw new StackError(`there are still ${before} items`);
  }
}

async function hop<T>(stuckAt: string, step: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(HOP_LIMIT, undefined, { signal: timer.signal }).then(() => {
    throw new StackError(`the sample stuck at ${stuckAt} within ${HOP_LIMIT / 1000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([step, late]);
  } catch (cause) {
    if (cause instanceof StackError && cause.message.startsWith("the sample")) throw cause;
    throw new StackError(`the sample stuck at ${stuckAt}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  } finally {
    timer.abort();
  }
}
