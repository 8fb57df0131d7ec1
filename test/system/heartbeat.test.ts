/** A connection with heartbeats that a function keeps from one invocation to the next. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

/** Seconds of freeze; on AWS it may be minutes. */
const FREEZE = Number(process.env.TEST_FREEZE_SECONDS ?? 2);

/** Without a heartbeat for this long the peer gives a connection up; ms. */
const PATIENCE = 1000;

interface Peer {
  readonly port: number;
  /** Connections that it gave up for want of heartbeats. */
  givenUp: number;
}

/** A peer that wants heartbeats; no real one has a patience that short. */
async function startPeer(t: TestContext): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.setTimeout(PATIENCE, () => {
      peer.givenUp++;
      socket.destroy();
    });
    socket.resume();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const peer: Peer = { port: (server.address() as AddressInfo).port, givenUp: 0 };
  return peer;
}

interface Seen {
  readonly closed: boolean;
  readonly beats: number;
}

async function serve(t: TestContext, ...options: string[]): Promise<(event: object) => Promise<Seen>> {
  const zip = join(ROOT, "test", "functions", "keeps-a-connection");
  const args = ["serve", "--port", "0", "--zip", zip, "--timeout", "10", ...options];
  const server = new BackgroundProgram(t, "local-lambda", args);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const url = `${endpoint}/2015-03-31/functions/function/invocations`;
  return async (event) => (await (await fetch(url, { method: "POST", body: JSON.stringify(event) })).json()) as Seen;
}

test("no heartbeat leaves a frozen function: the peer gives the connection up, and the next invocation finds it closed", async (t) => {
  const peer = await startPeer(t);
  const invoke = await serve(t);
  const first = await invoke({ port: peer.port, ms: 600 });
  assert.equal(first.closed, false);
  assert.ok(first.beats >= 2, `${first.beats} heartbeats`);
  const thawAt = Date.now() + FREEZE * 1000;
  await until("the peer has lost patience", () => peer.givenUp === 1);
  await until("the freeze is over", () => Date.now() >= thawAt, 2 * FREEZE * 1000);
  const second = await invoke({ ms: 50 });
  assert.equal(second.closed, true);
  assert.ok(
    second.beats - first.beats <= 3,
    `${second.beats - first.beats} heartbeats, though ${FREEZE} s have passed`,
  );
});

test("with --no-freeze the same connection lives on", async (t) => {
  const peer = await startPeer(t);
  const invoke = await serve(t, "--no-freeze");
  await invoke({ port: peer.port, ms: 50 });
  const aliveAt = Date.now() + 2 * PATIENCE;
  await until("more time than its patience has passed", () => Date.now() > aliveAt);
  const { closed, beats } = await invoke({ ms: 50 });
  assert.equal(closed, false);
  assert.ok(beats >= 10, `${beats} heartbeats`);
  assert.equal(peer.givenUp, 0);
});
