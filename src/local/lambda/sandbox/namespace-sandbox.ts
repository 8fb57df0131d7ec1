import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";
import { limitCommands } from "./limits.ts";
import { AWS_LAYOUT, type PrivateRoot } from "./mounts.ts";
import type { Command, Sandbox, SandboxProcess } from "./sandbox.ts";

/** The user and group of AWS's execution environment (sbx_user1051). */
const UID = 993;
const GID = 990;

/** The user of this machine that uid 993 of a root user's sandbox is: nobody that exists, also where a container has 65,536 of them. */
const OUTER_UID = 64_993;
const OUTER_GID = 64_990;

/** The function's PATH, which may be anything, must not choose the programs that prepare its sandbox. */
const find = (program: string): string =>
  ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map((folder) => `${folder}/${program}`).find(existsSync) ?? program;
const UNSHARE = find("unshare");
const NSENTER = find("nsenter");
const SETPRIV = find("setpriv");
const MOUNT = find("mount");

const IS_ROOT = process.getuid?.() === 0;

/** What a shell says that could not prepare the sandbox. */
const CANNOT_PREPARE = 126;

/** Each step of the shell is told on file descriptor 4, and waits there for a line before it goes on. */
const CONTROL_FD = 4;
const tell = (step: string): string =>
  `echo ${step} >&${CONTROL_FD}; read -r _ <&${CONTROL_FD} || exit ${CANNOT_PREPARE}`;

/** After this no capability is left, nor a way to get one; the process ends with the local Lambda. */
const DROP = IS_ROOT
  ? `${UNSHARE} --root="$root" --wd="$wd" ${SETPRIV} --reuid=${UID} --regid=${GID} --clear-groups --inh-caps=-all --ambient-caps=-all \
--bounding-set=-all --no-new-privs --pdeathsig KILL`
  : `${UNSHARE} --user --map-user=${UID} --map-group=${GID} --root="$root" --wd="$wd" ${SETPRIV} --inh-caps=-all \
--bounding-set=-all --no-new-privs --pdeathsig KILL`;

const RUN = `${limitCommands(true)}
root=$1 wd=$2 PWD=$2; shift 2
exec ${DROP} "$@" 4>&- 5>&- 6>&- 2>&1`;

/** The first process: mounts everything, in namespaces of its own. */
const PREPARE = `exec 2>&1
${IS_ROOT ? tell("map") : ":"}
${MOUNT} --all --fstab "$0" || exit ${CANNOT_PREPARE}
${tell("ready")}
${RUN}`;

/** As root more than one user can be mapped, so that code belongs to root and the process does not. */
const NAMESPACES = ["--user", "--mount", IS_ROOT ? "--keep-caps" : "--map-root-user"];

/** The open namespaces: they and the private `/tmp` outlive their processes. */
interface Namespaces {
  readonly user: number;
  readonly mount: number;
}

/** User and mount namespaces: AWS's directories, read-only but for a private `/tmp`; uid 993, and no capability. */
export class NamespaceSandbox implements Sandbox {
  readonly layout = AWS_LAYOUT;
  readonly #root: PrivateRoot;
  #namespaces: Namespaces | undefined;

  constructor(root: PrivateRoot) {
    this.#root = root;
  }

  spawn(command: Command): SandboxProcess {
    const { directory, fstab } = this.#root;
    const run = [directory, this.layout.taskRoot, ...command.argv];
    if (this.#namespaces === undefined) {
      const started = start([UNSHARE, ...NAMESPACES, "/bin/sh", "-c", PREPARE, fstab, ...run], command.environment, [
        "pipe",
      ]);
      return { ...started, entered: this.#answer(started.child) };
    }
    const { user, mount } = this.#namespaces;
    const enter = [NSENTER, "--preserve-credentials", "--user=/proc/self/fd/5", "--mount=/proc/self/fd/6"];
    return start([...enter, "/bin/sh", "-c", RUN, "again", ...run], command.environment, ["ignore", user, mount]);
  }

  async release(): Promise<void> {
    if (this.#namespaces === undefined) return;
    closeSync(this.#namespaces.user);
    closeSync(this.#namespaces.mount);
    this.#namespaces = undefined;
  }

  /** Does for the shell what only its parent can; resolves when it has done, or has ended. */
  #answer(child: ChildProcess): Promise<void> {
    const control = child.stdio[CONTROL_FD] as Duplex;
    control.on("error", () => {});
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
    control.on("data", (steps: Buffer) => {
      try {
        if (steps.includes("map")) mapUsers(child.pid ?? 0);
        if (steps.includes("ready")) this.#namespaces = openNamespaces(child.pid ?? 0);
        control.write("\n");
        if (this.#namespaces !== undefined) resolve();
      } catch {
        control.destroy(); // the shell's read ends, and the shell with it
      }
    });
    return promise;
  }
}

function mapUsers(pid: number): void {
  writeFileSync(`/proc/${pid}/uid_map`, `0 0 1\n${UID} ${OUTER_UID} 1\n`);
  writeFileSync(`/proc/${pid}/gid_map`, `0 0 1\n${GID} ${OUTER_GID} 1\n`);
}

function openNamespaces(pid: number): Namespaces {
  return { user: openSync(`/proc/${pid}/ns/user`, "r"), mount: openSync(`/proc/${pid}/ns/mnt`, "r") };
}

function start(
  [program = "", ...args]: readonly string[],
  environment: NodeJS.ProcessEnv,
  more: readonly ("pipe" | "ignore" | number)[],
): SandboxProcess {
  const child = spawn(program, args, {
    env: environment,
    stdio: ["ignore", "pipe", "ignore", "pipe", ...more],
    detached: true,
  });
  const [, output, , telemetry] = child.stdio as unknown as [null, Readable, null, Readable];
  return { child, output, telemetry, entered: Promise.resolve() };
}
