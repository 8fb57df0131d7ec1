import { setTimeout as delay } from "node:timers/promises";
import type { BrokerAddress } from "./broker-address.ts";
import { RefusedError, within } from "./broker-connection.ts";
import { BrokerLink, type CrashMessage, type PublishFailureReason } from "./broker-link.ts";

/** A message that is not known to be in its queue, and why. */
export interface PublishFailure {
  readonly message: CrashMessage;
  readonly reason: PublishFailureReason;
  /** What the broker or the network said, if anything. */
  readonly detail?: string;
}

/** What became of a call of `publish`; no failure means that the broker confirmed every message. */
export interface PublishResult {
  readonly failures: readonly PublishFailure[];
  /** Times that messages were sent, or that there was no link to send them over. */
  readonly attempts: number;
  /** Milliseconds spent on links: opening them, and asking kept ones for a sign of life. */
  readonly connectMs: number;
  /** Milliseconds from the first message of each attempt to its last confirm. */
  readonly confirmMs: number;
}

/** A kept link that has been idle for longer is asked for a sign of life first; ms. */
const IDLE_LIMIT = 1000;

/** How long a kept link may take to give a sign of life; ms. */
const VERIFY_LIMIT = 1000;

/** Between attempts to connect: doubled each time, ms. */
const BACKOFF = { first: 50, most: 1000 };

/** Failures that another link may cure while time is left. */
const RETRIED: ReadonlySet<PublishFailureReason> = new Set(["connection lost", "cannot connect"]);

/**
 * From crash ids to confirmed messages over one connection that is kept between calls. What is not confirmed is named; a
 * lost connection is opened again, and what it left unconfirmed is published again, until the deadline.
 */
export class Publisher {
  readonly #findAddress: (deadline: number) => Promise<BrokerAddress>;
  #link: BrokerLink | undefined;
  #connectMs = 0;
  #confirmMs = 0;

  /** `findAddress` is asked before each connection is opened, with the deadline of `publish`; when it rejects, no message is sent. */
  constructor(findAddress: (deadline: number) => Promise<BrokerAddress>) {
    this.#findAddress = findAddress;
  }

  /** Never rejects; one call at a time. `deadline`: ms since the epoch. */
  async publish(messages: readonly CrashMessage[], deadline: number): Promise<PublishResult> {
    this.#connectMs = 0;
    this.#confirmMs = 0;
    let pending = messages;
    let attempts = 1;
    const failures: PublishFailure[] = [];
    for (let pause = BACKOFF.first; ; pause = Math.min(2 * pause, BACKOFF.most)) {
      const attempt = await this.#attempt(pending, deadline);
      const again = deadline - Date.now() > pause;
      failures.push(...attempt.filter(({ reason }) => !again || !RETRIED.has(reason)));
      pending = again ? attempt.filter(({ reason }) => RETRIED.has(reason)).map(({ message }) => message) : [];
      if (pending.length === 0) return { failures, attempts, connectMs: this.#connectMs, confirmMs: this.#confirmMs };
      await delay(pause);
      attempts++;
    }
  }

  /** Drops the connection; the next publish opens another. */
  close(): void {
    this.#link?.destroy();
    this.#link = undefined;
  }

  async #attempt(messages: readonly CrashMessage[], deadline: number): Promise<readonly PublishFailure[]> {
    const started = performance.now();
    const link = await this.#liveLink(deadline);
    const connected = performance.now();
    this.#connectMs += connected - started;
    if (!(link instanceof BrokerLink)) return messages.map((message) => ({ message, ...link }));
    const failed = await link.publish(messages, deadline);
    this.#confirmMs += performance.now() - connected;
    const failures = [...failed].map(([message, reason]) =>
      reason === "connection lost" ? { message, ...link.loss } : { message, reason },
    );
    // A link with something unsettled is not used again, so that a late confirm finds nobody.
    if (!link.alive || failures.some(({ reason }) => reason === "no confirm in time" || reason === "broker blocked"))
      this.close();
    return failures;
  }

  /** The kept link if it is alive, else a new one, else why there is none. */
  async #liveLink(deadline: number): Promise<BrokerLink | Omit<PublishFailure, "message">> {
    // After a freeze the news of a dead connection waits in the socket: one turn of the event loop delivers it.
    await new Promise((resolve) => setImmediate(resolve));
    const kept = this.#link;
    if (kept?.alive && (kept.idle < IDLE_LIMIT || (await kept.verify(Math.min(VERIFY_LIMIT, deadline - Date.now())))))
      return kept;
    this.close();
    let address: BrokerAddress;
    try {
      address = await within(deadline - Date.now(), this.#findAddress(deadline));
    } catch (error) {
      return { reason: "no credentials", detail: messageOf(error) };
    }
    try {
      this.#link = await BrokerLink.open(address, deadline);
      return this.#link;
    } catch (error) {
      return { reason: error instanceof RefusedError ? error.reason : "cannot connect", detail: messageOf(error) };
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
