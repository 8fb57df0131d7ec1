import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import test, { type TestContext } from "node:test";
import amqp from "amqplib";
import type { BrokerAddress } from "../../src/queue/broker-address.ts";
import type { CrashMessage } from "../../src/queue/broker-link.ts";
import { Publisher, type PublishFailure } from "../../src/queue/publisher.ts";
import { brokerAddress } from "../helpers/amqp.ts";
import { makeQueue, openQueues, takeAll, testBroker } from "../helpers/broker.ts";
import { startProxy } from "../helpers/proxy.ts";
import { until } from "../helpers/until.ts";

const ID = "00007bd0-2d1c-4865-af09-80bc00180313";

function makePublisher(t: TestContext, change: Partial<BrokerAddress> = {}): Publisher {
  const publisher = new Publisher(async () => ({ ...testBroker(), ...change }));
  t.after(() => publisher.close());
  return publisher;
}

/** What a busy machine may add to a deadline; ms. */
const SLACK = 2000;

/** A broker on another port of this machine. */
const at = (port: number): Partial<BrokerAddress> => ({ nodes: [{ host: "127.0.0.1", port }] });

/** What was not confirmed. */
const publish = async (
  publisher: Publisher,
  messages: readonly CrashMessage[],
  deadline: number,
): Promise<readonly PublishFailure[]> => (await publisher.publish(messages, deadline)).failures;

const soon = (ms = 5000): number => Date.now() + ms;

/** Milliseconds that a step takes. */
async function timed<T>(step: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  return [await step(), performance.now() - started];
}

test("a confirmed message is persistent and carries the id, its time and its sender", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  assert.deepEqual(await publish(makePublisher(t), [{ id: ID, queue }], soon()), []);
  const { host, port, user, password, virtualHost } = brokerAddress();
  const connection = await amqp.connect(
    { hostname: host, port, username: user, password, vhost: encodeURIComponent(virtualHost) },
    { noDelay: true },
  );
  t.after(() => connection.close());
  const message = await (await connection.createChannel()).get(queue, { noAck: true });
  assert.ok(message !== false);
  assert.equal(message.content.toString("latin1"), ID);
  const { messageId, appId, deliveryMode, timestamp } = message.properties;
  assert.deepEqual({ messageId, appId, deliveryMode }, { messageId: ID, appId: "pigeon", deliveryMode: 2 });
  assert.ok(Math.abs(timestamp - Date.now() / 1000) < 10);
});

test("a missing queue is named, and does not harm the other one", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const publisher = makePublisher(t);
  const missing = { id: ID, queue: `${queue}.missing` };
  assert.deepEqual(await publish(publisher, [missing, { id: ID, queue }], soon()), [
    { message: missing, reason: "unroutable" },
  ]);
  assert.deepEqual(await takeAll(queues, queue), [ID]);
  assert.deepEqual(await publish(publisher, [{ id: ID, queue }], soon()), [], "the link is still good");
});

test("a full queue that rejects is a failure", async (t) => {
  const queues = await openQueues(t);
  const { host, port, user, password, virtualHost } = brokerAddress();
  const target = { hostname: host, port, username: user, password, vhost: encodeURIComponent(virtualHost) };
  const connection = await amqp.connect(target, { noDelay: true });
  const channel = await connection.createChannel();
  const queue = `test.full.${process.pid}`;
  await channel.assertQueue(queue, { arguments: { "x-max-length": 1, "x-overflow": "reject-publish" } });
  t.after(async () => {
    await channel.deleteQueue(queue);
    await connection.close();
  });
  const publisher = makePublisher(t);
  assert.deepEqual(await publish(publisher, [{ id: "first", queue }], soon()), []);
  const second = { id: "second", queue };
  assert.deepEqual(await publish(publisher, [second], soon()), [{ message: second, reason: "rejected by the broker" }]);
  assert.deepEqual(await takeAll(queues, queue), ["first"]);
});

test("wrong password and wrong virtual host fail at once, and no text shows them", async (t) => {
  for (const change of [{ password: "wrong-secret" }, { virtualHost: "wrong-secret" }]) {
    const [failures, ms] = await timed(() => publish(makePublisher(t, change), [{ id: ID, queue: "q" }], soon(30_000)));
    assert.equal(failures[0]?.reason, "access refused", JSON.stringify(failures));
    assert.match(failures[0]?.detail ?? "", /refuses/);
    assert.doesNotMatch(JSON.stringify(failures), /wrong-secret/);
    assert.ok(ms < 5000, `${ms} ms`);
  }
});

test("a closed port is tried again until the deadline, then named", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const [failures, ms] = await timed(() => publish(makePublisher(t, at(port)), [{ id: ID, queue: "q" }], soon(700)));
  assert.equal(failures[0]?.reason, "cannot connect");
  assert.match(failures[0]?.detail ?? "", new RegExp(`127\\.0\\.0\\.1:${port}: ECONNREFUSED`));
  assert.ok(ms < 700 + SLACK, `${ms} ms`);
});

