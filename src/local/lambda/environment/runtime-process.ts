import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { MemoryGroup } from "../sandbox/memory-group.ts";
import type { Command, Sandbox } from "../sandbox/sandbox.ts";
import { FunctionOutput, type LineSink } from "./function-output.ts";
import { MemoryWatch } from "./memory.ts";

/** How a process ended: one of the first two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was killed because it took more memory than the function has. */
  readonly outOfMemory?: boolean;
}

/** What a shell reports for a program that it cannot start. */
const CANNOT_START: Exit = { code: 127, signal: null };

/** How long output of a dead process is waited for when somebody else still holds its pipes; ms. */
const CLOSE_LIMIT = 1000;

/** Where a runtime process is held, and how much memory it may take. */
export interface Confinement {
  readonly sandbox: Sandbox;
  /** Bytes; of the process and its descendants together. */
  readonly memoryLimit: number;
  /** The kernel's own watch, where it could be had. */
  readonly memoryGroup?: MemoryGroup | undefined;
}

/** A runtime, or an extension, as a child process in a process group of its own. */
export class RuntimeProcess {
  readonly memory: MemoryWatch;
  /** Settles when another process can be started in the same sandbox. */
  readonly entered: Promise<void>;
  /** Settles when the process has ended and its output has been read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #output: FunctionOutput;
  readonly #group: MemoryGroup | undefined;
  readonly #killsBefore: number;
  #ended = false;

  constructor(command: Command, { sandbox, memoryLimit, memoryGroup }: Confinement, sink: LineSink) {
    const { child, output, telemetry, entered } = sandbox.spawn(command);
    this.#child = child;
    this.entered = entered;
    this.#output = new FunctionOutput(output, telemetry, sink);
    this.#killsBefore = memoryGroup?.kills() ?? 0;
    const grouped = child.pid !== undefined && memoryGroup?.add(child.pid);
    this.#group = grouped ? memoryGroup : undefined;
    const onExceeded = (): void => this.#signalGroup("SIGKILL");
    this.memory = new MemoryWatch(child.pid ?? 0, grouped ? undefined : { bytes: memoryLimit, onExceeded });
    this.exited = this.#waitForExit(sink);
  }

  /** The process is gone, whoever ended it. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Everything written before the process's last request has been handed to the sink. */
  drain(): Promise<void> {
    return this.#output.drain();
  }

  /** Stops the process group where it stands, as AWS does between invocations. */
  freeze(): void {
    this.#signalGroup("SIGSTOP");
  }

  thaw(): void {
    this.#signalGroup("SIGCONT");
  }

  /** Asks it to end. */
  terminate(): void {
    this.#child.kill("SIGTERM");
  }

  /** Ends the whole process group at once, frozen or not. */
  async kill(): Promise<Exit> {
    this.#signalGroup("SIGKILL");
    return this.exited;
  }

  async #waitForExit(sink: LineSink): Promise<Exit> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    const exit = await new Promise<Exit>((resolve) => {
      this.#child.once("exit", (code, signal) => resolve({ code, signal }));
      this.#child.once("error", (error) => {
        sink(`cannot start the runtime: ${error.message}\n`);
        resolve(CANNOT_START);
      });
    });
    this.#ended = true;
    this.memory.stop();
    this.#signalGroup("SIGKILL"); // children that outlived it
    await Promise.race([closed, delay(CLOSE_LIMIT, undefined, { ref: false })]);
    for (const stream of this.#child.stdio) stream?.destroy();
    await this.#output.drain();
    const outOfMemory = this.memory.exceeded || (this.#group?.kills() ?? 0) > this.#killsBefore;
    return outOfMemory && exit.signal === "SIGKILL" ? { ...exit, outOfMemory } : exit;
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // nobody of the group is left
    }
  }
}

/** `YYYY/MM/DD/[$LATEST]<32 hexadecimal digits>`, one per environment. */
export function makeLogStream(now = new Date()): string {
  const day = now.toISOString().slice(0, 10).replaceAll("-", "/");
  return `${day}/[$LATEST]${randomBytes(16).toString("hex")}`;
}
