import type { RuntimeListener } from "./runtime-api.ts";
import type { Exit } from "./runtime-process.ts";

/** What a runtime process does, as seen from outside, or that it did nothing in time. */
export type RuntimeEvent =
  | { readonly type: "next" }
  | { readonly type: "init-error"; readonly body: Buffer }
  | { readonly type: "response-chunk"; readonly chunk: Buffer }
  | { readonly type: "response"; readonly body: Buffer }
  | { readonly type: "response-too-large" }
  | { readonly type: "invocation-error"; readonly body: Buffer }
  | { readonly type: "exit"; readonly exit: Exit }
  /** One has registered, or asks for its next event. */
  | { readonly type: "extension" }
  | { readonly type: "extension-failure"; readonly errorType: string; readonly reason: string }
  | { readonly type: "time-is-up" };

/** The events of one runtime process in order, for one reader. */
export class RuntimeEvents {
  readonly #unread: RuntimeEvent[] = [];
  #wake: (() => void) | undefined;

  push(event: RuntimeEvent): void {
    this.#unread.push(event);
    this.#wake?.();
  }

  /** For the Runtime API: what it hears becomes events. */
  listener(): RuntimeListener {
    return {
      onNext: () => this.push({ type: "next" }),
      onInitError: (body) => this.push({ type: "init-error", body }),
      onResponseChunk: (chunk) => this.push({ type: "response-chunk", chunk }),
      onResponse: (body) => this.push({ type: "response", body }),
      onResponseTooLarge: () => this.push({ type: "response-too-large" }),
      onInvocationError: (body) => this.push({ type: "invocation-error", body }),
    };
  }

  /** The next event, or `time-is-up` at the deadline (on the clock of `performance.now()`, ms). */
  async next(deadline: number): Promise<RuntimeEvent> {
    if (this.#unread.length === 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        // Node.js's timers may come up to 1 ms early: nothing may be cut short by that.
        if (deadline !== Number.POSITIVE_INFINITY)
          timer = setTimeout(resolve, Math.max(0, Math.ceil(deadline - performance.now()) + 1));
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    return this.#unread.shift() ?? { type: "time-is-up" };
  }
}
