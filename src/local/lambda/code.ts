import { createHash } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import yauzl from "yauzl";
import { ConfigurationError } from "../../ops/errors.ts";

/** A function's code as it stands on disk: what becomes LAMBDA_TASK_ROOT. */
export interface UnpackedCode {
  readonly directory: string;
  /** Of the zip: bytes, and base64; a folder has 0 and the hash of nothing. */
  readonly size: number;
  readonly sha256: string;
  readonly unpackedAt: Date;
  /** Removes what was unpacked; a folder given by the user stays. */
  remove(): Promise<void>;
}

/** AWS's limit on a function's unzipped size, layers included. */
const UNZIPPED_LIMIT = 262_144_000;

/** Folders of unpacked code carry the pid of the local Lambda that uses them. */
const PREFIX = "local-lambda-";

const FILE_TYPE = 0o170000;
const SYMBOLIC_LINK = 0o120000;

/** Unpacks a zip read-only into a fresh folder; takes a folder as it is. Errors name the path. */
export async function unpackCode(path: string): Promise<UnpackedCode> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ConfigurationError([`code: expected a zip file or a folder, found nothing at ${path}`], { cause });
  });
  const unpackedAt = new Date();
  if (found.isDirectory())
    return { directory: resolve(path), size: 0, sha256: hash(""), unpackedAt, remove: async () => {} };
  await removeLeftOver();
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const remove = (): Promise<void> => removeReadOnly(directory);
  try {
    await unzip(path, directory);
    await makeReadOnly(directory);
    return { directory, size: found.size, sha256: hash(await readFile(path)), unpackedAt, remove };
  } catch (error) {
    await remove();
    if (error instanceof ConfigurationError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError([`code: expected a zip file at ${path}, got: ${reason}`], { cause: error });
  }
}

function hash(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("base64");
}

/** What a local Lambda that was killed has left. */
async function removeLeftOver(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    // Another user's folder cannot be removed, and need not be.
    if (pid !== undefined && !isRunning(Number(pid))) await removeReadOnly(join(tmpdir(), name)).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function unzip(path: string, directory: string): Promise<void> {
  // yauzl refuses absolute names and `..`; what is left to check are symbolic links and the size.
  const zip = await yauzl.openPromise(path);
  let size = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      size += entry.uncompressedSize;
      if (size > UNZIPPED_LIMIT)
        throw new ConfigurationError([`code: expected at most ${UNZIPPED_LIMIT} bytes unzipped, ${path} has more`]);
      await unzipEntry(zip, entry, directory);
    }
  } finally {
    zip.close();
  }
}

async function unzipEntry(zip: yauzl.ZipFile, entry: yauzl.Entry, directory: string): Promise<void> {
  const target = join(directory, entry.fileName);
  if (entry.fileName.endsWith("/")) {
    await mkdir(target, { recursive: true });
    return;
  }
  await mkdir(dirname(target), { recursive: true });
  const stream = await zip.openReadStreamPromise(entry);
  const mode = entry.externalFileAttributes >>> 16;
  if ((mode & FILE_TYPE) === SYMBOLIC_LINK) {
    const destination = await text(stream);
    const inside = relative(directory, resolve(dirname(target), destination));
    if (inside === ".." || inside.startsWith(`..${sep}`))
      throw new ConfigurationError([`code: symbolic link ${entry.fileName} points outside the zip, to ${destination}`]);
    await symlink(destination, target);
    return;
  }
  await pipeline(stream, createWriteStream(target, { mode: mode & 0o111 ? 0o755 : 0o644, flags: "wx" }));
}

/** As on AWS, where code is mounted read-only: 0444 files, 0555 folders and programs. */
async function makeReadOnly(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await makeReadOnly(path);
    else if (entry.isFile()) await chmod(path, (await lstat(path)).mode & 0o111 ? 0o555 : 0o444);
  }
  await chmod(directory, 0o555);
}

/** May be called twice. */
async function removeReadOnly(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  // Entries of a 0555 folder cannot be removed by an ordinary user.
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
  await chmod(directory, 0o755);
  await rm(directory, { recursive: true, force: true });
}
