import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StackError } from "../../ops/errors.ts";
import { openConnection } from "./amqp-handshake.ts";
import type { BrokerAddress } from "./broker-address.ts";
import { isRunning, signal, terminate } from "./process.ts";
import type { BrokerState } from "./state.ts";

/** Milliseconds between two tries to open a connection while the broker starts. */
const READY_POLL = 50;

/** One try to open a connection; ms. */
const HANDSHAKE_LIMIT = 2000;

/** How long a broker may take to end by itself; ms. */
const STOP_PATIENCE = 10_000;

const LOOPBACK = "127.0.0.1";

/** What a broker needs to exist from its first moment on. */
export interface NodeSetting {
  readonly directory: string;
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
  readonly queues: readonly string[];
  /** Milliseconds from start to ready. */
  readonly timeout: number;
}

interface Ports {
  readonly amqp: number;
  readonly distribution: number;
  readonly epmd: number;
}

/**
 * Starts a private RabbitMQ node with its own data and ports, all on loopback, and resolves when it opens a connection. The
 * node outlives this process. Rejects with a StackError that holds the end of its log; then nothing is left running.
 */
export async function startNode(server: string, setting: NodeSetting): Promise<BrokerState> {
  const { directory } = setting;
  const nodeName = `pigeon-${createHash("sha256").update(directory).digest("hex").slice(0, 12)}@localhost`;
  const ports = await choosePorts(directory);
  await writeFiles(setting, ports);
  const epmdPid = await startEpmd(server, ports.epmd);
  const { user, password, virtualHost } = setting;
  const address: BrokerAddress = { host: LOOPBACK, port: ports.amqp, user, password, virtualHost };
  try {
    const pid = await startServer(server, setting, nodeName, ports, address);
    return { address, how: "node", pid, mark: `-home ${directory} `, epmdPid, epmdMark: `-port ${ports.epmd}` };
  } catch (error) {
    signal(epmdPid, "SIGKILL");
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

async function writeFiles({ directory, ...wanted }: NodeSetting, ports: Ports): Promise<void> {
  const file = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text, { mode: 0o600 });
  await file("enabled_plugins", "[].\n");
  await file("rabbitmq-env.conf", "");
  await file("definitions.json", makeDefinitions(wanted));
  await file(
    "rabbitmq.conf",
    [
      `listeners.tcp.default = ${LOOPBACK}:${ports.amqp}`,
      `load_definitions = ${join(directory, "definitions.json")}`,
      "log.file = false",
      "log.console = true",
      "",
    ].join("\n"),
  );
  await file("ports.json", JSON.stringify(ports));
}

/** User, virtual host, permissions and queues, taken over at every start; guest is not made. */
export function makeDefinitions({
  user,
  password,
  virtualHost,
  queues,
}: Pick<NodeSetting, "user" | "password" | "virtualHost" | "queues">): string {
  const salt = randomBytes(4);
  const hash = createHash("sha256").update(salt).update(password).digest();
  return JSON.stringify({
    users: [
      {
        name: user,
        password_hash: Buffer.concat([salt, hash]).toString("base64"),
        hashing_algorithm: "rabbit_password_hashing_sha256",
        tags: "administrator",
      },
    ],
    vhosts: [{ name: virtualHost }],
    permissions: [{ user, vhost: virtualHost, configure: ".*", write: ".*", read: ".*" }],
    queues: queues.map((name) => ({
      name,
      vhost: virtualHost,
      durable: true,
      auto_delete: false,
      arguments: { "x-queue-type": "quorum" },
    })),
  });
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
async function startEpmd(server: string, port: number): Promise<number> {
  const child = spawn("epmd", ["-address", LOOPBACK, "-port", String(port)], { detached: true, stdio: "ignore" });
  child.unref();
  const failed = once(child, "error").then(([error]) => String(error));
  const started = once(child, "spawn").then(() => "");
  const failure = await Promise.race([failed, started]);
  if (failure !== "") throw new StackError(`epmd, which belongs to ${server}, does not start: ${failure}`);
  return child.pid as number;
}

/** The ports of the last time where they are still free, else others. */
async function choosePorts(directory: string): Promise<Ports> {
  const last = JSON.parse(await readFile(join(directory, "ports.json"), "utf8").catch(() => "{}")) as Partial<Ports>;
  const amqp = await freePort(last.amqp);
  const distribution = await freePort(last.distribution);
  return { amqp, distribution, epmd: await freePort(last.epmd) };
}

async function freePort(wanted = 0): Promise<number> {
  const server = createServer();
  try {
    server.listen(wanted, LOOPBACK);
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  } catch (error) {
    if (wanted === 0) throw error;
    return freePort();
  } finally {
    server.close();
  }
}
