import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { sync, writeSynced } from "../../../ops/durable.ts";
import { StackError } from "../../../ops/errors.ts";

/** An event that the local Lambda has taken for asynchronous invocation, and what has come of it so far. */
export interface AcceptedEvent {
  /** UUID; all attempts carry it. */
  readonly requestId: string;
  /** JSON text. */
  readonly payload: string;
  /** Milliseconds since the epoch. */
  readonly acceptedAt: number;
  /** When the next attempt may begin; milliseconds since the epoch. */
  readonly dueAt: number;
  /** Attempts that came to an end. */
  readonly attempts: number;
  /** The error object of the last attempt that failed. */
  readonly lastError?: string;
}

/** Accepted events as files of one directory: an event is there until it has succeeded or lies where failed events go. */
export class AcceptedEvents {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<AcceptedEvents> {
    await mkdir(directory, { recursive: true });
    return new AcceptedEvents(directory);
  }

  /** What an earlier process has left, the oldest first. */
  async left(): Promise<AcceptedEvent[]> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith(".json"));
    const events = await Promise.all(names.map((name) => this.#read(join(this.#directory, name))));
    return events.sort((a, b) => a.acceptedAt - b.acceptedAt);
  }

  /** On disk when it resolves, whole or, after a crash in between, as it was before. */
  async put(event: AcceptedEvent): Promise<void> {
    const path = this.#path(event.requestId);
    await writeSynced(`${path}.new`, JSON.stringify(event));
    await rename(`${path}.new`, path);
    await sync(this.#directory);
  }

  async remove(requestId: string): Promise<void> {
    await rm(this.#path(requestId), { force: true });
  }

  #path(requestId: string): string {
    return join(this.#directory, `${requestId}.json`);
  }

  async #read(path: string): Promise<AcceptedEvent> {
    try {
      return JSON.parse(await readFile(path, "utf8")) as AcceptedEvent;
    } catch (cause) {
      throw new StackError(`${path} is no accepted event: look at it, then move it away`, { cause });
    }
  }
}
