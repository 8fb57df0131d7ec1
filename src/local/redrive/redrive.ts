import { type KeptEvent, type KeptItem, UnreadableEventError } from "./kept-event.ts";

/** What a run of one event came to. */
export interface RunResult {
  /** Why it failed, in one line; undefined when it succeeded. */
  readonly failure?: string | undefined;
  /** Messages that the broker has confirmed. */
  readonly published: number;
}

/** Events that were kept; each is in one of the counts. */
export interface RedriveCounts {
  /** Run again with success, with something to publish. */
  delivered: number;
  /** Run again with success, and nothing to publish: deferred, throttled or none of ours. */
  deferred: number;
  /** Failed once more; they stay where they are. */
  stillFailing: number;
}

export interface RedriveOptions {
  readonly run: (event: KeptEvent) => Promise<RunResult>;
  /** Told of every event that still fails, in one line. */
  readonly say: (sentence: string) => void;
  /** No other event is begun after it; those not begun stay where they are. */
  readonly stopped: AbortSignal;
}

/**
 * Runs every kept event again, one after the other, and removes it when its run has succeeded: nothing is removed before that.
 * An event that lies there twice, as a record and as a dead letter, is run once.
 */
export async function redrive(
  sources: Iterable<AsyncIterable<KeptItem>>,
  { run, say, stopped }: RedriveOptions,
): Promise<RedriveCounts> {
  const counts: RedriveCounts = { delivered: 0, deferred: 0, stillFailing: 0 };
  /** By request id, whether the run has succeeded. */
  const known = new Map<string, boolean>();
  for (const source of sources)
    for await (const item of source) {
      if (stopped.aborted) break;
      const isDone = await handle(item);
      await (isDone ? item.remove() : item.keep());
    }
  return counts;

  /** Whether it is done with. Rejects when nothing can be run at all; then the event stays, and those after it. */
  async function handle(item: KeptItem): Promise<boolean> {
    const event = readOrDescribe(item);
    if (typeof event === "string") return fail(item, event);
    const { requestId } = event;
    const before = requestId === undefined ? undefined : known.get(requestId);
    if (before !== undefined) return before;
    const { failure, published } = await run(event);
    if (requestId !== undefined) known.set(requestId, failure === undefined);
    if (failure !== undefined) return fail(item, failure);
    counts[published > 0 ? "delivered" : "deferred"]++;
    return true;
  }

  function fail({ where }: KeptItem, reason: string): false {
    counts.stillFailing++;
    say(`still failing: ${where}: ${reason}`);
    return false;
  }
}

function readOrDescribe(item: KeptItem): KeptEvent | string {
  try {
    return item.read();
  } catch (error) {
    if (error instanceof UnreadableEventError) return error.message;
    throw error;
  }
}
