import type { Duplex } from "node:stream";
import type { ChannelModel } from "amqplib";
import amqp from "amqplib";
import type { BrokerAddress, BrokerNode } from "./broker-address.ts";

/** The broker answered "no", or is not the one that is trusted: trying once more in the same invocation is of no use. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly code = "ERR_REFUSED";
  readonly reason: "access refused" | "certificate refused";

  constructor(reason: RefusedError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The longest that one attempt to connect may take; ms. */
const CONNECT_LIMIT = 5000;

/** How long a broker may take to answer a good-bye; ms. */
export const GOODBYE_LIMIT = 500;

/** Seconds. The broker drops a frozen or dead client after two of these, so that connections do not pile up there. */
const HEARTBEAT = 30;

/** What TLS says of a certificate that it does not take. https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_ERROR = /CERT|ALTNAME|ISSUER|LEAF_SIGNATURE|HOSTNAME_MISMATCH/;

/**
 * Opens something at the first node that answers before `deadline` (ms since the epoch), trying them in turn from a random
 * start. `open` undoes what it has begun when it fails. Rejects with a RefusedError when every node refuses, else with a
 * reason to try again.
 */
export async function openAtAnyNode<T>(
  address: BrokerAddress,
  deadline: number,
  open: (connection: ChannelModel) => Promise<T>,
): Promise<T> {
  const start = Math.floor(Math.random() * address.nodes.length);
  const nodes = [...address.nodes.slice(start), ...address.nodes.slice(0, start)];
  const problems: Error[] = [];
  for (const [index, node] of nodes.entries()) {
    // A node that does not answer must leave time for the others.
    const limit = Math.min(CONNECT_LIMIT, (deadline - Date.now()) / (nodes.length - index));
    if (limit <= 0) break;
    try {
      return await openAtNode(node, address, limit, open);
    } catch (error) {
      problems.push(describeConnectError(error, node, address));
    }
  }
  const [first] = problems;
  if (first === undefined) throw new Error("no time is left to connect");
  if (problems.every((problem) => problem instanceof RefusedError)) throw first;
  throw new Error(problems.map(({ message }) => message).join("; "), { cause: first });
}

async function openAtNode<T>(
  node: BrokerNode,
  address: BrokerAddress,
  limit: number,
  open: (connection: ChannelModel) => Promise<T>,
): Promise<T> {
  const connecting = connect(node, address, limit);
  // Too late is the same as never: a connection that opens after all is closed.
  let connection: ChannelModel | undefined;
  const abandon = (late: ChannelModel): void => void closeWithin(GOODBYE_LIMIT, late);
  const deadline = Date.now() + limit;
  try {
    connection = await within(limit, connecting);
    return await within(deadline - Date.now(), open(connection));
  } catch (error) {
    if (connection !== undefined) abandon(connection);
    else connecting.then(abandon, () => {});
    throw error;
  }
}

async function connect(node: BrokerNode, address: BrokerAddress, timeout: number): Promise<ChannelModel> {
  const { user, password, virtualHost, tls } = address;
  const target = {
    protocol: tls === undefined ? "amqp" : "amqps",
    hostname: node.host,
    port: node.port,
    username: user,
    password,
    vhost: encodeURIComponent(virtualHost), // the client decodes it
    heartbeat: HEARTBEAT,
  };
  const connection = await amqp.connect(target, {
    noDelay: true,
    timeout,
    clientProperties: { connection_name: "pigeon" },
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  });
  connection.on("error", () => {});
  return connection;
}

/** Says good-bye, and cuts the socket when there is no answer in `limit` ms. Never rejects. */
export async function closeWithin(limit: number, connection: ChannelModel): Promise<void> {
  try {
    await within(limit, connection.close());
  } catch {
    const { stream } = connection.connection as unknown as { readonly stream: Duplex };
    stream.destroy();
  }
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
function describeConnectError(error: unknown, { host, port }: BrokerNode, { user }: BrokerAddress): Error {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const to = `broker ${host}:${port}`;
  const who = JSON.stringify(user);
  if (/ACCESS[-_]REFUSED/.test(message))
    return new RefusedError("access refused", `${to} refuses user ${who} with the configured password`);
  if (/NOT[-_]ALLOWED|ConnectionOpenOk; got|vhost/.test(message))
    return new RefusedError("access refused", `${to} refuses the configured virtual host to user ${who}`);
  if (code !== undefined && CERTIFICATE_ERROR.test(code))
    return new RefusedError("certificate refused", `${to}: ${code}: ${message.slice(0, 300)}`, { cause: error });
  // The client's own words for a time limit carry no code.
  return new Error(`${to}: ${code ?? message.replace(/^connect (?=ETIMEDOUT$)/, "")}`, { cause: error });
}
