import type { BackgroundProgram } from "../helpers/background.ts";

/** A metric line of Pigeon. */
const METRIC = /^MONITORING\|\d+\|(\d+)\|count\|socorro\.pigeon\.(\w+)\|/gm;

/** How a served Pigeon fares, from what it prints: sums of its metrics, and how long nothing was published. */
export class Pulse {
  readonly #server: BackgroundProgram;
  readonly #sums: Record<string, number> = {};
  readonly #started = performance.now();
  #beat = this.#started;
  #longestGap = 0;

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

  /** accept x queues = published + throttled + publish_error */
  balances(queues: number): boolean {
    const { accept = 0, published = 0, throttled = 0, publish_error = 0 } = this.#sums;
    return accept > 0 && accept * queues === published + throttled + publish_error;
  }

  /** Takes whole lines and forgets them, so that memory does not grow with the run. */
  #look(): void {
    const end = this.#server.output.lastIndexOf("\n") + 1;
    const text = this.#server.output.slice(0, end);
    this.#server.output = this.#server.output.slice(end);
    for (const [, value, name = ""] of text.matchAll(METRIC)) {
      this.#sums[name] = (this.#sums[name] ?? 0) + Number(value);
      if (name !== "published") continue;
      const now = performance.now();
      this.#longestGap = Math.max(this.#longestGap, now - this.#beat);
      this.#beat = now;
    }
  }
}
