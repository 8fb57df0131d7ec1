import type { BackgroundProgram } from "../helpers/background.ts";
import { sumMetrics } from "../helpers/serving.ts";

/** REPORT of an invocation that could not count to its end. */
const KILLED = /^REPORT .*\tStatus: (timeout|error)/gm;

/** How a served Pigeon fares, from what it prints: sums of its metrics, and how long nothing was published. */
export class Pulse {
  readonly #server: BackgroundProgram;
  readonly #sums: Record<string, number> = {};
  readonly #started = performance.now();
  #beat = this.#started;
  #longestGap = 0;
  #killed = 0;

  constructor(server: BackgroundProgram) {
    this.#server = server;
    for (const stream of [server.child.stdout, server.child.stderr]) stream?.on("data", () => this.#look());
  }

  /** Since this was made. */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  /** Seconds in which nothing was published. */
  get longestGap(): number {
    return this.#longestGap / 1000;
  }

  /** accept x queues = published + throttled + publish_error; less, where an invocation was killed in between. */
  balances(queues: number): boolean {
    const { accept = 0, published = 0, throttled = 0, publish_error = 0 } = this.#sums;
    const open = accept * queues - published - throttled - publish_error;
    return accept > 0 && (this.#killed === 0 ? open === 0 : open >= 0);
  }

  /** Takes whole lines and forgets them, so that memory does not grow with the run. */
  #look(): void {
    const end = this.#server.output.lastIndexOf("\n") + 1;
    const text = this.#server.output.slice(0, end);
    this.#server.output = this.#server.output.slice(end);
    this.#killed += text.match(KILLED)?.length ?? 0;
    const metrics = Object.entries(sumMetrics(text));
    for (const [name, value] of metrics) this.#sums[name] = (this.#sums[name] ?? 0) + value;
    if (!metrics.some(([name]) => name === "published")) return;
    const now = performance.now();
    this.#longestGap = Math.max(this.#longestGap, now - this.#beat);
    this.#beat = now;
  }
}
