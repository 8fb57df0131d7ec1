import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { AsynchronousInvocations } from "../../../src/local/lambda/asynchronous-invocations.ts";
import { makeFolder, startFunction } from "../../helpers/function-zip.ts";
import { until } from "../../helpers/until.ts";

interface Setup {
  readonly events: AsynchronousInvocations;
  readonly log: () => string;
  readonly kept: () => Record<string, never>[];
}

async function setUp(t: TestContext, name: string, retryDelays: readonly number[]): Promise<Setup> {
  const { lambda, log } = await startFunction(t, name);
  const onFailure = join(makeFolder(t), "failed.jsonl");
  const events = new AsynchronousInvocations(lambda, { retryDelays, onFailure, say: () => {} });
  const kept = (): Record<string, never>[] =>
    existsSync(onFailure)
      ? readFileSync(onFailure, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))
      : [];
  return { events, log, kept };
}

test("an event that succeeds is run once and kept nowhere", async (t) => {
  const { events, log, kept } = await setUp(t, "echo", [0.01, 0.01]);
  assert.equal((await events.invoke(Buffer.from("1")))?.payload.toString(), "1");
  assert.equal(log().match(/^START/gm)?.length, 1);
  assert.deepEqual(kept(), []);
});

test("an event that fails is run three times with one request id, then kept as AWS's record", async (t) => {
  const { events, log, kept } = await setUp(t, "throws", [0.01, 0.02]);
  await events.invoke(Buffer.from('{"message":"x"}'));
  const ids = [...log().matchAll(/^START RequestId: (\S+)/gm)].map(([, id]) => id);
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
  const [record] = kept();
  const { timestamp, responsePayload, ...rest } = record as Record<string, unknown>;
  assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT/);
  assert.equal((responsePayload as Record<string, unknown>).errorMessage, "x");
  assert.deepEqual(rest, {
    version: "1.0",
    requestContext: {
      requestId: ids[0],
      functionArn: "arn:aws:lambda:us-east-1:123456789012:function:throws:$LATEST",
      condition: "RetriesExhausted",
      approximateInvokeCount: 3,
    },
    requestPayload: { message: "x" },
    responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
  });
});

test("an event that waits for its retry when everything stops is kept, not lost", async (t) => {
  const { events, log, kept } = await setUp(t, "throws", [60, 120]);
  const running = events.invoke(Buffer.from("{}"));
  await until("the first attempt is over", () => log().includes("REPORT"));
  await events.stop();
  await running;
  assert.equal((kept()[0] as unknown as { requestContext: { condition: string } }).requestContext.condition, "Stopped");
});
