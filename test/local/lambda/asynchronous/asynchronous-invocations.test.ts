import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import {
  AsynchronousInvocations,
  type AsynchronousOptions,
} from "../../../../src/local/lambda/asynchronous/asynchronous-invocations.ts";
import type { DestinationMessage } from "../../../../src/local/lambda/asynchronous/destination.ts";
import { makeFolder, startFunction } from "../../../helpers/function-zip.ts";
import { until } from "../../../helpers/until.ts";

interface Setup {
  readonly events: AsynchronousInvocations;
  readonly log: () => string;
  readonly directory: string;
  readonly kept: DestinationMessage[];
  readonly letters: DestinationMessage[];
  readonly succeeded: DestinationMessage[];
  readonly said: string[];
  /** The accepted events on disk. */
  readonly onDisk: () => string[];
}

async function setUp(
  t: TestContext,
  name: string,
  options: Partial<AsynchronousOptions> = {},
  concurrency = 1,
): Promise<Setup> {
  const { lambda, log } = await startFunction(t, name, {}, { concurrency });
  const directory = options.directory ?? join(makeFolder(t), "events");
  const [kept, letters, succeeded, said]: [DestinationMessage[], DestinationMessage[], DestinationMessage[], string[]] =
    [[], [], [], []];
  const events = await AsynchronousInvocations.start(lambda, {
    directory,
    retryDelays: [0.01, 0.02],
    onFailure: async (message) => void kept.push(message),
    onSuccess: async (message) => void succeeded.push(message),
    deadLetterQueue: async (message) => void letters.push(message),
    say: (sentence) => said.push(sentence),
    ...options,
  });
  t.after(() => events.stop());
  return { events, log, directory, kept, letters, succeeded, said, onDisk: () => readdirSync(directory) };
}

const record = (message: DestinationMessage | undefined): Record<string, never> => JSON.parse(message?.body ?? "{}");

test("an event that succeeds is run once, told to the destination, and no longer on disk", async (t) => {
  const { events, log, succeeded, kept, onDisk } = await setUp(t, "echo");
  const requestId = await events.accept(Buffer.from('{"a":1}'));
  await until("it is done with", () => succeeded.length === 1 && onDisk().length === 0);
  assert.equal(log().match(/^START/gm)?.length, 1);
  const { timestamp, ...rest } = record(succeeded[0]) as Record<string, unknown>;
  assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(rest, {
    version: "1.0",
    requestContext: {
      requestId,
      functionArn: "arn:aws:lambda:us-east-1:123456789012:function:echo:$LATEST",
      condition: "Success",
      approximateInvokeCount: 1,
    },
    requestPayload: { a: 1 },
    responseContext: { statusCode: 200, executedVersion: "$LATEST" },
    responsePayload: { a: 1 },
  });
  assert.deepEqual(kept, []);
});

test("an event that fails is run three times with one request id, then kept as AWS's record and as a dead letter", async (t) => {
  const { events, log, kept, letters, onDisk } = await setUp(t, "throws");
  const requestId = await events.accept(Buffer.from('{"message":"x"}'));
  await until("it is done with", () => letters.length === 1 && onDisk().length === 0);
  const ids = [...log().matchAll(/^START RequestId: (\S+)/gm)].map(([, id]) => id);
  assert.deepEqual(ids, [requestId, requestId, requestId]);
  const { requestContext, requestPayload, responseContext, responsePayload } = record(kept[0]);
  assert.deepEqual(requestContext, {
    requestId,
    functionArn: "arn:aws:lambda:us-east-1:123456789012:function:throws:$LATEST",
    condition: "RetriesExhausted",
    approximateInvokeCount: 3,
  });
  assert.deepEqual(requestPayload, { message: "x" });
  assert.deepEqual(responseContext, { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" });
  assert.equal((responsePayload as Record<string, unknown> | undefined)?.errorMessage, "x");
  assert.deepEqual(letters, [
    { body: '{"message":"x"}', attributes: { RequestID: requestId, ErrorCode: "200", ErrorMessage: "x" } },
  ]);
});

test("an event that is too old before its retry is given up", async (t) => {
  const { events, kept, onDisk } = await setUp(t, "throws", { retryDelays: [60, 120], maxEventAge: 30 });
  await events.accept(Buffer.from("{}"));
  await until("it is done with", () => kept.length === 1 && onDisk().length === 0);
  const { condition, approximateInvokeCount } = record(kept[0]).requestContext as unknown as Record<string, unknown>;
  assert.deepEqual({ condition, approximateInvokeCount }, { condition: "EventAgeExceeded", approximateInvokeCount: 1 });
});

test("an event that waits for its retry when everything stops is resumed by the next, its attempts counted", async (t) => {
  const first = await setUp(t, "throws", { retryDelays: [60, 120] });
  const requestId = await first.events.accept(Buffer.from("{}"));
  await until("the first attempt is over and noted", () => first.log().includes("REPORT"));
  await first.events.stop();
  assert.deepEqual(first.onDisk(), [`${requestId}.json`]);
  const second = await setUp(t, "throws", { retryDelays: [0.01], directory: first.directory });
  assert.match(second.said[0] ?? "", /resuming 1 accepted events/);
  // Due in a minute: the age is what ends it here.
  await second.events.stop();
  const third = await setUp(t, "throws", { directory: first.directory, maxEventAge: 0 });
  await until("it is done with", () => third.kept.length === 1 && third.onDisk().length === 0);
  assert.equal((record(third.kept[0]).requestContext as unknown as Record<string, unknown>).requestId, requestId);
});

test("throttled events are not lost and not counted as attempts", async (t) => {
  const { events, succeeded } = await setUp(t, "counts");
  await Promise.all([1, 2, 3].map(() => events.accept(Buffer.from('{"ms":50}'))));
  await until("all have succeeded", () => succeeded.length === 3, 20_000);
  const attempts = succeeded.map(
    (message) => (record(message).requestContext as unknown as Record<string, unknown>).approximateInvokeCount,
  );
  assert.deepEqual(attempts, [1, 1, 1]);
});

test("an event stays on disk until its destination has it", async (t) => {
  let answers = 0;
  const onFailure = async (): Promise<void> => {
    if (++answers === 1) throw new Error("disk full");
  };
  const { events, said, onDisk } = await setUp(t, "throws", { retryDelays: [], onFailure });
  await events.accept(Buffer.from("{}"));
  await until("it was refused once", () =>
    said.some((sentence) => /destination: disk full; trying again in 1 s/.test(sentence)),
  );
  assert.equal(onDisk().length, 1);
  await until("it is done with", () => onDisk().length === 0);
  assert.equal(answers, 2);
});

test("with no concurrency at all an event is not tried, and kept", async (t) => {
  const { events, log, kept, onDisk } = await setUp(t, "echo", {}, 0);
  await events.accept(Buffer.from("{}"));
  await until("it is kept", () => kept.length === 1 && onDisk().length === 0);
  const { requestContext, responseContext } = record(kept[0]) as Record<string, Record<string, unknown>>;
  assert.deepEqual(
    [requestContext?.condition, requestContext?.approximateInvokeCount, responseContext],
    ["ZeroReservedConcurrency", 0, undefined],
  );
  assert.equal(log(), "");
});
