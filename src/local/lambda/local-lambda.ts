import { randomBytes, randomUUID } from "node:crypto";
import { ConfigurationError } from "../../ops/errors.ts";
import { type UnpackedCode, unpackCode } from "./code/code.ts";
import { Generation } from "./code/generation.ts";
import { type UnpackedLayers, unpackLayers } from "./code/layers.ts";
import { ExecutionEnvironment } from "./environment/execution-environment.ts";
import type { InvocationRequest, InvocationResult } from "./environment/invocation.ts";
import { type FunctionConfiguration, functionArn } from "./function.ts";
import { findRuntime, type Runtime } from "./runtime/runtime.ts";
import type { Inspect } from "./runtime/runtime-command.ts";
import { chooseIsolation, type Isolation, type IsolationChoice } from "./sandbox/isolation.ts";

/** More invocations at once than environments are allowed: AWS's 429 TooManyRequestsException. */
export class TooManyRequestsError extends Error {
  override readonly name = "TooManyRequestsError";
  readonly code = "ERR_TOO_MANY_REQUESTS";
}

export interface LocalLambdaOptions {
  /** Most environments at once; default 10. One more costs the memory of a Node.js process. */
  readonly concurrency?: number | undefined;
  /** Default true: the processes of an environment are stopped between invocations, so that time passes as on AWS. */
  readonly freeze?: boolean | undefined;
  /** Default `auto`: namespaces where the kernel allows them. */
  readonly isolation?: IsolationChoice | undefined;
  /** Seconds after which an environment that nobody uses is ended; default 600. Less costs more cold starts. */
  readonly idleTimeout?: number | undefined;
  /** A debugger may connect to this port: one environment, never frozen, without time limits. */
  readonly inspect?: Inspect | undefined;
  /** Told in sentences what takes time, such as fetching a runtime. */
  readonly say?: ((sentence: string) => void) | undefined;
  /** Function output and platform lines, each ending in a line feed. */
  readonly log: (text: string) => void;
}

/** How long an idle environment is kept; seconds. AWS does not tell its own figure. */
const IDLE_TIMEOUT = 600;

/** What a caller may say with an invocation. */
export interface InvokeOptions {
  /** UUID; a new one unless given. */
  readonly requestId?: string | undefined;
  /** JSON text, as the function's `context.clientContext`. */
  readonly clientContext?: string | undefined;
  /** An X-Ray trace header; a new one unless given. */
  readonly traceId?: string | undefined;
  /** The function as the caller named it; its unqualified ARN unless given. */
  readonly functionArn?: string | undefined;
  /** Gets a streamed response as it comes; the result's payload is then empty. */
  readonly onChunk?: ((chunk: Buffer) => void) | undefined;
}

/** What a local Lambda starts with. */
interface Prepared {
  readonly runtime: Runtime;
  readonly isolation: Isolation;
  readonly layers: UnpackedLayers | undefined;
  readonly generation: Generation;
}

/** An environment and the code that it runs. */
interface Member {
  readonly environment: ExecutionEnvironment;
  readonly generation: Generation;
  /** Ends it when it has been idle for too long. */
  eviction?: NodeJS.Timeout;
}

/**
 * One function, from an invocation to its result, through as many execution environments as there are invocations at once.
 * Environments are kept for the next invocation; new code takes effect with the next invocation and disturbs none under way.
 */
export class LocalLambda {
  readonly fn: FunctionConfiguration;
  readonly runtime: Runtime;
  readonly isolation: Isolation;
  readonly #layers: UnpackedLayers | undefined;
  readonly #options: LocalLambdaOptions;
  readonly #members = new Set<Member>();
  readonly #idle: Member[] = [];
  readonly #busy = new Set<Promise<unknown>>();
  #generation: Generation;

  private constructor(fn: FunctionConfiguration, options: LocalLambdaOptions, prepared: Prepared) {
    this.fn = fn;
    this.#options = options;
    this.runtime = prepared.runtime;
    this.isolation = prepared.isolation;
    this.#layers = prepared.layers;
    this.#generation = prepared.generation;
  }

