import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import amqp, { type Channel, type ChannelModel } from "amqplib";
import { control } from "../../src/local/broker/control.ts";
import { findServer, THIS_MACHINE } from "../../src/local/broker/installation.ts";
import { choosePorts } from "../../src/local/broker/ports.ts";
import { signal, terminate, untilReaped } from "../../src/local/broker/process.ts";
import { type ClusterMembership, startEpmd, startNode, stopNode } from "../../src/local/broker/rabbitmq-node.ts";
import type { BrokerState } from "../../src/local/broker/state.ts";
import { isRunning } from "../../src/ops/process.ts";
import type { BrokerAddress, BrokerNode } from "../../src/queue/broker-address.ts";
import { within } from "./until.ts";

const CREDENTIALS = { user: "pigeon", password: "pigeon", virtualHost: "crashes" };

/** Milliseconds until a node is ready: three at once on two busy cores take their time. */
const START_LIMIT = 90_000;

/** One question to a node that is well; ms. */
const ANSWER_LIMIT = 30_000;

/** Channels that empty a queue together. */
const TAKERS = 8;

type NodeState = BrokerState & { readonly how: "node" };

/** A real RabbitMQ, of one node or a cluster of three, that may be killed, paused and alarmed. */
export class PrivateBroker {
  readonly nodes: readonly PrivateNode[];
  readonly #directory: string;
  readonly #epmdPid: number;
  readonly #epmdPort: number;

  private constructor(nodes: readonly PrivateNode[], directory: string, epmdPid: number, epmdPort: number) {
    this.nodes = nodes;
    this.#directory = directory;
    this.#epmdPid = epmdPid;
    this.#epmdPort = epmdPort;
  }

  /** RabbitMQ must be installed: the test run, and `pigeon up`, see to that. */
  static async start(size: 1 | 3): Promise<PrivateBroker> {
    const server = findServer(THIS_MACHINE);
    if (server === undefined) throw new Error("RabbitMQ is not installed: npm start -- --once installs it");
    const directory = mkdtempSync(join(tmpdir(), "pigeon-broker-"));
    const { epmd } = await choosePorts(directory);
    const epmdPid = await startEpmd(epmd);
    const cookie = randomBytes(12).toString("hex");
    const mark = randomBytes(4).toString("hex");
    const members = Array.from({ length: size }, (_, n) => `pigeon-${mark}-${n + 1}@localhost`);
    const nodes = members.map((nodeName, n) => {
      const folder = join(directory, String(n + 1));
      mkdirSync(folder);
      return new PrivateNode(server, folder, { nodeName, members, cookie, epmdPort: epmd });
    });
    const broker = new PrivateBroker(nodes, directory, epmdPid, epmd);
    try {
      const starts = await Promise.allSettled(nodes.map((node) => node.start()));
      for (const start of starts) if (start.status === "rejected") throw start.reason;
    } catch (error) {
      await broker.stop();
      throw error;
    }
    return broker;
  }

  get address(): BrokerAddress {
    return { nodes: this.nodes.map(({ address }) => address), ...CREDENTIALS };
  }

  /** Pigeon's variables. */
  environment(queues: string): Record<string, string> {
    const { user, password, virtualHost } = CREDENTIALS;
    return {
      PIGEON_HOST: this.nodes.map(({ address: { host, port } }) => `${host}:${port}`).join(","),
      PIGEON_USER: user,
      PIGEON_PASSWORD: password,
      PIGEON_VIRTUAL_HOST: virtualHost,
      PIGEON_QUEUE: queues,
      PIGEON_ENV: "test",
    };
  }

  /** Creates a durable quorum queue, or another kind with these arguments. */
  async declare(
    queue: string,
    queueArguments: Readonly<Record<string, unknown>> = { "x-queue-type": "quorum" },
  ): Promise<void> {
    await this.#withChannel((channel) => channel.assertQueue(queue, { durable: true, arguments: queueArguments }));
  }

