import { existsSync, readFileSync } from "node:fs";
import { type CrashId, parseCrashId } from "../../src/crash/crash-id.ts";
import { passesThrottle, type ThrottledQueue } from "../../src/pigeon/throttle.ts";

/** What must arrive, what has arrived, and what is kept for an operator. */
export class Ledger {
  readonly #queues: readonly ThrottledQueue[];
  /** Of every accepted id that was handed over, how often each queue has had it; -1: it is not for that queue. */
  readonly #arrivals = new Map<string, Int16Array>();
  readonly strangers: string[] = [];

  constructor(queues: readonly ThrottledQueue[]) {
    this.#queues = queues;
  }

  /** Lambda has taken an event with this id: from now on it may not be lost. */
  expect(id: string): void {
    const wanted = this.#queues.map((queue) => (passesThrottle(id as CrashId, queue) ? 0 : -1));
    this.#arrivals.set(id, Int16Array.from(wanted));
  }

  arrive(queue: string, id: string): void {
    const at = this.#queues.findIndex(({ name }) => name === queue);
    const counts = this.#arrivals.get(id);
    const count = counts?.[at] ?? -1;
    if (counts === undefined || count < 0) this.strangers.push(`${id} in ${queue}`);
    else counts[at] = count + 1;
  }

  /** `keptFile`: records of failed events, as JSON lines. */
  close(keptFile: string): { messages: number; lost: string[]; duplicated: number; kept: number } {
    const keptIds = readKept(keptFile);
    const lost: string[] = [];
    let [messages, duplicated, kept] = [0, 0, 0];
    for (const [id, counts] of this.#arrivals)
      for (const [at, count] of counts.entries()) {
        if (count < 0) continue;
        messages++;
        if (count > 1) duplicated++;
        if (count > 0) continue;
        if (keptIds.has(id)) kept++;
        else lost.push(`${id} for ${this.#queues[at]?.name}`);
      }
    return { messages, lost, duplicated, kept };
  }
}

/** The ids of every event that lies where failed events go. */
function readKept(path: string): Set<string> {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  const records = lines.flatMap((line) => {
    const { requestPayload } = JSON.parse(line) as {
      requestPayload: { Records: { s3: { object: { key: string } } }[] };
    };
    return requestPayload.Records;
  });
  return new Set(records.flatMap(({ s3 }) => parseCrashId(s3.object.key.split("/").at(-1) ?? "") ?? []));
}
