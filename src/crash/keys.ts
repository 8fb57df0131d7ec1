import { type CrashId, crashDate } from "./crash-id.ts";

/** Where a crash's objects lie in the bucket. The raw crash is written last, because its arrival triggers Pigeon. */

export const RAW_CRASH_PREFIX = "v2/raw_crash/";

/** JSON: the annotations and the collector's metadata. */
export function rawCrashKey(id: CrashId): string {
  return `${RAW_CRASH_PREFIX}${id.slice(0, 3)}/${crashDate(id)}/${id}`;
}

/** JSON array: the names of the crash's dumps. */
export function dumpNamesKey(id: CrashId): string {
  return `v1/dump_names/${id}`;
}

/** A minidump; the one named `upload_file_minidump` is stored as `dump`. */
export function dumpKey(id: CrashId, dumpName: string): string {
  return `v1/${dumpName === "upload_file_minidump" ? "dump" : dumpName}/${id}`;
}

/** JSON: what the processor made of the crash. */
export function processedCrashKey(id: CrashId): string {
  return `v1/processed_crash/${id}`;
}

/**
 * The key as S3 stores it, from the key as S3 events write it: form-style, so that `+` is a space. Decoded once; an escape
 * that is malformed stays as it is.
 */
export function decodeEventKey(key: string): string {
  const spaced = key.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => decodeOrKeep(escapes));
  }
}

function decodeOrKeep(escapes: string): string {
  try {
    return decodeURIComponent(escapes);
  } catch {
    return escapes;
  }
}