  /**
   * Has every node write down which queues it has. RabbitMQ 3.10 does so some seconds after a queue was declared, and without
   * it the queue has no leader after a SIGKILL.
   */
  async settle(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.control("eval", "dets:sync(ra_directory_reverse).")));
  }

  /** Everything in a queue, which is then empty; or what was in it at first, while others go on to publish. */
  async take(queue: string, { isBusy = false } = {}): Promise<string[]> {
    const items: string[] = [];
    await this.#withConnection(async (connection) => {
      const most = isBusy ? await countMessages(connection, queue) : Number.POSITIVE_INFINITY;
      let asked = 0;
      const takeUntilEmpty = async (): Promise<void> => {
        const channel = await connection.createChannel();
        const get = () => within(ANSWER_LIMIT, `a message of ${queue}`, channel.get(queue));
        // Only the queue's own word that it is empty counts.
        while (asked++ < most) {
          const message = await get();
          if (message === false) break;
          items.push(message.content.toString());
          channel.ack(message);
        }
        await channel.close();
      };
      await Promise.all(Array.from({ length: TAKERS }, takeUntilEmpty));
    });
    return items;
  }

  /** With whatever is in it. */
  async delete(queue: string): Promise<void> {
    await this.#withChannel((channel) => channel.deleteQueue(queue));
  }

  async #withChannel(work: (channel: Channel) => Promise<unknown>): Promise<void> {
    await this.#withConnection(async (connection) => {
      const channel = await connection.createChannel();
      await work(channel);
      await channel.close();
    });
  }

  async #withConnection(work: (connection: ChannelModel) => Promise<unknown>): Promise<void> {
    const [node] = this.nodes;
    if (node === undefined) throw new Error("a broker has at least one node");
    const { user, password, virtualHost } = CREDENTIALS;
    const { host, port } = node.address;
    const target = { hostname: host, port, username: user, password, vhost: virtualHost };
    const connection = await amqp.connect(target, { noDelay: true });
    try {
      await work(connection);
    } finally {
      await connection.close();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    const mark = `-port ${this.#epmdPort}`;
    if (isRunning(this.#epmdPid, mark)) await terminate(this.#epmdPid, mark, 1000);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function countMessages(connection: ChannelModel, queue: string): Promise<number> {
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue(queue);
  await channel.close();
  return messageCount;
}

/** One node and what can happen to it. */
export class PrivateNode {
  readonly #server: string;
  readonly #directory: string;
  readonly #cluster: ClusterMembership;
  #state: NodeState | undefined;

  constructor(server: string, directory: string, cluster: ClusterMembership) {
    this.#server = server;
    this.#directory = directory;
    this.#cluster = cluster;
  }

  get address(): BrokerNode {
    if (this.#state === undefined) throw new Error("the node has never been started");
    return this.#state.address;
  }

  /** At its first address, if it has run before. */
  async start(): Promise<void> {
    const setting = {
      directory: this.#directory,
      queues: [],
      ...CREDENTIALS,
      timeout: START_LIMIT,
      cluster: this.#cluster,
    };
    const port = this.#state?.address.port;
    const state = (await startNode(this.#server, setting)) as NodeState;
    this.#state = state;
    if (port !== undefined && port !== state.address.port)
      throw new Error(`${this.#cluster.nodeName} has lost its port ${port}`);
  }

  /** SIGKILL: nothing is said good-bye to, nothing is flushed. */
  async kill(): Promise<void> {
    const { pid } = this.#running();
    signal(pid, "SIGKILL");
    await untilReaped(pid);
  }

  /** The process stands still, its sockets stay open. */
  pause(): void {
    signal(this.#running().pid, "SIGSTOP");
  }

  resume(): void {
    signal(this.#running().pid, "SIGCONT");
  }

  /** A memory or disk alarm blocks every connection that publishes, until it is cleared. */
  async alarm(kind: "memory" | "disk", isOn: boolean): Promise<void> {
    if (kind === "memory") await this.control("set_vm_memory_high_watermark", isOn ? "0.000001" : "0.4");
    else await this.control("set_disk_free_limit", isOn ? "1000000GB" : "50MB");
  }

  /** Runs rabbitmqctl. */
  control(...args: readonly string[]): Promise<string> {
    const { nodeName, epmdPort } = this.#cluster;
    return control(this.#server, { directory: this.#directory, nodeName, epmdPort }, ...args);
  }

  async stop(): Promise<void> {
    if (this.#state === undefined) return;
    signal(this.#state.pid, "SIGCONT");
    await stopNode(this.#state);
  }

  #running(): NodeState {
    if (this.#state === undefined || !isRunning(this.#state.pid, this.#state.mark))
      throw new Error(`${this.#cluster.nodeName} does not run`);
    return this.#state;
  }
}
