import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import amqp, { type Channel } from "amqplib";

/** The RabbitMQ that the test run shares, as black-box tests know it. */
interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
}

/** The shared broker's address; throws where there is none. */
export function brokerAddress(): Address {
  const address = process.env.TEST_BROKER;
  if (address === undefined) throw new Error("TEST_BROKER is not set: run the tests with npm test");
  return JSON.parse(address) as Address;
}

/** Pigeon's variables for the shared broker. */
export function pigeonEnvironment(queues: string): Record<string, string> {
  const { host, port, user, password, virtualHost } = brokerAddress();
  return {
    PIGEON_HOST: host,
    PIGEON_PORT: String(port),
    PIGEON_USER: user,
    PIGEON_PASSWORD: password,
    PIGEON_VIRTUAL_HOST: virtualHost,
    PIGEON_QUEUE: queues,
    PIGEON_ENV: "test",
  };
}

/** A name that no other test uses; the queue, if it comes to be, is deleted after the test. */
export function ownQueueName(t: TestContext): string {
  const name = `test.${randomUUID()}`;
  t.after(() => withChannel((channel) => channel.deleteQueue(name)));
  return name;
}

/** Everything in a queue, which is then empty. */
export async function takeItems(name: string): Promise<string[]> {
  const items: string[] = [];
  await withChannel(async (channel) => {
    for (let message = await channel.get(name); message !== false; message = await channel.get(name)) {
      items.push(message.content.toString());
      channel.ack(message);
    }
  });
  return items;
}

async function withChannel(work: (channel: Channel) => Promise<unknown>): Promise<void> {
  const { host, port, user, password, virtualHost } = brokerAddress();
  const vhost = encodeURIComponent(virtualHost);
  const connection = await amqp.connect({ hostname: host, port, username: user, password, vhost }, { noDelay: true });
  try {
    const channel = await connection.createChannel();
    await work(channel);
    await channel.close();
  } finally {
    await connection.close();
  }
}
