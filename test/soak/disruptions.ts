import { setTimeout as delay } from "node:timers/promises";
import type { AmqpProxy } from "../helpers/amqp-proxy.ts";
import type { PrivateBroker } from "../helpers/private-broker.ts";
import type { Random } from "./random.ts";

/** What can be disrupted: each node of the broker lies behind the proxy of the same index. */
export interface Disrupted {
  readonly broker: PrivateBroker;
  readonly proxies: readonly AmqpProxy[];
  readonly queues: readonly string[];
  /** No event is under way, and every queue is empty, while `work` runs. */
  readonly whileEmpty: (work: () => Promise<void>) => Promise<void>;
}

/** Goes wrong for a while, and is right again when it resolves. */
type Disruption = (disrupted: Disrupted, random: Random) => Promise<void>;

export const DISRUPTIONS: Readonly<Record<string, Disruption>> = {
  /** SIGKILL to a node; it starts again after a while. */
  async kill({ broker }, random) {
    const node = random.pick(broker.nodes);
    await node.kill();
    await delay(random.between(0, 2000));
    await node.start();
  },

  /** A node stands still. */
  async pause({ broker }, random) {
    const node = random.pick(broker.nodes);
    node.pause();
    await delay(random.between(500, 6000));
    node.resume();
  },

  /** Memory or disk run out: whoever publishes is blocked. */
  async alarm({ broker }, random) {
    const node = random.pick(broker.nodes);
    const kind = random.pick(["memory", "disk"] as const);
    await node.alarm(kind, true);
    await delay(random.between(0, 4000));
    await node.alarm(kind, false);
  },

  /** Links are cut, ten times, around the next publish. */
  async cut({ proxies }, random) {
    for (let n = 0; n < 10; n++) {
      random.pick(proxies).cutAt(random.pick(["before", "during", "after"]));
      await delay(random.between(0, 200));
    }
  },

  /** Answers no longer come through, then the links break. */
  async swallow({ proxies }, random) {
    const proxy = random.pick(proxies);
    void proxy.swallowAnswers();
    await delay(random.between(500, 3000));
    proxy.reset();
  },

  /** A queue is not there for a while. */
  async missing({ broker, queues, whileEmpty }, random) {
    const queue = random.pick(queues);
    await whileEmpty(() => broker.delete(queue));
    await delay(random.between(500, 3000));
    await broker.declare(queue);
    await broker.settle();
  },
};
