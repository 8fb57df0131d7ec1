import { createHash } from "node:crypto";
import { globSync, statSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { zipSync } from "fflate";
import { StackError } from "../ops/errors.ts";
import { describeVersion } from "../ops/version.ts";

/** The zip that goes to AWS. */
export interface Artifact {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** What the zip is made of. */
const SOURCES = ["src/{crash,ops,queue,pigeon}/**/*.ts", "package.json"];

/** The earliest time that a zip can hold, as local time, so that the bytes do not depend on clock or time zone. */
const EPOCH = new Date(1980, 0, 1);

/** Regular file, read by everyone: 0644, in the upper half as Unix systems write it. */
const MODE = 0o100644 << 16;
const UNIX = 3;

/**
 * Bundles `src/pigeon` of the project at `root` into `dist/pigeon.zip`: entry `pigeon.handler`, and `version.json`. The same
 * sources give the same bytes. Rejects with a StackError that holds the compiler's messages; an older zip then stays.
 */
export async function buildArtifact(root: string): Promise<Artifact> {
  const code = await bundle(root);
  const version = `${JSON.stringify(await describeVersion(root), undefined, 2)}\n`;
  const file = (bytes: Uint8Array): [Uint8Array, object] => [bytes, { mtime: EPOCH, os: UNIX, attrs: MODE, level: 9 }];
  const zip = zipSync({ "pigeon.js": file(code), "version.json": file(Buffer.from(version)) } as Parameters<
    typeof zipSync
  >[0]);
  const path = join(root, "dist", "pigeon.zip");
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, zip);
  await rename(partial, path);
  return { path, size: zip.length, sha256: createHash("sha256").update(zip).digest("hex") };
}

/** The path of the zip, built first when there is none or a source is newer. */
export async function findOrBuildArtifact(root: string, say: (sentence: string) => void): Promise<string> {
  const path = join(root, "dist", "pigeon.zip");
  const built = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newest = Math.max(...globSync(SOURCES.map((glob) => join(root, glob))).map((file) => statSync(file).mtimeMs));
  if (newest <= built) return path;
  const artifact = await buildArtifact(root);
  say(`built dist/pigeon.zip: ${artifact.size} bytes, sha256 ${artifact.sha256}`);
  return path;
}

async function bundle(root: string): Promise<Uint8Array> {
  try {
    const result = await build({
      absWorkingDir: root,
      preserveSymlinks: true, // paths of modules are in the bundle: they must not tell where node_modules really lies
      entryPoints: ["src/pigeon/pigeon.ts"],
      bundle: true,
      // amqplib is CommonJS and requires node: modules, which an ESM bundle refuses at run time.
      format: "cjs",
      platform: "node",
      target: "node24",
      minifyWhitespace: true,
      minifySyntax: true,
      legalComments: "none",
      charset: "utf8",
      write: false,
      logLevel: "silent",
    });
    const [output] = result.outputFiles;
    if (output === undefined) throw new Error("the compiler wrote nothing");
    return output.contents;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new StackError(`pigeon build: ${message}`, { cause });
  }
}
