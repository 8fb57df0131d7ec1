import { chmod, cp, stat } from "node:fs/promises";
import { ConfigurationError } from "../../../ops/errors.ts";
import { makeReadOnly, UNZIPPED_LIMIT, unzip } from "./code.ts";
import { makeTemporaryFolder, removeReadOnly } from "./temporary.ts";

/** What becomes /opt. */
export interface UnpackedLayers {
  readonly directory: string;
  remove(): Promise<void>;
}

/** Zip files and folders, one over the other in their order; undefined when there are none. */
export async function unpackLayers(paths: readonly string[], readOnly: boolean): Promise<UnpackedLayers | undefined> {
  if (paths.length === 0) return undefined;
  const directory = await makeTemporaryFolder();
  const remove = (): Promise<void> => removeReadOnly(directory);
  try {
    let size = 0;
    for (const path of paths) size += await addLayer(path, directory, UNZIPPED_LIMIT - size);
    if (readOnly) await makeReadOnly(directory);
    else await chmod(directory, 0o755);
    return { directory, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function addLayer(path: string, directory: string, limit: number): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ConfigurationError([`layer: expected a zip file or a folder, found nothing at ${path}`], { cause });
  });
  try {
    if (!found.isDirectory()) return await unzip(path, directory, limit);
    await cp(path, directory, { recursive: true, force: true, verbatimSymlinks: true });
    return 0;
  } catch (cause) {
    if (cause instanceof ConfigurationError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError([`layer: expected a zip file or a folder at ${path}, got: ${reason}`], { cause });
  }
}
