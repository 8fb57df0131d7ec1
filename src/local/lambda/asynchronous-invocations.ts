import { randomUUID } from "node:crypto";
import { appendFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { functionArn } from "./function.ts";
import type { InvocationResult } from "./invocation.ts";
import { type LocalLambda, TooManyRequestsError } from "./local-lambda.ts";

export interface AsynchronousOptions {
  /** Seconds before the first and the second retry; AWS waits 60 and 120. */
  readonly retryDelays: readonly number[];
  /** Where events go that no retry has helped, as AWS's on-failure records, one JSON object a line. */
  readonly onFailure: string;
  /** Told of every event that ended there, in one sentence. */
  readonly say: (sentence: string) => void;
  /** Told of every attempt's result. */
  readonly onAttempt?: (result: InvocationResult) => void;
}

/** AWS retries a throttled event from 1 s up to 5 min apart. */
const THROTTLE_DELAY = { first: 1, most: 300 };

/** What an event has come to so far. */
interface Attempt {
  readonly requestId: string;
  readonly payload: Buffer;
  readonly result: InvocationResult | undefined;
  readonly count: number;
}

/**
 * Asynchronous invocations of one function: an accepted event is run, retried with the same request id, and finally kept in
 * a file. Events that still wait for a retry when this stops are kept there too.
 */
export class AsynchronousInvocations {
  readonly #lambda: LocalLambda;
  readonly #options: AsynchronousOptions;
  readonly #underWay = new Set<Promise<InvocationResult | undefined>>();
  readonly #stopping = new AbortController();

  constructor(lambda: LocalLambda, options: AsynchronousOptions) {
    this.#lambda = lambda;
    this.#options = options;
  }

  /** Takes the event; resolves with the last result when it has succeeded or has been kept. Nobody need wait for that. */
  invoke(payload: Buffer): Promise<InvocationResult | undefined> {
    const running: Promise<InvocationResult | undefined> = this.#run(payload).finally(() =>
      this.#underWay.delete(running),
    );
    this.#underWay.add(running);
    return running;
  }

  /** Waits for the attempts under way; no retry begins any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#underWay);
  }

  async #run(payload: Buffer): Promise<InvocationResult | undefined> {
    let attempt: Attempt = { requestId: randomUUID(), payload, result: undefined, count: 0 };
    for (const wait of [0, ...this.#options.retryDelays]) {
      if (!(await this.#pause(wait))) return this.#keep(attempt, "Stopped");
      const result = await this.#invokeUnthrottled(attempt);
      if (result === "stopped") return this.#keep(attempt, "Stopped");
      if (result !== "failed") {
        this.#options.onAttempt?.(result);
        if (result.functionError === undefined) return result;
        attempt = { ...attempt, result };
      }
      attempt = { ...attempt, count: attempt.count + 1 };
    }
    return this.#keep(attempt, "RetriesExhausted");
  }

  /** `failed` when this machine cannot start the function; that is retried as AWS retries its own errors. */
  async #invokeUnthrottled({ payload, requestId }: Attempt): Promise<InvocationResult | "stopped" | "failed"> {
    for (let wait = THROTTLE_DELAY.first; ; wait = Math.min(2 * wait, THROTTLE_DELAY.most)) {
      try {
        return await this.#lambda.invoke(payload, { requestId });
      } catch (error) {
        if (!(error instanceof TooManyRequestsError)) {
          this.#options.say(`event ${requestId}: ${error instanceof Error ? error.message : error}`);
          return "failed";
        }
        if (!(await this.#pause(wait))) return "stopped";
      }
    }
  }

  /** False when everything is to stop. */
  async #pause(seconds: number): Promise<boolean> {
    if (this.#stopping.signal.aborted) return false;
    if (seconds === 0) return true;
    return delay(seconds * 1000, true, { signal: this.#stopping.signal }).catch(() => false);
  }

  /** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html; "Stopped" is ours. */
  async #keep(
    { requestId, payload, result, count }: Attempt,
    condition: string,
  ): Promise<InvocationResult | undefined> {
    const record = {
      version: "1.0",
      timestamp: new Date().toISOString(),
      requestContext: {
        requestId,
        functionArn: `${functionArn(this.#lambda.fn)}:$LATEST`,
        condition,
        approximateInvokeCount: count,
      },
      requestPayload: JSON.parse(payload.toString()) as unknown,
      ...(result === undefined ? {} : describeResponse(result)),
    };
    await appendFile(this.#options.onFailure, `${JSON.stringify(record)}\n`);
    this.#options.say(`event ${requestId}: ${condition} after ${count} attempts; kept in ${this.#options.onFailure}`);
    return result;
  }
}

function describeResponse(result: InvocationResult): object {
  return {
    responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: result.functionError },
    responsePayload: parseOrText(result.payload),
  };
}

/** A streamed response need not be JSON. */
function parseOrText(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return payload.toString();
  }
}
