import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** What a program printed and how it ended. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  /** On top of this process's variables; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** ms; then it is killed. */
  readonly timeout?: number;
}

/** Runs one of the project's programs (`pigeon`, `local-lambda`) to its end. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const { input = "", env = {}, cwd = ROOT, timeout = 60_000 } = options;
  const child = spawn(`${ROOT}/bin/${program}`, args, { cwd, env: { ...process.env, ...env }, timeout });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}
