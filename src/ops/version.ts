import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** The version object of what runs: that of a version.json where a build has left one, else of the sources. */
export async function readVersion(root: string): Promise<Readonly<Record<string, string>>> {
  const built = await readFile(join(root, "version.json"), "utf8").catch(() => undefined);
  return built === undefined ? describeVersion(root) : (JSON.parse(built) as Record<string, string>);
}

/**
 * What was built, in the form of Dockerflow's version.json; BUILD_URL names the build where a service ran it.
 * https://github.com/mozilla-services/Dockerflow/blob/main/docs/version_object.md
 */
export async function describeVersion(
  root: string,
): Promise<Record<"source" | "version" | "commit" | "build", string>> {
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Record<string, unknown>;
  const { version = "", repository = "" } = manifest;
  const commit = await git(root, "rev-parse", "HEAD");
  const changed = await git(root, "status", "--porcelain", "--untracked-files=no", "--", "src", "package.json");
  return {
    source: String(repository),
    version: String(version),
    commit: changed === "" || commit === "" ? commit : `${commit} with changes`,
    build: process.env.BUILD_URL ?? "",
  };
}

/** Empty where there is no repository. */
async function git(root: string, ...command: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)("git", ["-C", root, ...command], { timeout: 10_000 });
    return stdout.trim();
  } catch {
    return "";
  }
}