  /** Unpacks the code; processes start with the first invocation. Rejects with a ConfigurationError. */
  static async start(fn: FunctionConfiguration, options: LocalLambdaOptions): Promise<LocalLambda> {
    const { say = () => {}, isolation: choice = "auto" } = options;
    await using stack = new AsyncDisposableStack();
    const [runtime, isolation] = await Promise.all([findRuntime(fn.runtime, say), chooseIsolation(choice)]);
    if (options.inspect !== undefined && runtime.nodejs === undefined)
      throw new ConfigurationError([`inspect: expected a Node.js runtime, got ${fn.runtime}`]);
    const layers = await unpackLayers(fn.layers, isolation.kind === "process");
    stack.defer(() => layers?.remove());
    const code = await unpackCode(fn.code, isolation.kind === "process");
    stack.defer(() => code.remove());
    const generation = await Generation.make(code, layers, runtime, isolation, fn, say);
    stack.move();
    return new LocalLambda(fn, options, { runtime, isolation, layers, generation });
  }

  /** The code that the next invocation runs. */
  get code(): UnpackedCode {
    return this.#generation.code;
  }

  /** Most environments at once. */
  get concurrency(): number {
    return this.#options.inspect === undefined ? (this.#options.concurrency ?? 10) : 1;
  }

  /** `payload` must be JSON text. Rejects with TooManyRequestsError above the concurrency limit. */
  async invoke(payload: Buffer, options: InvokeOptions = {}): Promise<InvocationResult> {
    const request = {
      requestId: options.requestId ?? randomUUID(),
      payload,
      functionArn: options.functionArn ?? functionArn(this.fn),
      traceId: options.traceId ?? makeTraceId(),
      clientContext: options.clientContext,
      onChunk: options.onChunk,
    };
    const member = this.#idle.pop() ?? this.#admit();
    clearTimeout(member.eviction);
    const running = this.#invokeIn(member, request);
    this.#busy.add(running);
    try {
      return await running;
    } finally {
      this.#busy.delete(running);
    }
  }

  /** Takes the code at `path` for all later invocations. On an error the old code stays. */
  async updateCode(path: string): Promise<void> {
    const { say = () => {} } = this.#options;
    const code = await unpackCode(path, this.isolation.kind === "process");
    const previous = this.#generation;
    this.#generation = await Generation.make(code, this.#layers, this.runtime, this.isolation, this.fn, say);
    await this.#retireGeneration(previous);
  }

  /** Waits for the invocations under way (at most their timeout), then ends every process. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#busy);
    await this.#retireGeneration(this.#generation);
    await this.#layers?.remove();
  }

  /** Ends every process at once; invocations under way end as crashed. */
  async kill(): Promise<void> {
    await Promise.all([...this.#members].map(({ environment }) => environment.stop()));
    await this.stop();
  }

  #admit(): Member {
    const { log, inspect } = this.#options;
    const limit = this.concurrency;
    const freeze = inspect === undefined && this.#options.freeze !== false;
    if (this.#members.size >= limit)
      throw new TooManyRequestsError(`${this.fn.name}: ${limit} invocations are under way`);
    const { fn, runtime } = this;
    const generation = this.#generation;
    const { parts } = generation;
    const sandbox = generation.enter();
    const environment = new ExecutionEnvironment({ fn, runtime, sandbox, parts, freeze, inspect, log });
    const member: Member = { environment, generation };
    this.#members.add(member);
    return member;
  }

  async #invokeIn(member: Member, request: InvocationRequest): Promise<InvocationResult> {
    try {
      return await member.environment.invoke(request);
    } finally {
      if (member.generation.outdated) await this.#retire(member);
      else this.#keep(member);
    }
  }

  #keep(member: Member): void {
    const { idleTimeout = IDLE_TIMEOUT } = this.#options;
    this.#idle.push(member);
    member.eviction = setTimeout(() => {
      const at = this.#idle.indexOf(member);
      if (at >= 0) this.#idle.splice(at, 1);
      void this.#retire(member);
    }, idleTimeout * 1000).unref();
  }

  async #retireGeneration(generation: Generation): Promise<void> {
    const retired = generation.retire(); // from here on, those under way are not kept
    await Promise.all(this.#idle.splice(0).map((member) => this.#retire(member)));
    await retired;
  }

  async #retire(member: Member): Promise<void> {
    const { environment, generation } = member;
    clearTimeout(member.eviction);
    this.#members.delete(member);
    await environment.stop();
    await generation.leave();
  }
}

/** `Root=...;Parent=...;Sampled=0` as X-Ray writes it. */
function makeTraceId(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString("hex")};Parent=${randomBytes(8).toString("hex")};Sampled=0`;
}
