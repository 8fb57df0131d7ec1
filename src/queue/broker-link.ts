import type { Duplex } from "node:stream";
import type { Message as AmqpMessage, ChannelModel, ConfirmChannel } from "amqplib";
import amqp from "amqplib";
import type { BrokerAddress } from "./broker-address.ts";

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
  | "no confirm in time";

/** The broker answered "no", and would again: trying once more in the same invocation is of no use. */
export class AccessRefusedError extends Error {
  override readonly name = "AccessRefusedError";
  readonly code = "ERR_ACCESS_REFUSED";
}

/** Seconds. The broker drops a frozen or dead client after two of these, so that connections do not pile up there. */
const HEARTBEAT = 30;

/** How long a broker may take to answer a good-bye; ms. */
const GOODBYE_LIMIT = 500;

/** The longest that one attempt to connect may take; ms. */
const CONNECT_LIMIT = 5000;

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

  /** Opens a connection before `deadline` (ms since the epoch). Rejects with AccessRefusedError or a reason to try again. */
  static async open(address: BrokerAddress, deadline: number): Promise<BrokerLink> {
    const limit = Math.min(CONNECT_LIMIT, deadline - Date.now());
    if (limit <= 0) throw new Error("no time is left to connect");
    const opening = connect(address, limit);
    try {
      return await within(limit, opening);
    } catch (error) {
      // Too late is the same as never: a link that opens after all is closed.
      opening.then(
        (link) => link.destroy(),
        () => {},
      );
      throw describeConnectError(error, address);
    }

    async function connect(to: BrokerAddress, timeout: number): Promise<BrokerLink> {
      const connection = await amqp.connect(
        {
          protocol: "amqp",
          hostname: to.host,
          port: to.port,
          username: to.user,
          password: to.password,
          vhost: encodeURIComponent(to.virtualHost), // the client decodes it
          heartbeat: HEARTBEAT,
        },
        { noDelay: true, timeout, clientProperties: { connection_name: "pigeon" } },
      );
      connection.on("error", () => {});
      try {
        return new BrokerLink(connection, await connection.createConfirmChannel());
      } catch (error) {
        await closeWithin(GOODBYE_LIMIT, connection);
        throw error;
      }
    }
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** What the broker or the network said when the link was lost. */
  get lossDescription(): string {
    return this.#lost?.message ?? "closed";
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
    closeWithin(GOODBYE_LIMIT, this.#connection).catch(() => {});
  }
}

/** Says good-bye, and cuts the socket when there is no answer in `limit` ms. */
export async function closeWithin(limit: number, connection: ChannelModel): Promise<void> {
  try {
    await within(limit, connection.close());
  } catch {
    const { stream } = connection.connection as unknown as { readonly stream: Duplex };
    stream.destroy();
  }
}

function identify(id: string, queue: string): string {
  return `${id}\n${queue}`;
}

/** Rejects when `promise` has not settled after `limit` ms. */
export async function within<T>(limit: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer within ${Math.max(0, Math.round(limit))} ms`)),
      Math.max(0, limit),
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One sentence without secrets; what amqplib says for a refused login and an unknown virtual host is told apart. */
function describeConnectError(error: unknown, { host, port, user }: BrokerAddress): Error {
  const message = error instanceof Error ? error.message : String(error);
  const to = `broker ${host}:${port}`;
  if (/ACCESS[-_]REFUSED/.test(message))
    return new AccessRefusedError(`${to} refuses user ${JSON.stringify(user)} with the configured password`);
  if (/NOT[-_]ALLOWED|ConnectionOpenOk; got|vhost/.test(message))
    return new AccessRefusedError(`${to} refuses the configured virtual host to user ${JSON.stringify(user)}`);
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return new Error(`${to}: ${code ?? message}`, { cause: error });
}
