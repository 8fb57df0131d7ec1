import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { CrashId } from "../crash/crash-id.ts";
import type { Log } from "../ops/log.ts";
import type { CrashObjects, CrashStore } from "../storage/crash-store.ts";
import type { CollectorMetrics } from "./metrics.ts";
import type { Spool } from "./spool.ts";

export interface KeeperOptions {
  readonly store: CrashStore;
  readonly spool: Spool | undefined;
  readonly metrics: CollectorMetrics;
  readonly log: Log;
  readonly attempts: number;
  /** For all attempts together. */
  readonly seconds: number;
}

/** Between two attempts: doubled each time, ms. */
const BACKOFF = { first: 200, most: 5000 };

/** Between two looks at whether S3 takes what is spooled; ms. */
const REPLAY_PAUSE = 2000;

/** How much longer a spooled report may take than one whose client waits. */
const REPLAY_PATIENCE = 10;

/**
 * Keeps reports safe: in S3, or in the spool while S3 does not take them. What comes while S3 is known to be away is spooled at
 * once, so that no client waits for it.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #stopping = new AbortController();
  #replaying: Promise<void> = Promise.resolve();
  #isAway: boolean;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { spool, metrics } = options;
    metrics.spool_reports.set(spool?.size ?? 0);
    this.#isAway = (spool?.size ?? 0) > 0;
    if (spool !== undefined) this.#replaying = this.#replayUntilStopped(spool);
  }

  /** A folder for a report that is being received. */
  async makeFolder(): Promise<string> {
    return this.#options.spool?.makeFolder() ?? mkdtemp(join(tmpdir(), "collector-"));
  }

  async removeFolder(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
  }

  /** Resolves when the report is safe; rejects when it is nowhere. `folder` has its dumps. */
  async keep(folder: string, id: CrashId, objects: CrashObjects): Promise<void> {
    const { spool, metrics, log } = this.#options;
    if (!this.#isAway) {
      try {
        return await this.#saveWithRetries(id, objects);
      } catch (error) {
        metrics.save_failed.inc();
        log("error", `${id}: not saved: ${error instanceof Error ? error.message : error}`);
        if (spool === undefined) throw error;
        this.#isAway = true;
      }
    }
    if (spool === undefined) throw new TypeError("S3 cannot be away without a spool");
    await spool.keep(folder, id, objects);
    metrics.spooled.inc();
    metrics.spool_reports.set(spool.size);
    log("warning", `${id}: spooled; ${spool.size} reports wait for S3`);
  }

  /** What is spooled stays for the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#replaying;
  }

  async #saveWithRetries(id: CrashId, objects: CrashObjects): Promise<void> {
    const { store, metrics, attempts, seconds } = this.#options;
    const deadline = Date.now() + seconds * 1000;
    const limit = AbortSignal.timeout(seconds * 1000);
    const end = metrics.save_seconds.startTimer();
    for (let attempt = 1, pause = BACKOFF.first; ; attempt++, pause = Math.min(2 * pause, BACKOFF.most)) {
      try {
        // An S3 that does not answer leaves time for another attempt.
        const rest = Math.max(1, deadline - Date.now());
        await store.save(id, objects, AbortSignal.timeout(attempt < attempts ? Math.ceil(rest / 2) : rest));
        metrics.saved.inc();
        end();
        return;
      } catch (error) {
        if (attempt >= attempts || limit.aborted) throw error;
        metrics.save_retried.inc();
      }
      await delay(pause, undefined, { signal: limit }).catch(() => {});
    }
  }

  async #replayUntilStopped(spool: Spool): Promise<void> {
    const { store, metrics, log, seconds } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (spool.size > 0) {
        const { isTaken, last } = await spool.replay(async (id, objects) => {
          signal.throwIfAborted();
          await store.save(
            id,
            objects,
            AbortSignal.any([signal, AbortSignal.timeout(REPLAY_PATIENCE * seconds * 1000)]),
          );
          metrics.saved.inc();
          this.#isAway = false;
          log("info", `${id}: saved from the spool`);
        });
        this.#isAway = !isTaken;
        if (last !== undefined && !signal.aborted)
          log("error", `${spool.size} spooled reports still wait: ${last instanceof Error ? last.message : last}`);
      } else this.#isAway = false;
      metrics.spool_reports.set(spool.size);
      await delay(REPLAY_PAUSE, undefined, { signal }).catch(() => {});
    }
  }
}
