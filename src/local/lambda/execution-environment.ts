import { createHash } from "node:crypto";
import type { FunctionConfiguration } from "./function.ts";
import { type InvocationRequest, type InvocationResult, LogTail } from "./invocation.ts";
import { exitOutcome, initErrorOutcome, type Outcome, responseTooLargeOutcome, timeoutOutcome } from "./outcome.ts";
import * as platform from "./platform-log.ts";
import type { Runtime } from "./runtime.ts";
import { RuntimeApi } from "./runtime-api.ts";
import { RuntimeEvents } from "./runtime-events.ts";
import { makeLogStream, RuntimeProcess } from "./runtime-process.ts";

/** Lambda's own limit on the first initialization; ms. */
const INIT_LIMIT = 10_000;

/** How long the runtime client may take to end by itself after it has reported that it cannot start; ms. */
const LAST_WORDS_LIMIT = 500;

const MIB = 1024 * 1024;

export interface EnvironmentOptions {
  readonly fn: FunctionConfiguration;
  readonly runtime: Runtime;
  readonly taskRoot: string;
  /** Stop the processes between invocations, as AWS does. */
  readonly freeze: boolean;
  /** Function output and platform lines, in order. */
  readonly log: (text: string) => void;
}

/** A runtime process and what it says. */
interface Running {
  readonly process: RuntimeProcess;
  readonly events: RuntimeEvents;
}

/**
 * One execution environment: from an invocation to its result through one runtime process, which is started by the first
 * invocation, kept between invocations, and replaced inside the next one after a timeout or a crash. Whatever the function
 * does, the outcome is a result; only a machine that cannot start processes makes `invoke` reject.
 */
export class ExecutionEnvironment {
  readonly #options: EnvironmentOptions;
  #api: RuntimeApi | undefined;
  readonly #logStream = makeLogStream();
  #running: Running | undefined;
  #fresh = true;
  #stopped = false;
  #peak = 0;
  /** When the runtime last finished what it had to do, on the clock of `performance.now()`. */
  #settledAt = 0;
  #tail: LogTail | undefined;

  constructor(options: EnvironmentOptions) {
    this.#options = options;
  }

  /** One invocation at a time. */
  async invoke(request: InvocationRequest): Promise<InvocationResult> {
    const { requestId } = request;
    const initDuration = this.#fresh ? await this.#firstInit(requestId) : undefined;
    const started = performance.now();
    const limit = this.#options.fn.timeout * 1000;
    const tail = new LogTail();
    this.#tail = tail;
    const initFailure = this.#isRunning() ? undefined : await this.#initAgain(requestId, started + limit);
    this.#log(platform.formatStart(requestId));
    const outcome = initFailure ?? (await this.#run(request, started + limit));
    const duration = outcome.status === "timeout" ? limit : this.#settledAt - started;
    const report = this.#makeReport(requestId, duration, initDuration, outcome);
    this.#logEnd(outcome, report);
    this.#tail = undefined;
    const { payload } = outcome;
    const functionError = outcome.failed ? { functionError: "Unhandled" as const } : {};
    return { requestId, payload, ...functionError, logTail: tail.bytes(), report };
  }

  /** Ends the process; an invocation under way ends as crashed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#reset();
    await this.#api?.stop();
  }

  #isRunning(): boolean {
    return this.#running?.process.ended === false;
  }

  /** The duration of a good initialization in ms; a bad one is logged, and tried again inside the invocation. */
  async #firstInit(requestId: string): Promise<number | undefined> {
    this.#fresh = false;
    this.#log(formatRuntimeVersion(this.#options));
    const started = performance.now();
    const failure = await this.#initialize(requestId, started + INIT_LIMIT);
    const duration = this.#settledAt - started;
    if (failure === undefined) return duration;
    this.#log(platform.formatInitReport(duration, "init", failure.status ?? "error", failure.errorType));
    return undefined;
  }

