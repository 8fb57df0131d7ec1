import { malformed } from "../refusal.ts";

/** Characters of a name that are kept, from the start. */
const MOST = 30;

/** Names under which the bucket holds other objects of a crash; `dump` is that of upload_file_minidump. */
const RESERVED = new Set(["dump", "dump_names", "raw_crash", "processed_crash"]);

/** The name of a dump as it may stand in an object's key: ASCII letters, digits and underscores. Throws a RefusalError. */
export function normalizeDumpName(name: string): string {
  const normal = name.replace(/[^A-Za-z0-9_]/g, "").slice(0, MOST);
  if (normal === "" || RESERVED.has(normal)) throw malformed("invalid_dump_name");
  return normal;
}
