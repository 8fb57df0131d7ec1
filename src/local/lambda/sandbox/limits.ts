import { release } from "node:os";

/** The limits of AWS's execution environment, as recorded: open files, processes, locked memory, stack, core file. */
export const RESOURCE_LIMITS = {
  files: 1024,
  processes: 742,
  lockedKiB: 64,
  stackKiB: 8192,
  coreBytes: 10_737_418_240,
};

const CORE_BLOCK = 512;

/** Shell commands that set them; POSIX shells differ in the letter for processes. A limit that is lower already stays. */
export function limitCommands(isolated: boolean): string {
  const { files, processes, lockedKiB, stackKiB, coreBytes } = RESOURCE_LIMITS;
  const commands = [`ulimit -n ${files}`, `ulimit -l ${lockedKiB}`, `ulimit -Ss ${stackKiB}`];
  // A core file would land in the function's folder; processes would be counted with all others of the user.
  if (isolated) commands.push(`ulimit -c ${coreBytes / CORE_BLOCK}`);
  if (isolated && countsProcessesByNamespace()) commands.push(`{ ulimit -p ${processes} || ulimit -u ${processes}; }`);
  return commands.map((command) => `${command} 2>/dev/null || :`).join("\n");
}

/** Since Linux 5.14 the limit on processes counts those of a user namespace alone. */
export function countsProcessesByNamespace(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}
