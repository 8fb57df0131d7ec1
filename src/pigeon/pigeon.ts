/**
 * Station 2, the Lambda function: from S3 events about raw crashes to confirmed crash ids in RabbitMQ. Whatever is not
 * confirmed makes the invocation fail, so that Lambda retries the event; a wrong configuration makes the start fail.
 */
import type { Context, SQSBatchResponse } from "aws-lambda";
import { makeLog } from "../ops/log.ts";
import { makeCount, makeEmbeddedMetrics } from "../ops/metrics.ts";
import { flushOutput } from "../ops/output.ts";
import { Publisher } from "../queue/publisher.ts";
import { Account } from "./account.ts";
import { bridge } from "./bridge.ts";
import { readPigeonConfiguration } from "./configuration.ts";
import { makeBrokerFinder } from "./find-broker.ts";

/** Kept back to fail with a clear error before Lambda ends the process: a tenth of the time, at most this; ms. */
const MOST_RESERVE = 500;

const log = makeLog("pigeon");
const configuration = readPigeonConfiguration(process.env);
const count = makeCount(configuration.env);
const publishSummary = configuration.metrics === "emf" ? makeEmbeddedMetrics(configuration.env) : undefined;
const publisher = new Publisher(makeBrokerFinder(configuration));
if (configuration.region === undefined)
  log("warning", "Please set PIGEON_AWS_REGION. Returning original unencrypted data.");

/**
 * The event is whatever Lambda hands over. Resolves to null, or for a batch of SQS messages to those that failed; rejects when
 * anything else is not known to be delivered.
 */
export async function handler(
  event: unknown,
  context: Pick<Context, "getRemainingTimeInMillis">,
): Promise<SQSBatchResponse | null> {
  const remaining = context.getRemainingTimeInMillis();
  const deadline = Date.now() + remaining - Math.min(MOST_RESERVE, remaining / 10);
  try {
    return await bridge(event, deadline, {
      configuration,
      log,
      account: new Account(count, publishSummary),
      publish: (messages, until) => publisher.publish(messages, until),
    });
  } finally {
    await flushOutput(deadline - Date.now());
  }
}
