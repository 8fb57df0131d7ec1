import { setTimeout as delay } from "node:timers/promises";
import { Extensions, type ShutdownReason } from "../extensions/extensions.ts";
import { Telemetry } from "../extensions/telemetry.ts";
import type { FunctionConfiguration } from "../function.ts";
import type { Command } from "../sandbox/sandbox.ts";
import type { InvocationRequest } from "./invocation.ts";
import {
  exitOutcome,
  extensionFailureOutcome,
  initErrorOutcome,
  type Outcome,
  responseTooLargeOutcome,
  timeoutOutcome,
} from "./outcome.ts";
import type { PlatformEvent } from "./platform-event.ts";
import type { RuntimeApi } from "./runtime-api.ts";
import { type RuntimeEvent, RuntimeEvents } from "./runtime-events.ts";
import { type Confinement, RuntimeProcess } from "./runtime-process.ts";
import { killStrays } from "./strays.ts";

/** How long the runtime client may take to end by itself after it has reported that it cannot start; ms. */
const LAST_WORDS_LIMIT = 500;

/** How long a session may take to end: with programs as extensions, and with extensions within the runtime only; ms. */
const SHUTDOWN_LIMIT = { external: 2000, internal: 500 };

/** The runtime's share of it, from SIGTERM to SIGKILL. */
const RUNTIME_SHARE = 0.3;

/** Lambda's longest timeout; ms. */
const FAR_AWAY = 900_000;

/** What came of an invocation, and whether the session is over with it. */
export type SessionOutcome = Outcome & { readonly ended: boolean };

export interface SessionOptions {
  readonly fn: FunctionConfiguration;
  readonly api: RuntimeApi;
  readonly command: Command;
  /** The programs of /opt/extensions by name. */
  readonly extensions: readonly { readonly name: string; readonly command: Command }[];
  readonly confinement: Confinement;
  readonly tell: (event: PlatformEvent) => void;
  /** What the function and its extensions print. */
  readonly print: (origin: "function" | "extension", text: string) => void;
}

/**
 * A runtime process and its extensions from their start to their end: initialized once, then one invocation after the other.
 */
