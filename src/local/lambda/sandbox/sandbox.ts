import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";

/** Where the parts of a function lie in the eyes of its processes. */
export interface Layout {
  /** The function's code: LAMBDA_TASK_ROOT. */
  readonly taskRoot: string;
  /** The layers. */
  readonly opt: string;
  /** The directory of bin/node. */
  readonly lang: string;
  /** AWS's runtime client: its package. */
  readonly runtime: string;
  /** The AWS SDK that a runtime brings along. */
  readonly sdk: string;
  /** What this project adds to the client. */
  readonly support: string;
}

/** The same parts as they lie on this machine. */
export type Parts = Layout;

/** One process to start: a program and its arguments as paths of the layout, and its exact environment variables. */
export interface Command {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A started process; its stdout and stderr share one pipe. */
export interface SandboxProcess {
  readonly child: ChildProcess;
  readonly output: Readable;
  /** What it writes on file descriptor 3. */
  readonly telemetry: Readable;
  /** Settles when another process can be started in the same sandbox. */
  readonly entered: Promise<void>;
}

/** The place of one execution environment: processes start in it, one after the other, and `/tmp` survives them. */
export interface Sandbox {
  readonly layout: Layout;
  spawn(command: Command): SandboxProcess;
  /** After the last process has ended. */
  release(): Promise<void>;
}

/** The file descriptor of `telemetry` in the process. */
export const TELEMETRY_FD = 3;