test("a server that never answers is given up at the deadline", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const [failures, ms] = await timed(() => publish(makePublisher(t, at(port)), [{ id: ID, queue: "q" }], soon(600)));
  assert.equal(failures[0]?.reason, "cannot connect");
  assert.ok(ms >= 500 && ms < 600 + SLACK, `${ms} ms`);
});

test("a kept link that was cut is opened again at once", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const proxy = await startProxy(t, brokerAddress().port);
  const publisher = makePublisher(t, at(proxy.port));
  assert.deepEqual(await publish(publisher, [{ id: "one", queue }], soon()), []);
  proxy.cut();
  assert.deepEqual(await publish(publisher, [{ id: "two", queue }], soon()), []);
  assert.equal(proxy.connections, 2);
  assert.deepEqual(await takeAll(queues, queue), ["one", "two"]);
});

test("a link that is cut while messages are in flight loses none", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const proxy = await startProxy(t, brokerAddress().port);
  const publisher = makePublisher(t, at(proxy.port));
  assert.deepEqual(await publish(publisher, [{ id: "warm", queue }], soon()), []);
  const messages = Array.from({ length: 500 }, (_, index) => ({ id: `id-${index}`, queue }));
  const publishing = publish(publisher, messages, soon());
  setImmediate(() => setImmediate(() => proxy.cut()));
  assert.deepEqual(await publishing, []);
  const arrived = new Set(await takeAll(queues, queue));
  assert.deepEqual(
    messages.filter(({ id }) => !arrived.has(id)),
    [],
  );
});

test("a link that swallows everything fails at the deadline, and the next publish has a new one", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const proxy = await startProxy(t, brokerAddress().port);
  const publisher = makePublisher(t, at(proxy.port));
  assert.deepEqual(await publish(publisher, [{ id: "one", queue }], soon()), []);
  proxy.blackHole();
  const two = { id: "two", queue };
  const [failures, ms] = await timed(() => publish(publisher, [two], soon(800)));
  assert.deepEqual(failures, [{ message: two, reason: "no confirm in time" }]);
  assert.ok(ms < 800 + SLACK, `${ms} ms`);
  proxy.heal();
  assert.deepEqual(await publish(publisher, [two], soon()), []);
  assert.equal(proxy.connections, 2);
});

test("1,000 messages are all confirmed, and duplicates stay recognisable", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const publisher = makePublisher(t);
  const messages = Array.from({ length: 1000 }, (_, index) => ({ id: `id-${index}`, queue }));
  assert.deepEqual(await publish(publisher, messages, soon(20_000)), []);
  assert.deepEqual(await publish(publisher, messages.slice(0, 5), soon()), []);
  await until("1,005 messages are ready", async () => (await queues.count(queue)) === 1005);
  assert.equal(new Set(await takeAll(queues, queue)).size, 1000);
});

test("of several nodes one that answers is found at once, whichever is tried first", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const dead = { host: "127.0.0.1", port: 1 };
  const nodes = [dead, dead, ...testBroker().nodes];
  for (let round = 0; round < 6; round++) {
    const [failures, ms] = await timed(() =>
      publish(makePublisher(t, { nodes }), [{ id: `id-${round}`, queue }], soon()),
    );
    assert.deepEqual(failures, []);
    assert.ok(ms < SLACK, `${ms} ms`);
  }
});

test("a node that never answers leaves time for the others", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const silent = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  t.after(() => silent.close());
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const nodes = [{ host: "127.0.0.1", port }, ...testBroker().nodes];
  for (let round = 0; round < 4; round++)
    assert.deepEqual(await publish(makePublisher(t, { nodes }), [{ id: `id-${round}`, queue }], soon(3000)), []);
});

test("when no node takes us, each is named", async (t) => {
  const nodes = [1, 2].map((port) => ({ host: "127.0.0.1", port }));
  const [failure] = await publish(makePublisher(t, { nodes }), [{ id: ID, queue: "q" }], soon(300));
  assert.equal(failure?.reason, "cannot connect");
  for (const { port } of nodes)
    assert.match(failure?.detail ?? "", new RegExp(`127\\.0\\.0\\.1:${port}: ECONNREFUSED`));
});

test("without credentials nothing is sent, and they are asked for again the next time", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  let asked = 0;
  const publisher = new Publisher(async () => {
    if (++asked === 1) throw new Error("PIGEON_PASSWORD: KMS says no");
    return testBroker();
  });
  t.after(() => publisher.close());
  const message = { id: ID, queue };
  assert.deepEqual(await publish(publisher, [message], soon()), [
    { message, reason: "no credentials", detail: "PIGEON_PASSWORD: KMS says no" },
  ]);
  assert.deepEqual(await publish(publisher, [message], soon()), []);
});
