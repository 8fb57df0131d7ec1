import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import type { BrokerAddress } from "../../src/queue/broker-address.ts";
import { Queues } from "../../src/queue/queues.ts";
import { brokerAddress } from "./amqp.ts";

/** The RabbitMQ that the test run shares. */
export function testBroker(): BrokerAddress {
  const { host, port, ...credentials } = brokerAddress();
  return { nodes: [{ host, port }], ...credentials };
}

/** Queues of the shared broker, closed after the test. */
export async function openQueues(t: TestContext): Promise<Queues> {
  const queues = await Queues.open(testBroker());
  t.after(() => queues.close());
  return queues;
}

/** A queue of the test's own, deleted after it. */
export async function makeQueue(t: TestContext, queues: Queues): Promise<string> {
  const name = `test.${randomUUID()}`;
  await queues.declare(name);
  t.after(async () => {
    const own = await Queues.open(testBroker());
    await own.delete(name);
    await own.close();
  });
  return name;
}

/** Everything in a queue, which is then empty. */
export async function takeAll(queues: Queues, name: string): Promise<string[]> {
  const items: string[] = [];
  await queues.drain(name, Number.MAX_SAFE_INTEGER, (body) => items.push(body));
  return items;
}
