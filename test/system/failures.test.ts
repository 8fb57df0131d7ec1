/** What Pigeon does when something goes wrong, each on the built zip and a real RabbitMQ. The README's table is what this saw. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import test, { after, before, type TestContext } from "node:test";
import { startAmqpProxy } from "../helpers/amqp-proxy.ts";
import { startBlackHole } from "../helpers/black-hole.ts";
import { makeCrashEvent, makeCrashId } from "../helpers/crash-events.ts";
import { checkReadme, type FailureRow } from "../helpers/failure-table.ts";
import { PrivateBroker, type PrivateNode } from "../helpers/private-broker.ts";
import { type Invoked, type ServedOptions, type ServedPigeon, servePigeon } from "../helpers/serving.ts";
import { until } from "../helpers/until.ts";

/** Seconds. */
const TIMEOUT = 5;

/** Seconds; what is called at once may take a busy machine so long. */
const AT_ONCE = 3;

const rows: FailureRow[] = [];
let broker: PrivateBroker;
let node: PrivateNode;

before(async () => {
  broker = await PrivateBroker.start(1);
  node = broker.nodes[0] as PrivateNode;
});
after(() => broker.stop());

/** Pigeon on a queue of its own. */
async function serve(
  t: TestContext,
  change: Readonly<Record<string, string>> = {},
  options: ServedOptions = {},
): Promise<ServedPigeon & { readonly queue: string }> {
  const queue = `test.${randomUUID()}`;
  await broker.declare(queue);
  const environment = { ...broker.environment(queue), ...change };
  return { ...(await servePigeon(t, environment, { timeout: TIMEOUT, ...options })), queue };
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Every id of an event ends as published, throttled or failed for each queue: nothing is unaccounted for. */
function assertBalance(
  { accept = 0, published = 0, throttled = 0, publish_error = 0 }: Record<string, number>,
  queues = 1,
): void {
  assert.equal(accept * queues, published + throttled + publish_error);
}

/** Adds a line to the table when it is true. */
function note(row: FailureRow, { killed = false, queues = 1 } = {}): void {
  if (!killed) assertBalance(row.metrics, queues);
  assert.ok(row.invoked.ms < row.within * 1000, `${row.what}: ${row.invoked.ms} ms`);
  const all = row.later ?? row.found;
  const missing = row.wanted.filter((id) => !all.includes(id));
  assert.deepEqual(missing, [], `${row.what}: nothing may be missing in the end`);
  if (row.invoked.functionError === undefined)
    assert.deepEqual(
      row.wanted.filter((id) => !row.found.includes(id)),
      [],
      `${row.what}: success means that everything is there`,
    );
  rows.push(row);
}

function assertFails({ functionError, payload }: Invoked, message: RegExp): void {
  assert.ok(functionError !== undefined, "it fails");
  assert.match(JSON.parse(payload).errorMessage, message);
}

test("a missing queue, of one and of two", async (t) => {
  const id = makeCrashId();
  const missing = `test.${randomUUID()}`;
  const one = await serve(t, { PIGEON_QUEUE: missing });
  const alone = await one.invoke(makeCrashEvent(id));
  assertFails(alone, new RegExp(`^queue ${missing}: unroutable: ${id}$`));
  const metrics = one.takeMetrics();
  await broker.declare(missing);
  assert.equal((await one.invoke(makeCrashEvent(id))).functionError, undefined);
  const later = await broker.take(missing);
  note({ what: "the queue is missing", invoked: alone, within: AT_ONCE, metrics, wanted: [id], found: [], later });

  const two = await serve(t);
  const absent = `test.${randomUUID()}`;
  const both = await servePigeon(t, broker.environment(`${two.queue},${absent}`), { timeout: TIMEOUT });
  const invoked = await both.invoke(makeCrashEvent(id));
  assertFails(invoked, new RegExp(`^queue ${absent}: unroutable: ${id}$`));
  const counts = both.takeMetrics();
  const found = await broker.take(two.queue);
  await broker.declare(absent);
  assert.equal((await both.invoke(makeCrashEvent(id))).functionError, undefined);
  const row = {
    what: "one of two queues is missing",
    invoked,
    within: AT_ONCE,
    metrics: counts,
    wanted: [id, id],
    found,
  };
  note({ ...row, later: [...found, ...(await broker.take(absent))] }, { queues: 2 });
});

test("a full queue that rejects", async (t) => {
  const queue = `test.${randomUUID()}`;
  await broker.declare(queue, { "x-max-length": 1, "x-overflow": "reject-publish" });
  const pigeon = await serve(t, { PIGEON_QUEUE: queue });
  const [first, second] = [makeCrashId(), makeCrashId()];
  assert.equal((await pigeon.invoke(makeCrashEvent(first))).functionError, undefined);
  pigeon.takeMetrics();
  const invoked = await pigeon.invoke(makeCrashEvent(second));
  assertFails(invoked, new RegExp(`: rejected by the broker: ${second}$`));
  const metrics = pigeon.takeMetrics();
  assert.deepEqual(await broker.take(queue), [first]);
  assert.equal((await pigeon.invoke(makeCrashEvent(second))).functionError, undefined);
  const later = await broker.take(queue);
  note({
    what: "the queue is full (`reject-publish`)",
    invoked,
    within: AT_ONCE,
    metrics,
    wanted: [second],
    found: [],
    later,
  });
});

for (const kind of ["disk", "memory"] as const) {
  test(`an alarm for want of ${kind} blocks publishers`, async (t) => {
    const pigeon = await serve(t);
    const id = makeCrashId();
    assert.equal((await pigeon.invoke(makeCrashEvent())).functionError, undefined);
    t.after(() => node.alarm(kind, false));
    await node.alarm(kind, true);
    await until("the alarm is on", async () =>
      /resource_limit|alarm/i.test(await node.control("eval", "rabbit_alarm:get_alarms().")),
    );
    const invoked = await pigeon.invoke(makeCrashEvent(id));
    assertFails(invoked, new RegExp(`broker blocked: ${id}$`));
    const metrics = pigeon.takeMetrics();
    const found = await broker.take(pigeon.queue);
    await node.alarm(kind, false);
    await until(
      "it publishes again",
      async () => (await pigeon.invoke(makeCrashEvent(id))).functionError === undefined,
      30_000,
    );
    const later = await broker.take(pigeon.queue);
    note({ what: `a ${kind} alarm of the broker`, invoked, within: TIMEOUT, metrics, wanted: [id], found, later });
  });
}

test("wrong password, wrong virtual host, no permission to write", async (t) => {
  const changes: [string, Record<string, string>][] = [
    ["a wrong password", { PIGEON_PASSWORD: "wrong" }],
    ["a wrong virtual host", { PIGEON_VIRTUAL_HOST: "wrong" }],
  ];
  for (const [what, change] of changes) {
    const id = makeCrashId();
    const wrong = await serve(t, change);
    const invoked = await wrong.invoke(makeCrashEvent(id));
    assertFails(invoked, new RegExp(`: access refused \\(broker .* refuses .*\\): ${id}$`));
    const metrics = wrong.takeMetrics();
    const right = await servePigeon(t, broker.environment(wrong.queue), { timeout: TIMEOUT });
    assert.equal((await right.invoke(makeCrashEvent(id))).functionError, undefined);
    const later = await broker.take(wrong.queue);
    note({ what, invoked, within: AT_ONCE, metrics, wanted: [id], found: [], later });
  }
  const id = makeCrashId();
  const pigeon = await serve(t);
  const allow = (write: string): Promise<string> =>
    node.control("set_permissions", "-p", "crashes", "pigeon", ".*", write, ".*");
  t.after(() => allow(".*"));
  await allow("^$");
  const invoked = await pigeon.invoke(makeCrashEvent(id));
  assertFails(invoked, /: access refused \(.*ACCESS_REFUSED/);
  const metrics = pigeon.takeMetrics();
  await allow(".*");
  assert.equal((await pigeon.invoke(makeCrashEvent(id))).functionError, undefined);
  const later = await broker.take(pigeon.queue);
  note({
    what: "the broker answers with a channel error",
    invoked,
    within: AT_ONCE,
    metrics,
    wanted: [id],
    found: [],
    later,
  });
});

test("a closed port and an address that swallows everything", async (t) => {
  const places: [string, number, RegExp][] = [
    ["the broker's port is closed", await closedPort(), /cannot connect \(broker .*: ECONNREFUSED\)/],
    [
      "a black-holed address",
      await startBlackHole(t),
      /cannot connect \(broker .*: (ETIMEDOUT|no answer within \d+ ms)\)/,
    ],
  ];
  for (const [what, port, message] of places) {
    const id = makeCrashId();
    const pigeon = await serve(t, { PIGEON_HOST: `127.0.0.1:${port}` });
    assert.equal((await pigeon.invoke(makeCrashEvent())).functionError, undefined);
    const invoked = await pigeon.invoke(makeCrashEvent(id));
    assertFails(invoked, message);
    const metrics = pigeon.takeMetrics();
    const right = await servePigeon(t, broker.environment(pigeon.queue), { timeout: TIMEOUT });
    assert.equal((await right.invoke(makeCrashEvent(id))).functionError, undefined);
    const later = await broker.take(pigeon.queue);
    note({ what, invoked, within: TIMEOUT, metrics, wanted: [id], found: [], later });
  }
});

test("a link that is cut before, during and after the publish, before its confirm", async (t) => {
  const moments = [
    ["before", "the link is cut before the publish"],
    ["during", "the link is cut within the publish"],
    ["after", "the link is cut after the publish, before the confirm"],
  ] as const;
  for (const [moment, what] of moments) {
    const id = makeCrashId();
    const proxy = await startAmqpProxy(t, node.address.port);
    const pigeon = await serve(t, { PIGEON_HOST: `127.0.0.1:${proxy.port}` });
    assert.equal((await pigeon.invoke(makeCrashEvent(makeCrashId()))).functionError, undefined);
    pigeon.takeMetrics();
    proxy.cutAt(moment);
    const invoked = await pigeon.invoke(makeCrashEvent(id));
    assert.equal(invoked.functionError, undefined, invoked.payload);
    assert.equal(proxy.links, 2, "it was cut, and opened again");
    const found = (await broker.take(pigeon.queue)).filter((item) => item === id);
    assert.equal(found.length, moment === "after" ? 2 : 1, "a confirm that was lost makes a duplicate");
    note({ what, invoked, within: AT_ONCE, metrics: pigeon.takeMetrics(), wanted: [id], found });
  }
});

test("a broker that is killed and started again, between invocations and during one", async (t) => {
  const pigeon = await serve(t, {}, { timeout: 30 });
  const [first, second, third] = [makeCrashId(), makeCrashId(), makeCrashId()];
  await broker.settle();
  assert.equal((await pigeon.invoke(makeCrashEvent(first))).functionError, undefined);
  await node.kill();
  await node.start();
  pigeon.takeMetrics();
  const between = await pigeon.invoke(makeCrashEvent(second));
  const what = "the broker is killed and started again between two invocations";
  const found = await broker.take(pigeon.queue);
  note({ what, invoked: between, within: AT_ONCE, metrics: pigeon.takeMetrics(), wanted: [first, second], found });
  const proxy = await startAmqpProxy(t, node.address.port);
  const behind = await servePigeon(
    t,
    { ...broker.environment(pigeon.queue), PIGEON_HOST: `127.0.0.1:${proxy.port}` },
    { timeout: 30 },
  );
  const swallowed = proxy.swallowAnswers();
  const invocation = behind.invoke(makeCrashEvent(third));
  await swallowed; // published, and the confirm has not come through
  await node.kill();
  proxy.reset();
  await node.start();
  const during = await invocation;
  assert.equal(during.functionError, undefined, during.payload);
  const row = { what: "the broker is killed and comes back during the invocation", invoked: during, within: 30 };
  const twice = await broker.take(pigeon.queue);
  assert.deepEqual(twice, [third, third]);
  note({ ...row, metrics: behind.takeMetrics(), wanted: [third], found: twice });
});

test("a broker that stands still", async (t) => {
  const pigeon = await serve(t);
  const id = makeCrashId();
  assert.equal((await pigeon.invoke(makeCrashEvent())).functionError, undefined);
  assert.equal((await pigeon.invoke(makeCrashEvent(makeCrashId()))).functionError, undefined);
  pigeon.takeMetrics();
  node.pause();
  t.after(() => node.resume());
  const invoked = await pigeon.invoke(makeCrashEvent(id));
  assertFails(invoked, /no confirm in time|cannot connect/);
  const metrics = pigeon.takeMetrics();
  node.resume();
  await until(
    "it publishes again",
    async () => (await pigeon.invoke(makeCrashEvent(id))).functionError === undefined,
    30_000,
  );
  const later = await broker.take(pigeon.queue);
  const seen = {
    ...invoked,
    payload: JSON.stringify({ errorMessage: "queue q: no confirm in time, or cannot connect" }),
  };
  note({ what: "the broker stands still", invoked: seen, within: TIMEOUT, metrics, wanted: [id], found: [], later });
});

test("a function that is frozen for longer than two heartbeats", async (t) => {
  await node.control("eval", "application:set_env(rabbit, heartbeat, 1).");
  t.after(() => node.control("eval", "application:set_env(rabbit, heartbeat, 60)."));
  const proxy = await startAmqpProxy(t, node.address.port);
  const pigeon = await serve(t, { PIGEON_HOST: `127.0.0.1:${proxy.port}` });
  const [first, second] = [makeCrashId(), makeCrashId()];
  assert.equal((await pigeon.invoke(makeCrashEvent(first))).functionError, undefined);
  pigeon.takeMetrics();
  const connections = async (): Promise<string> => node.control("list_connections", "name", "client_properties");
  assert.match(await connections(), /"pigeon"/);
  await until(
    "the broker has given the connection up",
    async () => !(await connections()).includes('"pigeon"'),
    30_000,
  );
  const invoked = await pigeon.invoke(makeCrashEvent(second));
  assert.equal(proxy.links, 2);
  const found = await broker.take(pigeon.queue);
  const what = "the function is frozen for longer than two heartbeats";
  note({ what, invoked, within: AT_ONCE, metrics: pigeon.takeMetrics(), wanted: [first, second], found });
});

test("1,000 ids in one event", async (t) => {
  const pigeon = await serve(t);
  const wanted = Array.from({ length: 1000 }, () => makeCrashId());
  const invoked = await pigeon.invoke(makeCrashEvent(...wanted, makeCrashId(1)));
  const found = await broker.take(pigeon.queue);
  assert.equal(found.length, 1000);
  note({ what: "1,000 ids in one event", invoked, within: TIMEOUT, metrics: pigeon.takeMetrics(), wanted, found });
});

test("50 invocations at once", async (t) => {
  const pigeon = await serve(t, {}, { timeout: 60, args: ["--concurrency", "50"] });
  const wanted = Array.from({ length: 50 }, () => makeCrashId());
  const answers = await Promise.all(wanted.map((id) => pigeon.invoke(makeCrashEvent(id))));
  assert.deepEqual(
    answers.filter(({ functionError }) => functionError !== undefined).map(({ payload }) => payload),
    [],
  );
  const slowest = answers.reduce((one, other) => (one.ms > other.ms ? one : other));
  const found = await broker.take(pigeon.queue);
  assert.equal(found.length, 50);
  note({ what: "50 invocations at once", invoked: slowest, within: 60, metrics: pigeon.takeMetrics(), wanted, found });
});

test("the same event twice", async (t) => {
  const pigeon = await serve(t);
  const id = makeCrashId();
  await pigeon.invoke(makeCrashEvent(id));
  const invoked = await pigeon.invoke(makeCrashEvent(id, id));
  const found = await broker.take(pigeon.queue);
  assert.deepEqual(found, [id, id], "once for each invocation, with the same message_id");
  note({
    what: "the same event twice",
    invoked,
    within: AT_ONCE,
    metrics: pigeon.takeMetrics(),
    wanted: [id, id],
    found,
  });
});

test("a function that is killed by its timeout, or told to end, in mid-publish", async (t) => {
  const signals = [
    ["SIGSTOP", "the function is killed by its timeout in mid-publish", /Task timed out after 5\.00 seconds/],
    ["SIGTERM", "SIGTERM in mid-publish", /Runtime exited with error: signal: terminated/],
  ] as const;
  for (const [signal, what, message] of signals) {
    const id = makeCrashId();
    const proxy = await startAmqpProxy(t, node.address.port);
    const pigeon = await serve(t, { PIGEON_HOST: `127.0.0.1:${proxy.port}` });
    assert.equal((await pigeon.invoke(makeCrashEvent(makeCrashId()))).functionError, undefined);
    await broker.take(pigeon.queue);
    pigeon.takeMetrics();
    const swallowed = proxy.swallowAnswers();
    const invocation = pigeon.invoke(makeCrashEvent(id));
    await swallowed; // published, and the confirm is on its way
    process.kill(functionProcess(pigeon.server.child.pid as number), signal);
    const invoked = await invocation;
    assertFails(invoked, message);
    const metrics = pigeon.takeMetrics();
    proxy.reset();
    const found = await broker.take(pigeon.queue);
    const again = await pigeon.invoke(makeCrashEvent(id));
    assert.equal(again.functionError, undefined, again.payload);
    const later = [...found, ...(await broker.take(pigeon.queue))];
    assert.deepEqual(later, [id, id], "at least once: here twice");
    note({ what, invoked, within: TIMEOUT + 2, metrics, wanted: [id], found, later }, { killed: true });
  }
});

/** The Node.js process that runs the function: the last of the server's descendants. */
function functionProcess(server: number): number {
  const processes = globSync("/proc/[0-9]*/stat").flatMap((path) => {
    try {
      const [, pid = "", parent = ""] = /^(\d+) \(.*\) \S (\d+) /s.exec(readFileSync(path, "utf8")) ?? [];
      return [{ pid: Number(pid), parent: Number(parent) }];
    } catch {
      return []; // gone meanwhile
    }
  });
  for (let current = server; ; ) {
    const child = processes.find(({ parent }) => parent === current);
    if (child === undefined) {
      assert.notEqual(current, server, "the function has a process");
      return current;
    }
    current = child.pid;
  }
}

test("the README's table is what was seen", () => checkReadme(rows));
