import type { UnpackedCode } from "./code.ts";
import type { FunctionConfiguration } from "./function.ts";
import type { UnpackedLayers } from "./layers.ts";
import { type Runtime, SUPPORT } from "./runtime.ts";
import { type Isolation, makeSandboxMaker, type SandboxMaker } from "./sandbox/isolation.ts";
import type { Parts, Sandbox } from "./sandbox/sandbox.ts";

/** The code of one moment and what was prepared for it; removed when it is outdated and its last environment has gone. */
export class Generation {
  readonly code: UnpackedCode;
  readonly parts: Parts;
  readonly #sandboxes: SandboxMaker;
  #environments = 0;
  #outdated = false;

  private constructor(code: UnpackedCode, parts: Parts, sandboxes: SandboxMaker) {
    this.code = code;
    this.parts = parts;
    this.#sandboxes = sandboxes;
  }

  static async make(
    code: UnpackedCode,
    layers: UnpackedLayers | undefined,
    { nodejs }: Runtime,
    isolation: Isolation,
    { ephemeralStorage }: FunctionConfiguration,
  ): Promise<Generation> {
    const parts = {
      taskRoot: code.directory,
      opt: layers?.directory ?? "/opt",
      lang: nodejs?.lang ?? "/var/lang",
      runtime: nodejs?.client ?? "/var/runtime",
      support: SUPPORT,
    };
    return new Generation(code, parts, await makeSandboxMaker(isolation, parts, ephemeralStorage));
  }

  /** Newer code has taken its place. */
  get outdated(): boolean {
    return this.#outdated;
  }

  /** A place for one more environment. */
  enter(): Sandbox {
    this.#environments++;
    return this.#sandboxes.make();
  }

  /** An environment has ended. */
  async leave(): Promise<void> {
    this.#environments--;
    await this.#removeUnused();
  }

  async retire(): Promise<void> {
    this.#outdated = true;
    await this.#removeUnused();
  }

  async #removeUnused(): Promise<void> {
    if (!this.#outdated || this.#environments > 0) return;
    await this.#sandboxes.remove();
    await this.code.remove();
  }
}
