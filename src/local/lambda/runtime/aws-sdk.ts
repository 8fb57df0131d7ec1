import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keepPackages } from "./npm-cache.ts";

/** The packages of AWS's SDK that its Node.js runtimes bring along, as far as a function's code asks for them. */

const PROVIDED = /(?:require\(|from|import|import\()\s*["'](@(?:aws-sdk|smithy)\/[a-z0-9-]+)/g;

const CODE = /\.[cm]?js$/;

/** AWS's runtimes bring some version 3; which one changes with time. */
const VERSION = "3";

/** The folder that becomes /var/runtime/node_modules; undefined when the code brings all that it asks for. */
export async function provideSdk(
  taskRoot: string,
  opt: string | undefined,
  say: (sentence: string) => void,
): Promise<string | undefined> {
  const places = [join(taskRoot, "node_modules"), ...(opt === undefined ? [] : [join(opt, "nodejs", "node_modules")])];
  const wanted = [...(await findImports(taskRoot))].filter(
    (name) => !places.some((place) => existsSync(join(place, name))),
  );
  const clients = wanted.filter((name) => name.startsWith("@aws-sdk/")).sort();
  if (clients.length === 0) return undefined;
  const id = createHash("sha256").update(clients.join()).digest("hex").slice(0, 12);
  const kept = await keepPackages({
    name: `aws-sdk-${VERSION}-${id}`,
    what: `what AWS's runtime brings along: ${clients.join(", ")}`,
    command: ["install", ...clients.map((name) => `${name}@${VERSION}`)],
    prepare: (folder) => writeFile(join(folder, "package.json"), '{ "private": true }\n'),
    say,
  });
  return join(kept, "node_modules");
}

/** The SDK's packages that the code names, its own dependencies aside. */
async function findImports(taskRoot: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const entry of await readdir(taskRoot, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !CODE.test(entry.name) || entry.parentPath.includes("node_modules")) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
    for (const [, name = ""] of text.matchAll(PROVIDED)) found.add(name);
  }
  return found;
}
