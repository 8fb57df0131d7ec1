import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigurationError } from "../../ops/errors.ts";

/** How AWS's runtime client reaches the Runtime API: its own addon, or this project's stand-in for that one file. */
export type Addon = "native" | "stand-in";

/** What runs a function: a Node.js, AWS's runtime client, and the client's addon. */
export interface Runtime {
  readonly identifier: string;
  /** Path of the Node.js program. */
  readonly node: string;
  readonly nodeVersion: string;
  /** Path of aws-lambda-ric's entry file. */
  readonly client: string;
  readonly clientVersion: string;
  readonly addon: Addon;
}

const require = createRequire(import.meta.url);

/** Loaded before the runtime client when its addon is not built. */
export const STAND_IN = fileURLToPath(new URL("./addon-stand-in.cjs", import.meta.url));

/** Which addon to use: `auto` takes the native one when it is built. */
export const ADDON_VARIABLE = "LOCAL_LAMBDA_ADDON";

/** The runtime for an identifier such as `nodejs24.x`, from installed packages. */
export function findRuntime(identifier: string, environment: NodeJS.ProcessEnv = process.env): Runtime {
  const manifest = require.resolve("aws-lambda-ric/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return {
    identifier,
    ...findNode(identifier),
    client: join(dirname(manifest), "index.mjs"),
    clientVersion: version,
    addon: chooseAddon(join(dirname(manifest), "rapid-client.node"), environment[ADDON_VARIABLE]),
  };
}

/** One sentence for the person at the terminal: what runs the function. */
export function describeRuntime(runtime: Runtime): string {
  const addon =
    runtime.addon === "native"
      ? "its native addon"
      : "a JavaScript stand-in for its native addon (npm run build:native builds that)";
  return `${runtime.identifier}: Node.js ${runtime.nodeVersion}, aws-lambda-ric ${runtime.clientVersion} with ${addon}`;
}

function chooseAddon(nativeAddon: string, wanted = "auto"): Addon {
  const built = existsSync(nativeAddon);
  if (wanted === "stand-in") return "stand-in";
  if (wanted === "native" && !built)
    throw new ConfigurationError([`${ADDON_VARIABLE}=native: the addon is not built; npm run build:native builds it`]);
  if (wanted !== "auto" && wanted !== "native")
    throw new ConfigurationError([
      `${ADDON_VARIABLE}: expected auto, native or stand-in, got ${JSON.stringify(wanted)}`,
    ]);
  return built ? "native" : "stand-in";
}

function findNode(identifier: string): Pick<Runtime, "node" | "nodeVersion"> {
  const major = /^nodejs(\d+)\.x$/.exec(identifier)?.[1];
  const pinned = findPinnedNode();
  if (pinned?.nodeVersion.startsWith(`v${major}.`)) return pinned;
  if (process.version.startsWith(`v${major}.`)) return { node: process.execPath, nodeVersion: process.version };
  throw new ConfigurationError([
    `runtime ${identifier}: expected Node.js ${major}, found ${pinned?.nodeVersion ?? process.version}`,
  ]);
}

function findPinnedNode(): Pick<Runtime, "node" | "nodeVersion"> | undefined {
  try {
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
    return { node: join(dirname(manifest), "bin", "node"), nodeVersion: `v${version}` };
  } catch {
    return undefined;
  }
}
