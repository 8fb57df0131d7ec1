import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds after which a connection that is not there will not come. */
const PATIENCE = 300;

/**
 * A port of this machine to which no connection comes about and none is refused: its listener stands still and its backlog is
 * full, so that the kernel drops what comes. Ended after the test.
 */
export async function startBlackHole(t: TestContext): Promise<number> {
  const program = `
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(line);
  child.kill("SIGSTOP");
  for (let connected = true; connected; ) {
    const filler = connect(port, "127.0.0.1");
    filler.on("error", () => {});
    t.after(() => filler.destroy());
    connected = await Promise.race([once(filler, "connect").then(() => true), delay(PATIENCE, false)]);
  }
  return port;
}
