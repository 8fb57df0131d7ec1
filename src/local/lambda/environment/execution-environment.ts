import { createHash } from "node:crypto";
import { parseOrText } from "../../../ops/json.ts";
import type { FunctionConfiguration } from "../function.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { findExtensions, type Inspect, InvalidEntrypointError, makeCommand } from "../runtime/runtime-command.ts";
import { MemoryGroup } from "../sandbox/memory-group.ts";
import type { Parts, Sandbox } from "../sandbox/sandbox.ts";
import { type InvocationRequest, type InvocationResult, LogTail } from "./invocation.ts";
import { exitOutcome, invalidEntrypointOutcome, type Outcome } from "./outcome.ts";
import { makeTelemetryEvent, type Phase, type PlatformEvent, type Report } from "./platform-event.ts";
import { type EventFormat, formatAsJson, formatAsText, formatCrash, formatTimedOut } from "./platform-log.ts";
import { RuntimeApi } from "./runtime-api.ts";
import { makeLogStream } from "./runtime-process.ts";
import { RuntimeSession } from "./runtime-session.ts";

/** Lambda's own limit on the first initialization; ms. */
const INIT_LIMIT = 10_000;

const MIB = 1024 * 1024;

export interface EnvironmentOptions {
  readonly fn: FunctionConfiguration;
  readonly runtime: Runtime;
  readonly sandbox: Sandbox;
  /** Where the sandbox's files lie on this machine. */
  readonly parts: Parts;
  /** Stop the processes between invocations, as AWS does. */
  readonly freeze: boolean;
  /** A debugger may connect here; there is then no time limit. */
  readonly inspect?: Inspect | undefined;
  /** Function output and platform lines, in order. */
  readonly log: (text: string) => void;
}

/**
 * One execution environment: from an invocation to its result through one runtime session, which is started by the first
 * invocation, kept between invocations, and replaced inside the next one after a timeout or a crash. Whatever the function
 * does, the outcome is a result; only a machine that cannot start processes makes `invoke` reject.
 */
export class ExecutionEnvironment {
  readonly #options: EnvironmentOptions;
  readonly #format: EventFormat;
  readonly #memoryGroup: MemoryGroup | undefined;
  readonly #logStream = makeLogStream();
  #api: RuntimeApi | undefined;
  #session: RuntimeSession | undefined;
  #fresh = true;
  #stopped = false;
  #peak = 0;
  /** When the runtime last finished what it had to do, on the clock of `performance.now()`. */
  #settledAt = 0;
  #tail: LogTail | undefined;
  /** What happened before there was a session whose extensions may be told of it. */
  #untold: ((session: RuntimeSession) => void)[] = [];

  constructor(options: EnvironmentOptions) {
    const { logFormat, systemLogLevel, memorySize } = options.fn;
    this.#options = options;
    this.#format = logFormat === "JSON" ? formatAsJson(systemLogLevel) : formatAsText;
    this.#memoryGroup = MemoryGroup.create(memorySize * MIB);
  }

  /** One invocation at a time. */
  async invoke(request: InvocationRequest): Promise<InvocationResult> {
    const { requestId } = request;
    const initDuration = this.#fresh ? await this.#firstInit(requestId) : undefined;
    const started = performance.now();
    const timeout = this.#options.fn.timeout * 1000;
    const deadline = started + this.#limit(timeout);
    const tail = new LogTail();
    this.#tail = tail;
    const initFailure =
      this.#session?.ended === false ? undefined : await this.#initialize(requestId, "invoke", deadline);
    this.#tell({ type: "start", requestId });
    const outcome = initFailure ?? (await this.#run(request, deadline));
    const duration = outcome.status === "timeout" ? timeout : this.#settledAt - started;
    const report = this.#makeReport(requestId, duration, initDuration, outcome);
    this.#tellEnd(outcome, report);
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
    await this.#options.sandbox.release();
    await this.#memoryGroup?.remove();
  }

  /** The duration of a good initialization in ms; a bad one is tried again inside the invocation. */
  async #firstInit(requestId: string): Promise<number | undefined> {
    this.#fresh = false;
    this.#tell({ type: "initStart", phase: "init", ...describeVersion(this.#options) });
    const started = performance.now();
    const failure = await this.#initialize(requestId, "init", started + this.#limit(INIT_LIMIT));
    return failure === undefined ? this.#settledAt - started : undefined;
  }

