import assert from "node:assert/strict";
import test from "node:test";
import { Publisher } from "../../src/queue/publisher.ts";
import { Queues } from "../../src/queue/queues.ts";
import { makeQueue, openQueues, takeAll, testBroker } from "../helpers/broker.ts";
import { until } from "../helpers/until.ts";

test("a queue can be declared twice, counted, looked into and emptied", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  await queues.declare(queue);
  const publisher = new Publisher(async () => testBroker());
  t.after(() => publisher.close());
  await publisher.publish(
    ["a", "b", "c"].map((id) => ({ id, queue })),
    Date.now() + 5000,
  );
  await until("three messages are ready", async () => (await queues.count(queue)) === 3);
  assert.deepEqual(await queues.peek(queue, 2), ["a", "b"]);
  await until("they are back", async () => (await queues.count(queue)) === 3);
  const taken: string[] = [];
  await queues.drain(queue, 2, (body) => taken.push(body));
  assert.equal(taken.length, 2);
  assert.deepEqual([...taken, ...(await takeAll(queues, queue))].sort(), ["a", "b", "c"]);
});

test("a message whose taker fails stays in the queue", async (t) => {
  const queues = await openQueues(t);
  const queue = await makeQueue(t, queues);
  const publisher = new Publisher(async () => testBroker());
  t.after(() => publisher.close());
  await publisher.publish([{ id: "a", queue }], Date.now() + 5000);
  const full = (): never => {
    throw new Error("disk full");
  };
  const own = await Queues.open(testBroker());
  await assert.rejects(own.drain(queue, 1, full), /disk full/);
  await own.close();
  await until("it is ready again", async () => (await queues.count(queue)) === 1);
});

test("a missing queue and a missing broker are named", async (t) => {
  const queues = await openQueues(t);
  await assert.rejects(queues.count("test.missing"), {
    message: "queue test.missing: there is no such queue (pigeon queue declare creates it)",
  });
  await assert.rejects(
    Queues.open({ ...testBroker(), nodes: [{ host: "127.0.0.1", port: 1 }] }),
    /cannot open a connection to the broker: broker 127\.0\.0\.1:1: .*ECONNREFUSED/,
  );
});
