import type { Channel, ChannelModel } from "amqplib";
import { StackError } from "../ops/errors.ts";
import type { BrokerAddress } from "./broker-address.ts";
import { closeWithin, openAtAnyNode, within } from "./broker-connection.ts";

/** The longest that one question to the broker may take; ms. */
const ANSWER_LIMIT = 10_000;

/** A broker's queues, for operators and tests. Errors name the queue. Close it after use. */
export class Queues {
  readonly #connection: ChannelModel;

  private constructor(connection: ChannelModel) {
    this.#connection = connection;
    connection.on("error", () => {});
  }

  static async open(address: BrokerAddress): Promise<Queues> {
    try {
      return await openAtAnyNode(address, Date.now() + ANSWER_LIMIT, async (connection) => new Queues(connection));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StackError(`cannot open a connection to the broker: ${reason}`, { cause });
    }
  }

  /** Creates a durable quorum queue; one that exists already, of whatever type, is left as it is. */
  async declare(name: string): Promise<void> {
    if (await this.#exists(name)) return;
    const declare = (channel: Channel) =>
      within(ANSWER_LIMIT, channel.assertQueue(name, { durable: true, arguments: { "x-queue-type": "quorum" } }));
    await this.#ask(name, declare);
  }

  /** The number of messages that are ready in the queue. */
  async count(name: string): Promise<number> {
    const { messageCount } = await this.#ask(name, (channel) => within(ANSWER_LIMIT, channel.checkQueue(name)));
    return messageCount;
  }

  /** Hands up to `most` messages' bodies to `take`, in order, and removes each when that has returned. */
  async drain(name: string, most: number, take: (body: string) => void): Promise<void> {
    await this.#ask(name, async (channel) => {
      for (let taken = 0; taken < most; taken++) {
        const message = await within(ANSWER_LIMIT, channel.get(name));
        if (message === false) break;
        take(message.content.toString());
        channel.ack(message);
      }
    });
  }

  /** The bodies of up to `most` messages, which go back into the queue: counted as delivered once more, not always in their old order. */
  async peek(name: string, most: number): Promise<readonly string[]> {
    return this.#ask(name, async (channel) => {
      const bodies: string[] = [];
      while (bodies.length < most) {
        const message = await within(ANSWER_LIMIT, channel.get(name));
        if (message === false) break;
        bodies.push(message.content.toString());
      }
      channel.nackAll(true);
      return bodies;
    });
  }

  /** Resolves when the broker has confirmed one persistent message; rejects when the queue is missing. */
  async send(name: string, body: string, headers: Readonly<Record<string, string>>): Promise<void> {
    const channel = await within(ANSWER_LIMIT, this.#connection.createConfirmChannel());
    channel.on("error", () => {});
    let isReturned = false;
    channel.on("return", () => {
      isReturned = true;
    });
    channel.publish("", name, Buffer.from(body), { mandatory: true, persistent: true, headers });
    await within(ANSWER_LIMIT, channel.waitForConfirms());
    await within(ANSWER_LIMIT, channel.close());
    if (isReturned) throw new StackError(`queue ${name}: there is no such queue`);
  }

  async delete(name: string): Promise<void> {
    await this.#ask(name, (channel) => within(ANSWER_LIMIT, channel.deleteQueue(name)));
  }

  async close(): Promise<void> {
    await closeWithin(ANSWER_LIMIT, this.#connection);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #exists(name: string): Promise<boolean> {
    try {
      await this.count(name);
      return true;
    } catch {
      return false;
    }
  }

  /** A channel of its own for each question, because the broker closes the channel with every error. */
  async #ask<T>(name: string, question: (channel: Channel) => Promise<T>): Promise<T> {
    try {
      const channel = await within(ANSWER_LIMIT, this.#connection.createChannel());
      channel.on("error", () => {});
      const answer = await question(channel);
      await within(ANSWER_LIMIT, channel.close());
      return answer;
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      const reason = /NOT[-_]FOUND/.test(text) ? "there is no such queue (pigeon queue declare creates it)" : text;
      throw new StackError(`queue ${name}: ${reason}`, { cause });
    }
  }
}
