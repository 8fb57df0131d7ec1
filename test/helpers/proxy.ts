import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** A TCP proxy in front of a server, which can cut its links or swallow what passes. */
export interface Proxy {
  readonly port: number;
  /** Connections taken so far. */
  readonly connections: number;
  /** Ends every link at once with a reset. */
  cut(): void;
  /** From now on nothing passes any more in either direction, without a word. */
  blackHole(): void;
  /** Ends every link, and every new one, with a reset. */
  goAway(): void;
  /** What passes from now on is let through again; for new links. */
  heal(): void;
}

/** Stopped after the test. */
export async function startProxy(t: TestContext, port: number): Promise<Proxy> {
  const links = new Set<Socket>();
  let silent = false;
  let isAway = false;
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    if (isAway) return void client.on("error", () => {}).resetAndDestroy();
    const upstream = connect(port, "127.0.0.1");
    for (const socket of [client, upstream]) {
      links.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        links.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => silent || upstream.write(chunk));
    upstream.on("data", (chunk) => silent || client.write(chunk));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of links) socket.resetAndDestroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    cut,
    blackHole: () => {
      silent = true;
    },
    goAway: () => {
      isAway = true;
      cut();
    },
    heal: () => {
      silent = false;
      isAway = false;
    },
  };
}
