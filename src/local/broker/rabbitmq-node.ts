import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StackError } from "../../ops/errors.ts";
import { isRunning } from "../../ops/process.ts";
import { openConnection } from "./amqp-handshake.ts";
import type { BrokerAddress } from "./broker-address.ts";
import { type Definitions, makeDefinitions } from "./definitions.ts";
import { choosePorts, LOOPBACK, type Ports } from "./ports.ts";
import { signal, terminate } from "./process.ts";
import type { BrokerState } from "./state.ts";

/** Milliseconds between two tries to open a connection while the broker starts. */
const READY_POLL = 50;

/** One try to open a connection; ms. */
const HANDSHAKE_LIMIT = 2000;

/** How long a broker may take to end by itself; ms. */
const STOP_PATIENCE = 10_000;

export interface NodeSetting extends Definitions {
  readonly directory: string;
  /** Milliseconds from start to ready. */
  readonly timeout: number;
  /** The cluster that it forms with others at its first start; default it is alone. */
  readonly cluster?: ClusterMembership | undefined;
}

/** What a node must know to find the others, all on this machine. */
export interface ClusterMembership {
  /** This node's, such as `pigeon-1@localhost`; it is among the members. */
  readonly nodeName: string;
  readonly members: readonly string[];
  /** Erlang's shared secret, letters and digits. */
  readonly cookie: string;
  /** Port of the epmd that all share and that somebody else starts and stops. */
  readonly epmdPort: number;
}

/**
 * Starts a private RabbitMQ node with its own data and ports, all on loopback, and resolves when it opens a connection. The
 * node outlives this process. Rejects with a StackError that holds the end of its log; then nothing is left running.
 */
export async function startNode(server: string, setting: NodeSetting): Promise<BrokerState> {
  const { directory, cluster } = setting;
  const nodeName =
    cluster?.nodeName ?? `pigeon-${createHash("sha256").update(directory).digest("hex").slice(0, 12)}@localhost`;
  const chosen = await choosePorts(directory);
  const ports = { ...chosen, epmd: cluster?.epmdPort ?? chosen.epmd };
  await writeFiles(setting, ports);
  const epmdPid = cluster === undefined ? await startEpmd(ports.epmd) : 0;
  const { user, password, virtualHost } = setting;
  const address: BrokerAddress = { host: LOOPBACK, port: ports.amqp, user, password, virtualHost };
  try {
    const pid = await startServer(server, setting, nodeName, ports, address);
    return { address, how: "node", pid, mark: `-home ${directory} `, epmdPid, epmdMark: `-port ${ports.epmd}` };
  } catch (error) {
    if (epmdPid > 0) signal(epmdPid, "SIGKILL");
    throw error;
  }
}

/** Stops a node and its epmd; what is gone already is no error. */
export async function stopNode(state: BrokerState & { readonly how: "node" }): Promise<void> {
  if (isRunning(state.pid, state.mark)) await terminate(state.pid, state.mark, STOP_PATIENCE);
  if (isRunning(state.epmdPid, state.epmdMark)) await terminate(state.epmdPid, state.epmdMark, 1000);
}

