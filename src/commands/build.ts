import type { Command } from "commander";
import { buildArtifact } from "../local/artifact.ts";
import { ROOT } from "../local/development.ts";
import { makeCommand } from "./program.ts";

/** `pigeon build`: the zip that goes to AWS. */
export function makeBuildCommand(): Command {
  return makeCommand("build", "bundle dist/pigeon.zip, the same bytes for the same sources").action(async () => {
    const { path, size, sha256 } = await buildArtifact(ROOT);
    process.stdout.write(`${path.slice(ROOT.length + 1)}\n${size} bytes\nsha256 ${sha256}\n`);
  });
}
