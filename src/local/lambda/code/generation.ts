import type { FunctionConfiguration } from "../function.ts";
import { provideSdk } from "../runtime/aws-sdk.ts";
import { type Runtime, SUPPORT } from "../runtime/runtime.ts";
import { type Isolation, makeSandboxMaker, type SandboxMaker } from "../sandbox/isolation.ts";
import { AWS_LAYOUT } from "../sandbox/mounts.ts";
import type { Parts, Sandbox } from "../sandbox/sandbox.ts";
import type { UnpackedCode } from "./code.ts";
import type { UnpackedLayers } from "./layers.ts";

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
    say: (sentence: string) => void,
  ): Promise<Generation> {
    const sdk = nodejs === undefined ? undefined : await provideSdk(code.directory, layers?.directory, say);
    const parts = {
      taskRoot: code.directory,
      opt: layers?.directory ?? AWS_LAYOUT.opt,
      lang: nodejs?.lang ?? AWS_LAYOUT.lang,
      runtime: nodejs?.client ?? AWS_LAYOUT.runtime,
      sdk: sdk ?? AWS_LAYOUT.sdk,
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
