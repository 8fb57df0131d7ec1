import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";

export const LOOPBACK = "127.0.0.1";

/** Where a node listens, all on loopback. */
export interface Ports {
  readonly amqp: number;
  readonly distribution: number;
  readonly epmd: number;
}

/** The ports of the last time where they are still free, else others. */
export async function choosePorts(directory: string): Promise<Ports> {
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