async function startServer(
  server: string,
  setting: NodeSetting,
  nodeName: string,
  ports: Ports,
  address: BrokerAddress,
): Promise<number> {
  const { directory, timeout } = setting;
  const logPath = join(directory, "rabbitmq.log");
  const log = openSync(logPath, "w", 0o600);
  const plugins = await makePluginFolder(server, directory);
  const env = makeEnvironment(directory, nodeName, ports, plugins);
  const child = spawn(server, { cwd: directory, env, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  child.unref();
  let ended = "";
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code, by) => {
    ended ||= `ended with ${by ?? code}`;
  });
  const deadline = Date.now() + timeout;
  for (let reason = "not started"; ; await delay(READY_POLL)) {
    const failure = ended !== "" ? ended : Date.now() > deadline ? `not ready after ${timeout} ms: ${reason}` : "";
    if (failure !== "") {
      if (child.pid !== undefined) signal(-child.pid, "SIGKILL");
      throw new StackError(`RabbitMQ does not start: ${failure}; ${await lastWords(logPath)} (log in ${logPath})`);
    }
    try {
      await openConnection(address, HANDSHAKE_LIMIT);
      child.removeAllListeners();
      return child.pid as number;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
}

/** The last lines of a log that say something, in one line. */
async function lastWords(logPath: string): Promise<string> {
  const lines = (await readFile(logPath, "utf8").catch(() => "")).split("\n");
  const telling = lines.filter((line) => /error|eaddrinuse|permission|denied|failed|cannot/i.test(line));
  return (telling.length > 0 ? telling : lines.filter((line) => line.trim() !== ""))
    .slice(-3)
    .join(" | ")
    .slice(0, 500);
}

/** Only what the server needs, so that it is the same on every machine; the systemd switch makes the script become the server. */
function makeEnvironment(
  directory: string,
  nodeName: string,
  ports: Ports,
  plugins: string | undefined,
): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    LANG: "C.UTF-8",
    HOME: directory,
    RUNNING_UNDER_SYSTEMD: "1",
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: join(directory, "rabbitmq-env.conf"),
    RABBITMQ_MNESIA_BASE: join(directory, "mnesia"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "enabled_plugins"),
    RABBITMQ_GENERATED_CONFIG_DIR: join(directory, "generated"),
    RABBITMQ_PID_FILE: join(directory, "pid"),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: LOOPBACK,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    ...(plugins === undefined ? {} : { RABBITMQ_PLUGINS_DIR: plugins }),
  };
}

async function writeFiles({ directory, cluster, ...wanted }: NodeSetting, ports: Ports): Promise<void> {
  const file = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text, { mode: 0o600 });
  await file("enabled_plugins", "[].\n");
  if (cluster !== undefined) await writeCookie(directory, cluster.cookie);
  await file("rabbitmq-env.conf", "");
  await file("definitions.json", makeDefinitions(wanted));
  await file(
    "rabbitmq.conf",
    [
      `listeners.tcp.default = ${LOOPBACK}:${ports.amqp}`,
      `load_definitions = ${join(directory, "definitions.json")}`,
      "log.file = false",
      "log.console = true",
      ...describeCluster(cluster),
      "",
    ].join("\n"),
  );
  await file("ports.json", JSON.stringify(ports));
}

function describeCluster(cluster: ClusterMembership | undefined): string[] {
  if (cluster === undefined) return [];
  const members = cluster.members.map((name, n) => `cluster_formation.classic_config.nodes.${n + 1} = ${name}`);
  return ["cluster_formation.peer_discovery_backend = classic_config", ...members];
}

/** Erlang wants it readable by its owner only, and makes it so that it cannot be written twice. */
async function writeCookie(directory: string, cookie: string): Promise<void> {
  const path = join(directory, ".erlang.cookie");
  await rm(path, { force: true });
  await writeFile(path, cookie, { mode: 0o400 });
}

/** Plugins that a bare broker does without: leaving them out saves a third of the start. */
const UNNEEDED = /^(accept|amqp10|base64url|cowboy|cowlib|eetcd|gun|jose|prometheus|rabbitmq_(?!prelaunch))/;

/** A folder of links to the plugins that are needed, or undefined where the layout is not the known one. */
async function makePluginFolder(server: string, directory: string): Promise<string | undefined> {
  const source = join(dirname(dirname(server)), "plugins");
  const entries = await readdir(source).catch(() => []);
  if (!entries.some((entry) => entry.startsWith("rabbitmq_prelaunch"))) return undefined;
  const folder = join(directory, "plugins");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const entry of entries) if (!UNNEEDED.test(entry)) await symlink(join(source, entry), join(folder, entry));
  return folder;
}

/** Started by us, so that its pid is known and it listens on loopback only. */
export async function startEpmd(port: number): Promise<number> {
  const child = spawn("epmd", ["-address", LOOPBACK, "-port", String(port)], { detached: true, stdio: "ignore" });
  child.unref();
  const failed = once(child, "error").then(([error]) => String(error));
  const started = once(child, "spawn").then(() => "");
  const failure = await Promise.race([failed, started]);
  if (failure !== "") throw new StackError(`epmd, which belongs to RabbitMQ, does not start: ${failure}`);
  return child.pid as number;
}
