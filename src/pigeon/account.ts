import type { Log } from "../ops/log.ts";
import { type Count, METRICS, type Metric, type Summary } from "../ops/metrics.ts";

/**
 * What one invocation has done, in numbers that balance: accept x queues = published + throttled + publish_error. Every count
 * is a metric line at once; the whole is one line of the log, and of the embedded metrics, at the end.
 */
export class Account {
  readonly #count: Count;
  readonly #publishSummary: (summary: Summary) => void;
  readonly #counts = Object.fromEntries(Object.keys(METRICS).map((name) => [name, 0])) as Record<Metric, number>;
  #times = { connect_ms: 0, confirm_ms: 0, attempts: 0 };
  /** Of the event, malformed ones included. */
  records = 0;

  constructor(count: Count, publishSummary: (summary: Summary) => void = () => {}) {
    this.#count = count;
    this.#publishSummary = publishSummary;
  }

  /** Nothing is said of a count of 0. */
  count(metric: Metric, value = 1): void {
    if (value === 0) return;
    this.#counts[metric] += value;
    this.#count(metric, value);
  }

  /** Milliseconds of the connection and of the confirms. */
  time({ connectMs, confirmMs, attempts }: { connectMs: number; confirmMs: number; attempts: number }): void {
    const round = (ms: number): number => Math.round(ms * 10) / 10;
    this.#times = { connect_ms: round(connectMs), confirm_ms: round(confirmMs), attempts };
  }

  get summary(): Summary {
    return { records: this.records, ...this.#counts, ...this.#times };
  }

  /** The invocation is over, however it went. */
  close(log: Log): void {
    const { summary } = this;
    const { accept, defer, published, throttled, publish_error, malformed } = summary;
    log(
      "info",
      `summary: ${accept} accepted, ${defer} deferred, ${published} published, ${throttled} throttled, ` +
        `${publish_error} not published, ${malformed} malformed`,
      summary,
    );
    this.#publishSummary(summary);
  }
}
