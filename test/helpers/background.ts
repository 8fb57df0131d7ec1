import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { ROOT } from "./program.ts";
import { until } from "./until.ts";

/** One of the project's programs that stays: what it has printed so far, and ways to wait and to stop it. */
export class BackgroundProgram {
  readonly child: ChildProcess;
  output = "";
  readonly #exited: Promise<number | null>;

  /** Killed after the test if it still runs. */
  constructor(
    t: Pick<TestContext, "after">,
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.child = spawn(`${ROOT}/bin/${program}`, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    this.#exited = once(this.child, "close").then(([code]) => code as number | null);
    t.after(async () => {
      this.child.kill("SIGKILL");
      await this.#exited;
    });
  }

  /** The first match of what it prints. */
  async printed(pattern: RegExp, limit = 30_000): Promise<RegExpExecArray> {
    return until(`${pattern} in:\n${this.output}`, () => pattern.exec(this.output), limit);
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.#exited;
  }
}
