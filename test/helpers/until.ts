import { setTimeout as delay } from "node:timers/promises";

/** Waits until `holds` answers with something true, and gives that; fails after `limit` ms naming what was waited for. */
export async function until<T>(what: string, holds: () => T | Promise<T>, limit = 30_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + limit;
  for (;;) {
    const value = await holds();
    if (value) return value as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`still waiting after ${limit} ms for: ${what}`);
    await delay(10);
  }
}

/** Rejects, naming what was waited for, when `promise` has not settled after `limit` ms. */
export async function within<T>(limit: number, what: string, promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(limit, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`still waiting after ${limit} ms for: ${what}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
