import type { Message as AmqpMessage, ChannelModel, ConfirmChannel } from "amqplib";
import type { BrokerAddress } from "./broker-address.ts";
import { closeWithin, GOODBYE_LIMIT, openAtAnyNode, within } from "./broker-connection.ts";

/** A message to one queue: its body is the bare crash id. */
export interface CrashMessage {
  readonly id: string;
  readonly queue: string;
}

/** Why a message is not known to be in its queue. The same word is log field and part of the error's text. */
export type PublishFailureReason =
  | "unroutable"
  | "rejected by the broker"
  | "broker blocked"
  | "connection lost"
  | "cannot connect"
  | "access refused"
  | "certificate refused"
  | "no credentials"
  | "no confirm in time";

/** AMQP's reply code for something that this user may not do, such as to publish. */
const ACCESS_REFUSED = 403;

/** One connection with one channel in confirm mode. Once not alive it stays so: open another. */
export class BrokerLink {
  readonly #connection: ChannelModel;
  readonly #channel: ConfirmChannel;
  readonly #returned = new Set<string>();
  #alive = true;
  #blocked = false;
  #lastUsed = performance.now();
  #lost: Error | undefined;

  private constructor(connection: ChannelModel, channel: ConfirmChannel) {
    this.#connection = connection;
    this.#channel = channel;
    const lose = (error?: Error): void => {
      this.#alive = false;
      this.#lost ??= error;
    };
    connection.on("error", lose);
    connection.on("close", lose);
    connection.on("blocked", () => {
      this.#blocked = true;
    });
    connection.on("unblocked", () => {
      this.#blocked = false;
    });
    channel.on("error", lose);
    channel.on("close", lose);
    channel.on("return", (message: AmqpMessage) => {
      this.#returned.add(identify(String(message.properties.messageId), message.fields.routingKey));
    });
  }

  /** Opens a link before `deadline` (ms since the epoch). Rejects with a RefusedError or a reason to try again. */
  static async open(address: BrokerAddress, deadline: number): Promise<BrokerLink> {
    return openAtAnyNode(
      address,
      deadline,
      async (connection) => new BrokerLink(connection, await connection.createConfirmChannel()),
    );
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Why the link was lost, and what the broker or the network said. */
  get loss(): { readonly reason: PublishFailureReason; readonly detail: string } {
    const isRefusal = (this.#lost as { readonly code?: unknown } | undefined)?.code === ACCESS_REFUSED;
    return { reason: isRefusal ? "access refused" : "connection lost", detail: this.#lost?.message ?? "closed" };
  }

  /** Milliseconds since the link last carried something. */
  get idle(): number {
    return performance.now() - this.#lastUsed;
  }

  /** One round trip; false when there was no answer in `limit` ms. */
  async verify(limit: number): Promise<boolean> {
    try {
      await within(limit, this.#channel.prefetch(1));
      return this.#alive;
    } catch {
      return false;
    }
  }

  /** Publishes all at once, then waits for all confirms until `deadline` (ms since the epoch); says which failed and why. */
  async publish(messages: readonly CrashMessage[], deadline: number): Promise<Map<CrashMessage, PublishFailureReason>> {
    const failed = new Map<CrashMessage, PublishFailureReason>();
    const unsettled = new Set(messages);
    const timestamp = Math.floor(Date.now() / 1000);
    const settled = new Promise<void>((resolve) => {
      const settle = (message: CrashMessage, reason: PublishFailureReason | undefined): void => {
        if (!unsettled.delete(message)) return;
        if (reason !== undefined) failed.set(message, reason);
        if (unsettled.size === 0) resolve();
      };
      for (const message of messages) this.#send(message, timestamp, (reason) => settle(message, reason));
    });
    await within(deadline - Date.now(), settled).catch(() => {});
    for (const message of unsettled) failed.set(message, this.#blocked ? "broker blocked" : "no confirm in time");
    unsettled.clear();
    this.#returned.clear();
    this.#lastUsed = performance.now();
    return failed;
  }

  #send(
    { id, queue }: CrashMessage,
    timestamp: number,
    settle: (reason: PublishFailureReason | undefined) => void,
  ): void {
    const options = { mandatory: true, persistent: true, messageId: id, timestamp, appId: "pigeon" };
    try {
      // The default exchange: the routing key is the queue's name. An unroutable message is returned before it is confirmed.
      this.#channel.publish("", queue, Buffer.from(id, "latin1"), options, (error: unknown) => {
        if (error) settle(/nacked/.test(String(error)) ? "rejected by the broker" : "connection lost");
        else settle(this.#returned.has(identify(id, queue)) ? "unroutable" : undefined);
      });
    } catch {
      this.#alive = false;
      settle("connection lost");
    }
  }

  /** Closes without waiting: politely if the broker answers soon, else by cutting the socket. */
  destroy(): void {
    this.#alive = false;
    void closeWithin(GOODBYE_LIMIT, this.#connection);
  }
}

function identify(id: string, queue: string): string {
  return `${id}\n${queue}`;
}