  /** Starts a runtime process and waits until it asks for work; says why it does not. */
  async #initialize(requestId: string, phase: Phase, deadline: number): Promise<Outcome | undefined> {
    const started = performance.now();
    const failure = await this.#startSession(requestId, deadline);
    const end = {
      phase,
      status: failure === undefined ? "success" : (failure.status ?? "error"),
      errorType: failure?.errorType,
    } as const;
    this.#tell({ type: "initRuntimeDone", ...end });
    this.#tell({ type: "initReport", duration: this.#settledAt - started, ...end });
    return failure;
  }

  async #startSession(requestId: string, deadline: number): Promise<Outcome | undefined> {
    await this.#reset();
    this.#api ??= await RuntimeApi.start();
    this.#settledAt = performance.now();
    if (this.#stopped) return exitOutcome(requestId, { code: null, signal: "SIGKILL" });
    const { fn, runtime, sandbox, parts, inspect } = this.#options;
    const { address: runtimeApi } = this.#api;
    try {
      const setting = { fn, runtime, runtimeApi, logStream: this.#logStream, inspect };
      const command = makeCommand(setting, sandbox.layout, parts);
      this.#session = new RuntimeSession({
        fn,
        api: this.#api,
        command,
        extensions: findExtensions(setting, sandbox.layout, parts),
        confinement: { sandbox, memoryLimit: fn.memorySize * MIB, memoryGroup: this.#memoryGroup },
        tell: (event) => this.#tell(event),
        print: (origin, text) => this.#print(origin, text),
      });
    } catch (error) {
      if (error instanceof InvalidEntrypointError) return invalidEntrypointOutcome(requestId, error.message);
      throw error;
    }
    for (const publish of this.#untold.splice(0)) publish(this.#session);
    const failure = await this.#session.initialize(requestId, deadline);
    this.#settle(this.#session);
    return failure;
  }

  async #run(request: InvocationRequest, deadline: number): Promise<Outcome> {
    const session = this.#session as RuntimeSession;
    if (this.#options.freeze) session.thaw();
    const outcome = await session.run(request, deadline);
    this.#settle(session);
    if (this.#options.freeze) session.freeze();
    return outcome;
  }

  #settle(session: RuntimeSession): void {
    this.#settledAt = session.settledAt;
    this.#peak = Math.max(this.#peak, session.peak);
  }

  /** No process of this environment is left; the next invocation starts one. */
  async #reset(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.end("spindown");
  }

  /** Whoever debugs takes their time. */
  #limit(ms: number): number {
    return this.#options.inspect === undefined ? ms : Number.POSITIVE_INFINITY;
  }

  #makeReport(
    requestId: string,
    duration: number,
    initDuration: number | undefined,
    { status, errorType }: Outcome,
  ): Report {
    const { memorySize } = this.#options.fn;
    // What was killed for it has used all there is, whenever it was last looked at.
    const maxMemoryUsed = errorType === "Runtime.OutOfMemory" ? memorySize : Math.ceil(this.#peak / MIB);
    return {
      requestId,
      duration,
      billedDuration: Math.ceil(duration + (initDuration ?? 0)),
      memorySize,
      maxMemoryUsed,
      ...(initDuration === undefined ? {} : { initDuration }),
      ...(status === undefined ? {} : { status }),
      ...(errorType === undefined ? {} : { errorType }),
    };
  }

  #tellEnd({ crash, status, errorType, payload }: Outcome, report: Report): void {
    const { requestId, duration } = report;
    if (this.#options.fn.logFormat === "Text") {
      if (crash !== undefined) this.#log(formatCrash(requestId, crash, errorType ?? "Runtime.Unknown"));
      if (status === "timeout") this.#log(formatTimedOut(new Date(), requestId, this.#options.fn.timeout));
    }
    const producedBytes = payload.length;
    this.#tell({ type: "runtimeDone", requestId, status: status ?? "success", errorType, duration, producedBytes });
    this.#tell({ type: "report", report });
    this.#untold = []; // there was no session to tell it to
  }

  #tell(event: PlatformEvent): void {
    const text = this.#format(event);
    if (text !== "") this.#log(text);
    const time = new Date();
    const publish = (session: RuntimeSession): void =>
      session.telemetry.publish("platform", () => makeTelemetryEvent(event, time));
    if (this.#session === undefined) this.#untold.push(publish);
    else publish(this.#session);
  }

  #print(type: "function" | "extension", text: string): void {
    this.#log(text);
    const parse = (): unknown => (this.#options.fn.logFormat === "JSON" ? parseOrText(text) : text);
    this.#session?.telemetry.publish(type, () => ({ time: new Date().toISOString(), type, record: parse() }));
  }

  #log(text: string): void {
    this.#tail?.append(text);
    this.#options.log(text);
  }
}

/** AWS numbers its builds of a runtime; ours are named after the Node.js and the runtime client in use. */
function describeVersion({ fn, runtime }: EnvironmentOptions): { runtimeVersion: string; runtimeVersionArn: string } {
  const { nodejs } = runtime;
  const [major, minor] = nodejs?.nodeVersion.slice(1).split(".") ?? [];
  const runtimeVersion = nodejs === undefined ? "provided:al2023.v1" : `nodejs:${major}.v${minor}`;
  const build = createHash("sha256").update(`${nodejs?.nodeVersion} ${nodejs?.clientVersion} ${nodejs?.addon}`);
  return { runtimeVersion, runtimeVersionArn: `arn:aws:lambda:${fn.region}::runtime:${build.digest("hex")}` };
}
