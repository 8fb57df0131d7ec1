import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable } from "node:stream";
import { limitCommands } from "./limits.ts";
import type { Command, Parts, Sandbox, SandboxProcess } from "./sandbox.ts";

/** A stopped process does not notice that the local Lambda was killed: where util-linux is, the kernel ends it. */
const SETPRIV = "/usr/bin/setpriv";
const DIE_WITH_PARENT = process.platform === "linux" && existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL"] : [];

/** stdout and stderr share one pipe, so that their lines keep their order; then the shell becomes the program. */
const SCRIPT = `${limitCommands(false)}
exec "$0" "$@" 2>&1`;

/** No isolation: a plain process of this user, that sees this machine's files where they lie. */
export class ProcessSandbox implements Sandbox {
  readonly layout: Parts;

  constructor(parts: Parts) {
    this.layout = parts;
  }

  spawn({ argv, environment }: Command): SandboxProcess {
    const child = spawn("/bin/sh", ["-c", SCRIPT, ...DIE_WITH_PARENT, ...argv], {
      cwd: this.layout.taskRoot,
      env: environment,
      stdio: ["ignore", "pipe", "ignore", "pipe"],
      detached: true,
    });
    const [, output, , telemetry] = child.stdio as unknown as [null, Readable, null, Readable];
    return { child, output, telemetry, entered: Promise.resolve() };
  }

  async release(): Promise<void> {}
}
