import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { zipSync } from "fflate";

/** The path of a zip of a folder's files, removed after the test. */
export function zipFiles(t: TestContext, folder: string): string {
  const target = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(target, { recursive: true, force: true }));
  const path = join(target, "function.zip");
  writeFileSync(
    path,
    zipSync(Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]))),
  );
  return path;
}