export class RuntimeSession {
  readonly telemetry: Telemetry;
  readonly #options: SessionOptions;
  readonly #events = new RuntimeEvents();
  readonly #extensions: Extensions;
  readonly #programs: RuntimeProcess[] = [];
  #process: RuntimeProcess | undefined;
  #ending: Promise<void> | undefined;
  /** When everything last finished what it had to do, on the clock of `performance.now()`. */
  settledAt = 0;
  /** Bytes of memory at most so far. */
  peak = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { fn, api, tell } = options;
    const names = options.extensions.map(({ name }) => name);
    this.#extensions = new Extensions(fn, names, {
      onChange: () => this.#events.push({ type: "extension" }),
      onFailure: (errorType, reason) => this.#events.push({ type: "extension-failure", errorType, reason }),
    });
    this.telemetry = new Telemetry((name, types) => tell({ type: "telemetrySubscription", name, types }));
    api.reset(this.#events.listener(), async (request, response, answer) => {
      if (await this.#extensions.serve(request, response, answer)) return true;
      return this.telemetry.serve(request, answer, (id) => this.#extensions.find(id));
    });
  }

  get ended(): boolean {
    return this.#process?.ended !== false;
  }

  /** Waits until runtime and extensions ask for work; says why they do not, and the session is then over. */
  async initialize(requestId: string, deadline: number): Promise<Outcome | undefined> {
    const failure = (await this.#startExtensions(deadline)) ?? (await this.#startRuntime(deadline));
    this.#settle();
    this.#extensions.close();
    this.telemetry.close();
    for (const { name, events } of this.#extensions.all) this.#options.tell({ type: "extension", name, events });
    if (failure === undefined) {
      await this.#process?.drain();
      return undefined;
    }
    // The client logs the error and ends by itself; what it says belongs to this initialization.
    if (failure.type === "init-error") await this.#events.next(performance.now() + LAST_WORDS_LIMIT);
    await this.end("failure");
    if (failure.type === "init-error") return initErrorOutcome(failure.body);
    return this.#describe(failure, requestId);
  }

  /** Hands the invocation to runtime and extensions and waits until they ask for more, one ends, or the time is up. */
  async run(request: InvocationRequest, deadline: number): Promise<SessionOutcome> {
    this.#process?.memory.start();
    // Without a limit (under a debugger) the function is told of one that is far away.
    const remaining = Math.min(deadline - performance.now(), FAR_AWAY);
    const deadlineMs = Math.floor(Date.now() + remaining);
    const { requestId, functionArn: invokedFunctionArn, traceId } = request;
    const tracing = { type: "X-Amzn-Trace-Id", value: traceId };
    this.#extensions.send("INVOKE", { deadlineMs, requestId, invokedFunctionArn, tracing });
    this.#options.api.send({ ...request, streamed: request.onChunk !== undefined, deadline: deadlineMs });
    const outcome = await this.#awaitOutcome(request, deadline);
    this.#settle();
    if (outcome.ended) await this.end(outcome.status === "timeout" ? "timeout" : "failure");
    else await this.#drain();
    return outcome;
  }

  freeze(): void {
    for (const process of this.#processes()) process.freeze();
  }

  thaw(): void {
    for (const process of this.#processes()) process.thaw();
  }

  /** No process is left: at once, or, where extensions are told of it, within two seconds. */
  end(reason: ShutdownReason): Promise<void> {
    this.#ending ??= this.#shutDown(reason);
    return this.#ending;
  }

  #processes(): RuntimeProcess[] {
    return this.#process === undefined ? this.#programs : [this.#process, ...this.#programs];
  }

  /** All of them have registered, or what happened instead. */
  async #startExtensions(deadline: number): Promise<RuntimeEvent | undefined> {
    const { extensions, confinement, print } = this.#options;
    for (const { name, command } of extensions) {
      const program = new RuntimeProcess(command, confinement, (text) => print("extension", text));
      this.#programs.push(program);
      void program.exited.then(({ code, signal }) => {
        const how = signal === null ? `exit status ${code}` : `signal: ${signal}`;
        if (this.#ending === undefined)
          this.#events.push({ type: "extension-failure", errorType: "Extension.Crash", reason: `${name}: ${how}` });
      });
      await program.entered;
    }
    while (!this.#extensions.complete) {
      const event = await this.#events.next(deadline);
      if (event.type !== "extension") return event;
    }
    return undefined;
  }

  /** It and all extensions ask for work, or what happened instead. */
  async #startRuntime(deadline: number): Promise<RuntimeEvent | undefined> {
    const { command, confinement, print } = this.#options;
    const runtime = new RuntimeProcess(command, confinement, (text) => print("function", text));
    this.#process = runtime;
    void runtime.exited.then((exit) => this.#events.push({ type: "exit", exit }));
    runtime.memory.start();
    for (let asked = false; !asked || !this.#extensions.ready; ) {
      const event = await this.#events.next(deadline);
      if (event.type === "next") asked = true;
      else if (event.type !== "extension") return event;
    }
    return undefined;
  }

  async #awaitOutcome({ requestId, onChunk }: InvocationRequest, deadline: number): Promise<SessionOutcome> {
    let answer: Outcome | undefined;
    for (let asked = false; ; ) {
      const event = await this.#events.next(deadline);
      if (event.type === "response-chunk") onChunk?.(event.chunk);
      else if (event.type === "response") answer = { payload: event.body, failed: false };
      else if (event.type === "invocation-error") answer = { payload: event.body, failed: true };
      else if (event.type === "response-too-large") answer = responseTooLargeOutcome();
      else if (event.type === "next") asked = true;
      // AWS notices a segmentation fault only at the function's timeout (recorded in November 2025).
      else if (event.type !== "extension" && !(event.type === "exit" && event.exit.signal === "SIGSEGV"))
        return { ...this.#describe(event, requestId), ...answer, ended: true };
      if (asked && answer !== undefined && this.#extensions.ready) return { ...answer, ended: false };
    }
  }

  /** What ended the session, as its caller is told. */
  #describe(event: RuntimeEvent, requestId: string): Outcome {
    if (event.type === "exit") return exitOutcome(requestId, event.exit);
    if (event.type === "extension-failure") return extensionFailureOutcome(requestId, event.errorType, event.reason);
    return timeoutOutcome(requestId, this.#options.fn.timeout);
  }

  async #shutDown(reason: ShutdownReason): Promise<void> {
    if (this.#extensions.all.length > 0) await this.#sayGoodbye(reason);
    await Promise.all(this.#processes().map((process) => process.kill()));
    killStrays(this.#options.api.address);
    this.telemetry.stop();
  }

  /** SIGTERM for the runtime, then SHUTDOWN for the extensions, each with its deadline. */
  async #sayGoodbye(reason: ShutdownReason): Promise<void> {
    this.thaw();
    const limit = this.#programs.length > 0 ? SHUTDOWN_LIMIT.external : SHUTDOWN_LIMIT.internal;
    const deadline = Date.now() + limit;
    const within = (ms: number): Promise<void> => delay(Math.max(0, ms), undefined, { ref: false });
    this.#process?.terminate();
    await Promise.race([this.#process?.exited, within(limit * RUNTIME_SHARE)]);
    await this.#process?.kill();
    await Promise.race([this.telemetry.flush(), within(deadline - Date.now())]);
    this.#extensions.send("SHUTDOWN", { shutdownReason: reason, deadlineMs: deadline });
    const isTold = this.#extensions.all.some(({ events }) => events.includes("SHUTDOWN"));
    const ended = Promise.all(this.#programs.map(({ exited }) => exited));
    if (isTold) await Promise.race([ended, within(deadline - Date.now())]);
  }

  async #drain(): Promise<void> {
    await Promise.all(this.#processes().map((process) => process.drain()));
  }

  #settle(): void {
    this.settledAt = performance.now();
    const memory = this.#process?.memory;
    this.peak = Math.max(this.peak, memory?.peak() ?? 0);
    memory?.stop();
  }
}
