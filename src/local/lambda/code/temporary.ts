import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Temporary folders carry the pid of the local Lambda that uses them, so that the next one can remove what a killed one left. */
const PREFIX = "local-lambda-";

/** A fresh folder of this process; what others have left is removed. */
export async function makeTemporaryFolder(): Promise<string> {
  await removeLeftOver();
  return mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
}

/** Removes a folder whose entries may be read-only. May be called twice. */
export async function removeReadOnly(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  // Entries of a 0555 folder cannot be removed by an ordinary user.
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
  await chmod(directory, 0o755);
  await rm(directory, { recursive: true, force: true });
}

async function removeLeftOver(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    // Another user's folder cannot be removed, and need not be.
    if (pid !== undefined && !isRunning(Number(pid))) await removeReadOnly(join(tmpdir(), name)).catch(() => {});
  }
}

/** Whoever owns it. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
