/** The time of asynchronous invocations: it passes by itself, and can be put forward so that nobody waits for retries. */
export class Clock {
  #ahead = 0;
  readonly #sleepers = new Set<() => void>();

  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.#ahead;
  }

  /** Puts it forward by so many milliseconds; whoever sleeps for less wakes up. */
  advance(ms: number): void {
    this.#ahead += ms;
    for (const look of [...this.#sleepers]) look();
  }

  /** Milliseconds; false when the signal came first. */
  sleep(ms: number, signal: AbortSignal): Promise<boolean> {
    const until = this.now() + ms;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let timer: NodeJS.Timeout | undefined;
    const end = (slept: boolean): void => {
      clearTimeout(timer);
      this.#sleepers.delete(look);
      signal.removeEventListener("abort", abort);
      resolve(slept);
    };
    const look = (): void => {
      clearTimeout(timer);
      const rest = until - this.now();
      if (rest <= 0) end(true);
      else timer = setTimeout(look, Math.min(rest, LONGEST_TIMER));
    };
    const abort = (): void => end(false);
    this.#sleepers.add(look);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    else look();
    return promise;
  }
}

/** What a timer of Node.js can wait at most; ms. */
const LONGEST_TIMER = 2 ** 31 - 1;
