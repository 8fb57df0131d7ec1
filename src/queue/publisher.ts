import { setTimeout as delay } from "node:timers/promises";
import type { BrokerAddress } from "./broker-address.ts";
import { AccessRefusedError, BrokerLink, type CrashMessage, type PublishFailureReason } from "./broker-link.ts";

/** A message that is not known to be in its queue, and why. */
export interface PublishFailure {
  readonly message: CrashMessage;
  readonly reason: PublishFailureReason;
  /** What the broker or the network said, if anything. */
  readonly detail?: string;
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
  readonly #address: BrokerAddress;
  #link: BrokerLink | undefined;

  constructor(address: BrokerAddress) {
    this.#address = address;
  }

  /** Never rejects. `deadline`: ms since the epoch. An empty answer means that the broker confirmed every message. */
  async publish(messages: readonly CrashMessage[], deadline: number): Promise<readonly PublishFailure[]> {
    let pending = messages;
    const failures: PublishFailure[] = [];
    for (let pause = BACKOFF.first; ; pause = Math.min(2 * pause, BACKOFF.most)) {
      const attempt = await this.#attempt(pending, deadline);
      const again = deadline - Date.now() > pause;
      failures.push(...attempt.filter(({ reason }) => !again || !RETRIED.has(reason)));
      pending = again ? attempt.filter(({ reason }) => RETRIED.has(reason)).map(({ message }) => message) : [];
      if (pending.length === 0) return failures;
      await delay(pause);
    }
  }

  /** Drops the connection; the next publish opens another. */
  close(): void {
    this.#link?.destroy();
    this.#link = undefined;
  }

  async #attempt(messages: readonly CrashMessage[], deadline: number): Promise<readonly PublishFailure[]> {
    let link: BrokerLink;
    try {
      link = await this.#liveLink(deadline);
    } catch (error) {
      const reason = error instanceof AccessRefusedError ? "access refused" : "cannot connect";
      const detail = error instanceof Error ? error.message : String(error);
      return messages.map((message) => ({ message, reason, detail }));
    }
    const failed = await link.publish(messages, deadline);
    const failures = [...failed].map(([message, reason]) =>
      reason === "connection lost" ? { message, reason, detail: link.lossDescription } : { message, reason },
    );
    // A link with something unsettled is not used again, so that a late confirm finds nobody.
    if (!link.alive || failures.some(({ reason }) => reason === "no confirm in time" || reason === "broker blocked"))
      this.close();
    return failures;
  }

  async #liveLink(deadline: number): Promise<BrokerLink> {
    // After a freeze the news of a dead connection waits in the socket: one turn of the event loop delivers it.
    await new Promise((resolve) => setImmediate(resolve));
    const kept = this.#link;
    if (kept?.alive && (kept.idle < IDLE_LIMIT || (await kept.verify(Math.min(VERIFY_LIMIT, deadline - Date.now())))))
      return kept;
    this.close();
    this.#link = await BrokerLink.open(this.#address, deadline);
    return this.#link;
  }
}
