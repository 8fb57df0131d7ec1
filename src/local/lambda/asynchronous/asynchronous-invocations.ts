import { randomUUID } from "node:crypto";
import type { InvocationResult } from "../environment/invocation.ts";
import { functionArn } from "../function.ts";
import { type LocalLambda, TooManyRequestsError } from "../local-lambda.ts";
import { type AcceptedEvent, AcceptedEvents } from "./accepted-events.ts";
import { Clock } from "./clock.ts";
import { type Condition, type Destination, makeDeadLetter, makeRecord } from "./destination.ts";

export interface AsynchronousOptions {
  /** Where accepted events lie until they are done with; they survive the process. */
  readonly directory: string;
  /** Seconds before each retry; AWS waits 60 and 120. Their number is the number of retries. */
  readonly retryDelays?: readonly number[] | undefined;
  /** Seconds after which an event is given up; default 21600, AWS's six hours. */
  readonly maxEventAge?: number | undefined;
  readonly onSuccess?: Destination | undefined;
  readonly onFailure?: Destination | undefined;
  readonly deadLetterQueue?: Destination | undefined;
  /** Told in sentences of events that are given up, and of destinations that do not answer. */
  readonly say: (sentence: string) => void;
  /** Default the time of day. */
  readonly clock?: Clock | undefined;
  /** Told of every attempt's result. */
  readonly onAttempt?: (result: InvocationResult) => void;
}

export const RETRY_DELAYS: readonly number[] = [60, 120];
export const MAX_EVENT_AGE = 21_600;

/** Seconds: a throttled event, and a destination that fails, are tried again from 1 s up to 5 min apart. */
const BACKOFF = { first: 1, most: 300 };

/**
 * Asynchronous invocations of one function. An accepted event is on disk before it is acknowledged, is run, retried with the
 * same request id, and ends at a destination; one that is under way or waits when the process ends is resumed by the next.
 */
export class AsynchronousInvocations {
  readonly #lambda: LocalLambda;
  readonly #options: AsynchronousOptions;
  readonly #events: AcceptedEvents;
  readonly #clock: Clock;
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  private constructor(lambda: LocalLambda, options: AsynchronousOptions, events: AcceptedEvents) {
    this.#lambda = lambda;
    this.#options = options;
    this.#events = events;
    this.#clock = options.clock ?? new Clock();
  }

  /** Resumes what an earlier process has left. */
  static async start(lambda: LocalLambda, options: AsynchronousOptions): Promise<AsynchronousInvocations> {
    const events = await AcceptedEvents.open(options.directory);
    const left = await events.left();
    const invocations = new AsynchronousInvocations(lambda, options, events);
    if (left.length > 0) options.say(`resuming ${left.length} accepted events`);
    for (const event of left) invocations.#begin(event);
    return invocations;
  }

  /** Resolves with the request id when the event is on disk. `payload`: JSON text, validated. */
  async accept(payload: Buffer): Promise<string> {
    const now = this.#clock.now();
    const event = { requestId: randomUUID(), payload: payload.toString(), acceptedAt: now, dueAt: now, attempts: 0 };
    await this.#events.put(event);
    this.#begin(event);
    return event.requestId;
  }

  /** Waits for the attempts under way; what is not done with stays on disk. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#underWay);
  }

  #begin(event: AcceptedEvent): void {
    const running: Promise<void> = this.#run(event)
      .catch((error: unknown) => this.#options.say(`event ${event.requestId}: ${error}; it stays on disk`))
      .finally(() => this.#underWay.delete(running));
    this.#underWay.add(running);
  }

  async #run(accepted: AcceptedEvent): Promise<void> {
    const { retryDelays = RETRY_DELAYS, maxEventAge = MAX_EVENT_AGE, onAttempt } = this.#options;
    const givenUpAt = accepted.acceptedAt + maxEventAge * 1000;
    let event = accepted;
    for (;;) {
      if (this.#lambda.concurrency === 0) return this.#finish(event, "ZeroReservedConcurrency", undefined);
      if (event.dueAt > givenUpAt || this.#clock.now() > givenUpAt)
        return this.#finish(event, "EventAgeExceeded", event.lastError);
      if (!(await this.#pause(event.dueAt - this.#clock.now()))) return;
      const result = await this.#invokeUnthrottled(event, givenUpAt);
      if (result === "stopped") return;
      if (result === "too old") continue;
      onAttempt?.(result);
      const payload = result.payload.toString();
      event = { ...event, attempts: event.attempts + 1 };
      if (result.functionError === undefined) return this.#finish(event, "Success", payload);
      const wait = retryDelays[event.attempts - 1];
      event = { ...event, lastError: payload, dueAt: this.#clock.now() + (wait ?? 0) * 1000 };
      if (wait === undefined) return this.#finish(event, "RetriesExhausted", payload);
      await this.#events.put(event);
    }
  }

  async #invokeUnthrottled(
    { payload, requestId }: AcceptedEvent,
    givenUpAt: number,
  ): Promise<InvocationResult | "stopped" | "too old"> {
    for (let wait = BACKOFF.first; this.#clock.now() <= givenUpAt; wait = Math.min(2 * wait, BACKOFF.most)) {
      try {
        return await this.#lambda.invoke(Buffer.from(payload), { requestId });
      } catch (error) {
        // Throttling and this machine's own errors do not count as attempts, as on AWS.
        if (!(error instanceof TooManyRequestsError)) this.#options.say(`event ${requestId}: ${error}`);
      }
      if (!(await this.#pause(wait * 1000))) return "stopped";
    }
    return "too old";
  }

  /** The event leaves the disk when every destination has it. */
  async #finish(event: AcceptedEvent, condition: Condition, response: string | undefined): Promise<void> {
    const { onSuccess, onFailure, deadLetterQueue, say } = this.#options;
    const record = makeRecord(event, functionArn(this.#lambda.fn), condition, response);
    if (condition === "Success") {
      if (!(await this.#deliver(onSuccess, record))) return;
    } else {
      const letter = makeDeadLetter(event);
      // One that does not take it keeps the other from nothing.
      const kept = await Promise.all([this.#deliver(onFailure, record), this.#deliver(deadLetterQueue, letter)]);
      if (kept.includes(false)) return;
      const where =
        onFailure === undefined && deadLetterQueue === undefined ? "discarded, as there is no destination" : "kept";
      say(`event ${event.requestId}: ${condition} after ${event.attempts} attempts; ${where}`);
    }
    await this.#events.remove(event.requestId);
  }

  /** Until the destination has it; false when everything stops first. */
  async #deliver(destination: Destination | undefined, message: Parameters<Destination>[0]): Promise<boolean> {
    if (destination === undefined) return true;
    for (let wait = BACKOFF.first; ; wait = Math.min(2 * wait, BACKOFF.most)) {
      try {
        await destination(message);
        return true;
      } catch (error) {
        this.#options.say(`destination: ${error instanceof Error ? error.message : error}; trying again in ${wait} s`);
      }
      if (!(await this.#pause(wait * 1000))) return false;
    }
  }

  /** Milliseconds; false when everything is to stop. */
  #pause(ms: number): Promise<boolean> {
    return this.#clock.sleep(ms, this.#stopping.signal);
  }
}