  async #initAgain(requestId: string, deadline: number): Promise<Outcome | undefined> {
    const started = performance.now();
    const failure = await this.#initialize(requestId, deadline);
    if (failure === undefined) return undefined;
    const duration = this.#settledAt - started;
    this.#log(platform.formatInitReport(duration, "invoke", failure.status ?? "error", failure.errorType));
    return failure;
  }

  /** Starts a runtime process and waits until it asks for work; says why it does not. */
  async #initialize(requestId: string, deadline: number): Promise<Outcome | undefined> {
    await this.#reset();
    this.#api ??= await RuntimeApi.start();
    if (this.#stopped) return exitOutcome(requestId, { code: null, signal: "SIGKILL" });
    const events = new RuntimeEvents();
    this.#api.reset(events.listener());
    const { fn, runtime, taskRoot } = this.#options;
    const setting = { fn, runtime, taskRoot, runtimeApi: this.#api.address, logStream: this.#logStream };
    const process = new RuntimeProcess(setting, (text) => this.#log(text));
    this.#running = { process, events };
    void process.exited.then((exit) => events.push({ type: "exit", exit }));
    process.memory.start();
    const event = await events.next(deadline);
    this.#settledAt = performance.now();
    this.#measure(process);
    if (event.type === "next") {
      await process.drain();
      return undefined;
    }
    // The client logs the error and ends by itself; what it says belongs to this initialization.
    if (event.type === "init-error") await events.next(performance.now() + LAST_WORDS_LIMIT);
    await this.#reset();
    if (event.type === "init-error") return initErrorOutcome(event.body);
    if (event.type === "exit") return exitOutcome(requestId, event.exit);
    return timeoutOutcome(requestId, this.#options.fn.timeout);
  }

  /** Hands the invocation to the runtime and waits until that asks for more, ends, or the time is up. */
  async #run(request: InvocationRequest, deadline: number): Promise<Outcome> {
    const { process, events } = this.#running as Running;
    if (this.#options.freeze) process.thaw();
    process.memory.start();
    this.#api?.send({ ...request, deadline: Math.floor(Date.now() + deadline - performance.now()) });
    const outcome = await this.#awaitOutcome(request.requestId, events, deadline);
    this.#settledAt = performance.now();
    this.#measure(process);
    if (outcome.ended) await this.#reset();
    else await process.drain();
    if (this.#options.freeze) process.freeze();
    return outcome;
  }

  async #awaitOutcome(
    requestId: string,
    events: RuntimeEvents,
    deadline: number,
  ): Promise<Outcome & { readonly ended: boolean }> {
    let answer: Outcome | undefined;
    for (;;) {
      const event = await events.next(deadline);
      if (event.type === "response") answer = { payload: event.body, failed: false };
      else if (event.type === "invocation-error") answer = { payload: event.body, failed: true };
      else if (event.type === "response-too-large") answer = responseTooLargeOutcome();
      else if (event.type === "next" && answer !== undefined) return { ...answer, ended: false };
      else if (event.type === "time-is-up")
        return { ...timeoutOutcome(requestId, this.#options.fn.timeout), ...answer, ended: true };
      // AWS notices a segmentation fault only at the function's timeout (recorded in November 2025).
      else if (event.type === "exit" && event.exit.signal !== "SIGSEGV")
        return { ...exitOutcome(requestId, event.exit), ...answer, ended: true };
    }
  }

  #measure({ memory }: RuntimeProcess): void {
    this.#peak = Math.max(this.#peak, memory.peak());
    memory.stop();
  }

  /** No process of this environment is left; the next invocation starts one. */
  async #reset(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.process.kill();
  }

  #makeReport(
    requestId: string,
    duration: number,
    initDuration: number | undefined,
    { status, errorType }: Outcome,
  ): platform.Report {
    return {
      requestId,
      duration,
      billedDuration: Math.ceil(duration + (initDuration ?? 0)),
      memorySize: this.#options.fn.memorySize,
      maxMemoryUsed: Math.ceil(this.#peak / MIB),
      ...(initDuration === undefined ? {} : { initDuration }),
      ...(status === undefined ? {} : { status }),
      ...(errorType === undefined ? {} : { errorType }),
    };
  }

  #logEnd(outcome: Outcome, report: platform.Report): void {
    const { requestId } = report;
    if (outcome.crash !== undefined)
      this.#log(platform.formatCrash(requestId, outcome.crash, outcome.errorType ?? "Runtime.Unknown"));
    if (outcome.status === "timeout")
      this.#log(platform.formatTimedOut(new Date(), requestId, this.#options.fn.timeout));
    this.#log(platform.formatEnd(requestId));
    this.#log(platform.formatReport(report));
  }

  #log(text: string): void {
    this.#tail?.append(text);
    this.#options.log(text);
  }
}

/** AWS numbers its builds of a runtime; ours are named after the Node.js and the runtime client in use. */
function formatRuntimeVersion({ fn, runtime }: EnvironmentOptions): string {
  const [major, minor] = runtime.nodeVersion.slice(1).split(".");
  const build = createHash("sha256").update(`${runtime.nodeVersion} ${runtime.clientVersion} ${runtime.addon}`);
  const arn = `arn:aws:lambda:${fn.region}::runtime:${build.digest("hex")}`;
  return platform.formatInitStart(`nodejs:${major}.v${minor}`, arn);
}
