import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, cp, lstat, mkdir, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import yauzl from "yauzl";
import { ConfigurationError } from "../../../ops/errors.ts";
import { makeTemporaryFolder, removeReadOnly } from "./temporary.ts";

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
export const UNZIPPED_LIMIT = 262_144_000;

const FILE_TYPE = 0o170000;
const SYMBOLIC_LINK = 0o120000;

/**
 * Unpacks a zip into a fresh folder; takes a folder as it is. `readOnly` takes the permission to write away, for want of a
 * read-only mount. Errors name the path.
 */
export async function unpackCode(path: string, readOnly: boolean): Promise<UnpackedCode> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ConfigurationError([`code: expected a zip file or a folder, found nothing at ${path}`], { cause });
  });
  const unpackedAt = new Date();
  if (found.isDirectory() && (readOnly || isReadableByOthers(found.mode)))
    return { directory: resolve(path), size: 0, sha256: hash(""), unpackedAt, remove: async () => {} };
  const directory = await makeTemporaryFolder();
  const remove = (): Promise<void> => removeReadOnly(directory);
  try {
    if (found.isDirectory()) {
      await cp(path, directory, { recursive: true, verbatimSymlinks: true });
      await makeReadOnly(directory);
      return { directory, size: 0, sha256: hash(""), unpackedAt, remove };
    }
    await unzip(path, directory, UNZIPPED_LIMIT);
    if (readOnly) await makeReadOnly(directory);
    else await chmod(directory, 0o755);
    return { directory, size: found.size, sha256: hash(await readFile(path)), unpackedAt, remove };
  } catch (error) {
    await remove();
    if (error instanceof ConfigurationError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError([`code: expected a zip file at ${path}, got: ${reason}`], { cause: error });
  }
}

/** A function's user is not root: of root's private folder it gets a copy. */
function isReadableByOthers(mode: number): boolean {
  return process.getuid?.() !== 0 || (mode & 0o005) === 0o005;
}

function hash(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("base64");
}

/** Adds a zip's entries to a folder; a later one replaces an earlier one. Resolves with their size in bytes. */
export async function unzip(path: string, directory: string, limit: number): Promise<number> {
  // yauzl refuses absolute names and `..`; what is left to check are symbolic links and the size.
  const zip = await yauzl.openPromise(path);
  let size = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      size += entry.uncompressedSize;
      if (size > limit)
        throw new ConfigurationError([`code: expected at most ${UNZIPPED_LIMIT} bytes unzipped, ${path} has more`]);
      await unzipEntry(zip, entry, directory);
    }
    return size;
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
  await rm(target, { recursive: true, force: true });
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

/** 0444 files, 0555 folders and programs. */
export async function makeReadOnly(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await makeReadOnly(path);
    else if (entry.isFile()) await chmod(path, (await lstat(path)).mode & 0o111 ? 0o555 : 0o444);
  }
  await chmod(directory, 0o555);
}
