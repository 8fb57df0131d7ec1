import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigurationError } from "../../../ops/errors.ts";
import { fetchRuntime } from "./fetched-runtime.ts";

/** How AWS's runtime client reaches the Runtime API: its own addon, or this project's stand-in for that one file. */
export type Addon = "native" | "stand-in";

/** What runs a function: a Node.js, AWS's runtime client, and the client's addon; none of them for `provided`. */
export interface Runtime {
  readonly identifier: string;
  readonly nodejs?: NodejsRuntime;
}

export interface NodejsRuntime {
  /** The directory of bin/node. */
  readonly lang: string;
  /** `v24.21.0` */
  readonly nodeVersion: string;
  /** The package aws-lambda-ric. */
  readonly client: string;
  readonly clientVersion: string;
  readonly addon: Addon;
}

const require = createRequire(import.meta.url);

/** What this project adds to AWS's runtime client. */
export const SUPPORT = fileURLToPath(new URL("./support", import.meta.url));

/** Which addon to use: `auto` takes the native one when it is built. */
export const ADDON_VARIABLE = "LOCAL_LAMBDA_ADDON";

/** `provided.al2023`: the code brings its own runtime, a program named bootstrap. */
const PROVIDED = "provided.al2023";

/** Installed with this project. */
const INSTALLED = "nodejs24.x";

export const SUPPORTED_RUNTIMES: readonly string[] = [INSTALLED, "nodejs22.x", PROVIDED];

/** The runtime for an identifier such as `nodejs24.x`; one that is not installed is fetched once, and `say` is told. */
export async function findRuntime(
  identifier: string,
  say: (sentence: string) => void,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Runtime> {
  if (identifier === PROVIDED) return { identifier };
  if (!SUPPORTED_RUNTIMES.includes(identifier))
    throw new ConfigurationError([
      `runtime: expected one of ${SUPPORTED_RUNTIMES.join(", ")}, got ${JSON.stringify(identifier)}`,
    ]);
  const installed = dirname(require.resolve("aws-lambda-ric/package.json"));
  const nativeAddon = join(installed, "rapid-client.node");
  const addon = chooseAddon(nativeAddon, environment[ADDON_VARIABLE]);
  if (identifier === INSTALLED) {
    // Where AWS has its SDK: it must be there to be mounted on.
    mkdirSync(join(installed, "node_modules"), { recursive: true });
    return { identifier, nodejs: { ...findNode(24), client: installed, clientVersion: versionOf(installed), addon } };
  }
  const { lang, client } = await fetchRuntime(identifier, say, environment);
  // Version 3's own addon needs more tools and twice the time to build; version 4's has the same three functions.
  if (addon === "native") copyFileSync(nativeAddon, join(client, "dist", "rapid-client.node"));
  const nodeVersion = `v${versionOf(lang)}`;
  return { identifier, nodejs: { lang, nodeVersion, client, clientVersion: versionOf(client), addon } };
}

/** One sentence for the person at the terminal: what runs the function. */
export function describeRuntime({ identifier, nodejs }: Runtime): string {
  if (nodejs === undefined) return `${identifier}: the function's own bootstrap`;
  const addon =
    nodejs.addon === "native"
      ? `${nodejs.clientVersion.startsWith("3.") ? "version 4's" : "its"} native addon`
      : "a JavaScript stand-in for its native addon (npm run build:native builds that)";
  return `${identifier}: Node.js ${nodejs.nodeVersion}, aws-lambda-ric ${nodejs.clientVersion} with ${addon}`;
}

function versionOf(directory: string): string {
  const { version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as { version: string };
  return version;
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

function findNode(major: number): Pick<NodejsRuntime, "lang" | "nodeVersion"> {
  const pinned = findPinnedNode();
  if (pinned?.nodeVersion.startsWith(`v${major}.`)) return pinned;
  if (process.version.startsWith(`v${major}.`))
    return { lang: dirname(dirname(process.execPath)), nodeVersion: process.version };
  throw new ConfigurationError([
    `runtime nodejs${major}.x: expected Node.js ${major}, found ${pinned?.nodeVersion ?? process.version}`,
  ]);
}

function findPinnedNode(): Pick<NodejsRuntime, "lang" | "nodeVersion"> | undefined {
  try {
    const lang = dirname(require.resolve(`node-${process.platform}-${process.arch}/package.json`));
    return { lang, nodeVersion: `v${versionOf(lang)}` };
  } catch {
    return undefined;
  }
}
