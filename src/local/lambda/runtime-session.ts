import type { InvocationRequest } from "./invocation.ts";
import { exitOutcome, initErrorOutcome, type Outcome, responseTooLargeOutcome, timeoutOutcome } from "./outcome.ts";
import type { RuntimeApi } from "./runtime-api.ts";
import { RuntimeEvents } from "./runtime-events.ts";
import { type Confinement, RuntimeProcess } from "./runtime-process.ts";
import type { Command } from "./sandbox/sandbox.ts";

/** How long the runtime client may take to end by itself after it has reported that it cannot start; ms. */
const LAST_WORDS_LIMIT = 500;

/** What came of an invocation, and whether the session came to its end with it. */
export type SessionOutcome = Outcome & { readonly ended: boolean };

/** A runtime process from its start to its end: it is initialized once, then runs one invocation after the other. */
export class RuntimeSession {
  readonly #api: RuntimeApi;
  readonly #process: RuntimeProcess;
  readonly #events = new RuntimeEvents();
  /** The function's configured timeout in seconds, for what is said of it. */
  readonly #timeout: number;
  /** When the runtime last finished what it had to do, on the clock of `performance.now()`. */
  settledAt = 0;
  /** Bytes of memory at most so far. */
  peak = 0;

  constructor(
    api: RuntimeApi,
    command: Command,
    confinement: Confinement,
    timeout: number,
    sink: (text: string) => void,
  ) {
    this.#api = api;
    this.#timeout = timeout;
    api.reset(this.#events.listener());
    this.#process = new RuntimeProcess(command, confinement, sink);
    void this.#process.exited.then((exit) => this.#events.push({ type: "exit", exit }));
  }

  get ended(): boolean {
    return this.#process.ended;
  }

  /** Waits until the runtime asks for work; says why it does not, and has then ended. */
  async initialize(requestId: string, deadline: number): Promise<Outcome | undefined> {
    this.#process.memory.start();
    const event = await this.#events.next(deadline);
    this.#settle();
    if (event.type === "next") {
      await this.#process.drain();
      return undefined;
    }
    // The client logs the error and ends by itself; what it says belongs to this initialization.
    if (event.type === "init-error") await this.#events.next(performance.now() + LAST_WORDS_LIMIT);
    await this.end();
    if (event.type === "init-error") return initErrorOutcome(event.body);
    if (event.type === "exit") return exitOutcome(requestId, event.exit);
    return timeoutOutcome(requestId, this.#timeout);
  }

  /** Hands the invocation to the runtime and waits until that asks for more, ends, or the time is up. */
  async run(request: InvocationRequest, deadline: number): Promise<SessionOutcome> {
    this.#process.memory.start();
    // Without a limit (under a debugger) the function is told of one that is far away.
    const remaining = Math.min(deadline - performance.now(), FAR_AWAY);
    const streamed = request.onChunk !== undefined;
    this.#api.send({ ...request, streamed, deadline: Math.floor(Date.now() + remaining) });
    const outcome = await this.#awaitOutcome(request, deadline);
    this.#settle();
    if (outcome.ended) await this.end();
    else await this.#process.drain();
    return outcome;
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  /** No process is left. */
  async end(): Promise<void> {
    await this.#process.kill();
  }

  async #awaitOutcome({ requestId, onChunk }: InvocationRequest, deadline: number): Promise<SessionOutcome> {
    let answer: Outcome | undefined;
    for (;;) {
      const event = await this.#events.next(deadline);
      if (event.type === "response-chunk") onChunk?.(event.chunk);
      else if (event.type === "response") answer = { payload: event.body, failed: false };
      else if (event.type === "invocation-error") answer = { payload: event.body, failed: true };
      else if (event.type === "response-too-large") answer = responseTooLargeOutcome();
      else if (event.type === "next" && answer !== undefined) return { ...answer, ended: false };
      else if (event.type === "time-is-up")
        return { ...timeoutOutcome(requestId, this.#timeout), ...answer, ended: true };
      // AWS notices a segmentation fault only at the function's timeout (recorded in November 2025).
      else if (event.type === "exit" && event.exit.signal !== "SIGSEGV")
        return { ...exitOutcome(requestId, event.exit), ...answer, ended: true };
    }
  }

  #settle(): void {
    this.settledAt = performance.now();
    const { memory } = this.#process;
    this.peak = Math.max(this.peak, memory.peak());
    memory.stop();
  }
}

/** Lambda's longest timeout; ms. */
const FAR_AWAY = 900_000;
