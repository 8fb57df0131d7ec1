import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, globSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { StackError } from "../../ops/errors.ts";

const run = promisify(execFile);

/** Where packages put the server itself. Debian's /usr/sbin/rabbitmq-server is a wrapper that changes the user: not that one. */
const SERVER_PATHS = [
  "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server",
  "/usr/lib/rabbitmq/bin/rabbitmq-server",
  "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
  "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
  "/opt/rabbitmq/sbin/rabbitmq-server",
];

/** Bounds of an installation: all of it, and between two signs of life; ms. */
const INSTALL_LIMIT = 300_000;
const PROGRESS_INTERVAL = 3000;

const WHAT_TO_DO =
  "install it (Debian: sudo apt-get install -y --no-install-recommends rabbitmq-server; macOS: brew install rabbitmq), " +
  "start Docker, or set PIGEON_HOST to a broker that you have";

/** Where to look; tests look elsewhere. */
export interface SearchPlaces {
  readonly servers: readonly string[];
  /** For docker, apt-get and brew. */
  readonly path: string;
  readonly isRoot: boolean;
  /** The program that Debian's packages ask whether they may start a service. */
  readonly servicePolicy: string;
}

export const THIS_MACHINE: SearchPlaces = {
  servers: SERVER_PATHS,
  path: process.env.PATH ?? "",
  isRoot: process.getuid?.() === 0,
  servicePolicy: "/usr/sbin/policy-rc.d",
};

/** Path of a rabbitmq-server that can be started privately. */
export function findServer(places: SearchPlaces): string | undefined {
  for (const pattern of places.servers) {
    const [newest] = globSync(pattern).sort().reverse();
    if (newest !== undefined) return newest;
  }
  return undefined;
}

/** Path of a program, as a shell would find it. */
export function findProgram(name: string, places: SearchPlaces): string | undefined {
  return places.path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** Installs RabbitMQ with the system's package manager, saying so; where that cannot be, says what to do. */
export async function installServer(
  directory: string,
  places: SearchPlaces,
  say: (sentence: string) => void,
): Promise<string> {
  const log = join(directory, "installation.log");
  const aptGet = findProgram("apt-get", places);
  const brew = findProgram("brew", places);
  if (aptGet !== undefined && places.isRoot) {
    say(`RabbitMQ is not on this machine: installing it with apt-get (about 35 MB); log in ${log}`);
    await withoutServices(places.servicePolicy, () => installWithApt(aptGet, log, say));
  } else if (brew !== undefined) {
    say(`RabbitMQ is not on this machine: installing it with Homebrew; log in ${log}`);
    await runLogged(brew, ["install", "rabbitmq"], log, say);
  } else {
    throw new StackError(`there is no RabbitMQ on this machine: ${WHAT_TO_DO}`);
  }
  const server = findServer(places);
  if (server === undefined)
    throw new StackError(`RabbitMQ was installed but is not found: see ${log}, or ${WHAT_TO_DO}`);
  return server;
}

/** The package would start a broker for the whole machine, which listens on all interfaces: meanwhile that is forbidden. */
async function withoutServices(servicePolicy: string, install: () => Promise<void>): Promise<void> {
  const own = await writeFile(servicePolicy, "#!/bin/sh\nexit 101\n", { flag: "wx", mode: 0o755 }).then(
    () => true,
    () => false, // there is a policy already, as in containers: it stays
  );
  try {
    await install();
  } finally {
    if (own) await rm(servicePolicy, { force: true });
  }
}

async function installWithApt(aptGet: string, log: string, say: (sentence: string) => void): Promise<void> {
  const known = await run("apt-cache", ["policy", "rabbitmq-server"]).then(
    ({ stdout }) => /Candidate: (?!\(none\))/.test(stdout),
    () => false,
  );
  if (!known) await runLogged(aptGet, ["update"], log, say);
  const install = ["install", "-y", "--no-install-recommends", "rabbitmq-server"];
  await runLogged(aptGet, install, log, say).catch(async () => {
    // An old list of packages names files that are gone from the mirror.
    await runLogged(aptGet, ["update"], log, say);
    await runLogged(aptGet, install, log, say);
  });
}

async function runLogged(
  program: string,
  args: readonly string[],
  log: string,
  say: (sentence: string) => void,
): Promise<void> {
  const started = Date.now();
  const output = createWriteStream(log, { flags: "a" });
  await once(output, "open");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = spawn(program, args, { env, stdio: ["ignore", output, output], timeout: INSTALL_LIMIT });
  const progress = setInterval(
    () => say(`still installing (${Math.round((Date.now() - started) / 1000)} s): ${program} ${args[0]}`),
    PROGRESS_INTERVAL,
  );
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    if (code === 0) return;
    const lines = (await readFile(log, "utf8")).trim().split("\n");
    throw new StackError(
      `${program} ${args.join(" ")} ended with ${code ?? signal}: ${lines.at(-1)} (log in ${log}); ${WHAT_TO_DO}`,
    );
  } finally {
    clearInterval(progress);
    output.end();
  }
}
