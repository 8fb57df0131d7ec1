import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StackError } from "../../../ops/errors.ts";
import { keepPackages } from "./npm-cache.ts";

/** A Node.js and a runtime client that were fetched: the directories of the two packages. */
export interface FetchedRuntime {
  readonly lang: string;
  readonly client: string;
}

/** Each runtime's package.json and package-lock.json: exact versions, with the hash of every package. */
const LOCKS = fileURLToPath(new URL("./runtimes", import.meta.url));

/** Fetched on first use, and kept. */
export async function fetchRuntime(
  identifier: string,
  say: (sentence: string) => void,
  environment: NodeJS.ProcessEnv,
): Promise<FetchedRuntime> {
  const lock = join(LOCKS, identifier);
  const { dependencies, optionalDependencies } = JSON.parse(await readFile(join(lock, "package.json"), "utf8"));
  const nodePackage = `node-${process.platform}-${process.arch}`;
  const [node, client] = [optionalDependencies[nodePackage], dependencies["aws-lambda-ric"]];
  if (node === undefined)
    throw new StackError(
      `runtime ${identifier}: the npm registry has no Node.js for ${process.platform} ${process.arch}`,
    );
  const kept = await keepPackages({
    name: `${identifier}-${node}-${client}`,
    what: `${identifier} (Node.js ${node}, aws-lambda-ric ${client})`,
    command: ["ci"],
    prepare: (folder) => cp(lock, folder, { recursive: true }),
    say,
    environment,
  });
  const modules = join(kept, "node_modules");
  // Where AWS has its SDK: it must be there to be mounted on.
  await mkdir(join(modules, "aws-lambda-ric", "node_modules"), { recursive: true });
  return { lang: join(modules, nodePackage), client: join(modules, "aws-lambda-ric") };
}
