/** The collector when something is away, slow, too much or too long; each on a real S3 API. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { foldersInFlight, type ServedCollector, serveCollector } from "../helpers/collector.ts";
import { BOUNDARY, dumpPart, multipart, part } from "../helpers/multipart.ts";
import { startProxy } from "../helpers/proxy.ts";
import { objectKeys } from "../helpers/s3.ts";
import { until, within } from "../helpers/until.ts";

const product = part("ProductName", "Firefox");
const report = multipart([product, dumpPart("upload_file_minidump", "MDMP")]);

const idOf = (text: string): string => {
  assert.match(text, /^CrashID=bp-[0-9a-f-]{36}\n$/);
  return text.slice("CrashID=bp-".length, -1);
};

/** The value of a metric, with its labels if it has any. */
async function metric(served: ServedCollector, name: string): Promise<number> {
  const { text } = await served.get("/metrics");
  const line = text.split("\n").find((each) => each.startsWith(`pigeon_collector_${name} `));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ")));
}

/** A submission whose body is not yet sent. */
function begin({ collector }: ServedCollector, length: number, agent: Agent | false = false): ClientRequest {
  const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}`, "content-length": String(length) };
  const outgoing = request(`${collector.url}/submit`, { method: "POST", headers, agent });
  outgoing.on("error", () => {});
  outgoing.flushHeaders();
  return outgoing;
}

async function answerOf(outgoing: ClientRequest): Promise<[number, string]> {
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return [incoming.statusCode ?? 0, Buffer.concat(await incoming.toArray()).toString()];
}

/** Of all dumps that are being received. */
function bytesInFlight(served: ServedCollector): number {
  const incoming = join(served.spool, "incoming");
  try {
    return readdirSync(incoming, { recursive: true, encoding: "utf8" })
      .map((name) => statSync(join(incoming, name), { throwIfNoEntry: false }))
      .reduce((sum, stats) => sum + (stats?.isFile() ? stats.size : 0), 0);
  } catch {
    return 0; // a folder was removed while it was looked at
  }
}

/** A collector whose S3 can go away and come back. */
async function serveBehindProxy(t: TestContext, variables: Readonly<Record<string, string>> = {}) {
  const behind = await serveCollector(t);
  const proxy = await startProxy(t, Number(new URL(behind.s3.endpoint).port));
  const COLLECTOR_S3_ENDPOINT = `http://127.0.0.1:${proxy.port}`;
  return { proxy, behind, variables: { COLLECTOR_S3_ENDPOINT, COLLECTOR_SAVE_SECONDS: "1", ...variables } };
}

test("reports are spooled while S3 is away, and saved in their order when it is back", async (t) => {
  const { proxy, behind, variables } = await serveBehindProxy(t);
  const served = await serveCollector(t, variables);
  proxy.goAway();
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(idOf((await served.submit(report)).text));
  const kept = readdirSync(join(served.spool, "kept")).sort();
  assert.deepEqual(
    kept.map((name) => name.slice(-36)),
    ids,
  );
  assert.equal(await metric(served, "spool_reports"), 5);
  assert.equal((await served.get("/__heartbeat__")).status, 503);
  proxy.heal();
  await until("the spool is empty", () => readdirSync(join(served.spool, "kept")).length === 0);
  const objects = await objectKeys(behind.client, behind.bucket);
  for (const id of ids) {
    assert.equal(objects[`v1/dump/${id}`], "MDMP");
    assert.equal(JSON.parse(objects[`v2/raw_crash/${id.slice(0, 3)}/20${id.slice(-6)}/${id}`] ?? "").uuid, id);
  }
  assert.equal((await served.get("/__heartbeat__")).status, 200);
  const after = idOf((await served.submit(report)).text);
  assert.ok(`v1/dump/${after}` in (await objectKeys(behind.client, behind.bucket)), "then S3 takes them again");
});

test("without a spool a report that S3 does not take is answered with 500, and no collector starts", async (t) => {
  const { proxy, variables } = await serveBehindProxy(t, { COLLECTOR_SPOOL: "" });
  const served = await serveCollector(t, variables);
  proxy.goAway();
  const { status, text } = await served.submit(report);
  assert.deepEqual([status, text], [500, ""]);
  assert.equal(await metric(served, "failed_total"), 1);
  await assert.rejects(serveCollector(t, variables), /object test\/collector-.* cannot be saved in bucket crashes/);
  proxy.heal();
  idOf((await served.submit(report)).text);
});

test("a large dump is stored in parts, byte for byte", async (t) => {
  const served = await serveCollector(t);
  const dump = Buffer.alloc(20_000_000, "minidump");
  const id = idOf((await served.submit(multipart([product, dumpPart("upload_file_minidump", dump)]))).text);
  const objects = await objectKeys(served.client, served.bucket);
  assert.ok(objects[`v1/dump/${id}`] === dump.toString(), "byte for byte");
  assert.ok(
    served.events.some((event) => event.includes(`CompleteMultipartUpload v1/dump/${id}`)),
    served.events.join("\n"),
  );
  assert.equal(served.events.at(-1), `ObjectCreated:Put v2/raw_crash/${id.slice(0, 3)}/20${id.slice(-6)}/${id}`);
});

test("with the token a client chooses its crash id", async (t) => {
  const served = await serveCollector(t, { COLLECTOR_UUID_TOKEN: "secret" });
  const id = "00007bd0-2d1c-4865-af09-80bc01180313";
  const body = multipart([product, part("uuid", id)]);
  const { text } = await served.submit(body, { headers: { authorization: "Bearer secret" } });
  assert.equal(idOf(text), id);
  const { uuid } = JSON.parse(
    (await objectKeys(served.client, served.bucket))[`v2/raw_crash/000/20180313/${id}`] ?? "",
  );
  assert.equal(uuid, id);
});

test("rules decide what is accepted, deferred and rejected, and are told", async (t) => {
  const rules = join(import.meta.dirname, "rules.json");
  const served = await serveCollector(t, { COLLECTOR_RULES: rules });
  const send = async (channel: string): Promise<string> =>
    (await served.submit(multipart([product, part("Channel", channel)]))).text;
  assert.equal(await send("nightly"), "Discarded=rule_no_nightly");
  const deferred = idOf(await send("release"));
  assert.equal(deferred.at(-7), "1");
  assert.equal(idOf(await send("beta")).at(-7), "0");
  const key = `v2/raw_crash/${deferred.slice(0, 3)}/20${deferred.slice(-6)}/${deferred}`;
  const { metadata } = JSON.parse((await objectKeys(served.client, served.bucket))[key] ?? "");
  assert.equal(metadata.throttle_rule, "release");
  assert.equal(await metric(served, 'throttle_total{result="reject"}'), 1);
  assert.equal(await metric(served, 'throttle_rule_total{rule="release"}'), 1);
});

test("more reports at once than there may be are put off", async (t) => {
  const served = await serveCollector(t, { COLLECTOR_MAX_REQUESTS: "1" });
  const slow = begin(served, report.length);
  await until("it is taken", async () => (await metric(served, "in_flight")) === 1);
  const { status, headers } = await served.submit(report);
  assert.deepEqual([status, headers["retry-after"]], [503, "10"]);
  slow.end(report);
  assert.equal((await answerOf(slow))[0], 200);
  idOf((await served.submit(report)).text);
});

test("a client that is too slow, and one that hangs up, cost nothing but their own request", async (t) => {
  const served = await serveCollector(t, { COLLECTOR_REQUEST_SECONDS: "3" });
  const slow = begin(served, report.length);
  const late = answerOf(slow);
  slow.write(report.subarray(0, 200));
  const gone = begin(served, report.length);
  gone.write(report.subarray(0, 200));
  await until("both are taken", async () => (await metric(served, "in_flight")) === 2);
  gone.destroy();
  idOf((await served.submit(report)).text);
  assert.equal((await late)[0], 408);
  await until("nothing is left", () => foldersInFlight(served).length === 0);
  await until("both are counted", async () => (await metric(served, "client_gone_total")) === 2);
  idOf((await served.submit(report)).text);
});

test("a collector that is told to stop answers what is in flight", async (t) => {
  const served = await serveCollector(t);
  const slow = begin(served, report.length);
  await until("it is taken", async () => (await metric(served, "in_flight")) === 1);
  const stopping = served.collector.stop();
  slow.end(report);
  const [status, text] = await answerOf(slow);
  assert.equal(status, 200);
  const id = idOf(text);
  await stopping;
  assert.ok(`v1/dump/${id}` in (await objectKeys(served.client, served.bucket)));
  await assert.rejects(served.submit(report), /ECONNREFUSED/);
});

test("clients that close their side at once leave no place taken", async (t) => {
  const served = await serveCollector(t, { COLLECTOR_MAX_REQUESTS: "2" });
  const { port } = new URL(served.collector.url);
  const head = `POST /submit HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n`;
  for (const body of [report, Buffer.concat([report, Buffer.alloc(60_000)])])
    for (let n = 0; n < 3; n++) {
      const socket = connect(Number(port), "127.0.0.1");
      socket.resume().end(Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]));
      await once(socket, "close");
    }
  await until("nothing is in flight", async () => (await metric(served, "in_flight")) === 0);
  idOf((await served.submit(report)).text);
  assert.deepEqual(foldersInFlight(served), []);
});

test("a disk that takes no dump is answered with 500, whatever its path is called", async (t) => {
  const served = await serveCollector(t);
  for (const size of [10, 300_000, 5_000_000]) {
    const slow = begin(served, 1e7);
    await until("it is taken", () => foldersInFlight(served).length === 1);
    const [folder = ""] = foldersInFlight(served);
    rmSync(join(served.spool, "incoming", folder), { recursive: true });
    const answer = answerOf(slow);
    slow.write(multipart([product, dumpPart("platform_form", Buffer.alloc(size))]));
    assert.deepEqual(await answer, [500, ""]);
    slow.destroy();
  }
  await until("nothing is in flight", async () => (await metric(served, "in_flight")) === 0);
});

test("a spooled report that is broken, or foreign, keeps no other from being saved", async (t) => {
  const { proxy, behind, variables } = await serveBehindProxy(t);
  const first = await serveCollector(t, variables);
  proxy.goAway();
  const ids: string[] = [];
  for (let n = 0; n < 4; n++) ids.push(idOf((await first.submit(report)).text));
  await first.collector.stop();
  const kept = readdirSync(join(first.spool, "kept")).sort();
  rmSync(join(first.spool, "kept", kept[0] as string, "crash.json"));
  rmSync(join(first.spool, "kept", kept[1] as string, "upload_file_minidump"));
  mkdirSync(join(first.spool, "kept", "lost+found"));
  proxy.heal();
  const second = await serveCollector(t, { ...variables, COLLECTOR_SPOOL: first.spool });
  await until("two are saved", () => readdirSync(join(first.spool, "kept")).length === 1);
  const objects = await objectKeys(behind.client, behind.bucket);
  assert.deepEqual(
    ids.map((id) => `v1/dump/${id}` in objects),
    [false, false, true, true],
  );
  assert.deepEqual(readdirSync(join(first.spool, "broken")).sort(), kept.slice(0, 2));
  await assert.rejects(
    serveCollector(t, { ...variables, COLLECTOR_SPOOL: first.spool }),
    /another collector \(process \d+\) has it/,
  );
  idOf((await second.submit(report)).text);
});

test("a client that keeps its connection does not keep a collector that stops", async (t) => {
  const served = await serveCollector(t);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const slow = begin(served, report.length, agent);
  await until("it is taken", async () => (await metric(served, "in_flight")) === 1);
  const stopping = served.collector.stop();
  slow.end(report);
  assert.equal((await answerOf(slow))[0], 200);
  await within(5000, "the stop", stopping);
});

test("200 uploads at once are all saved, each under an id of its own", async (t) => {
  const served = await serveCollector(t);
  const bodies = Array.from({ length: 200 }, (_, n) =>
    multipart([product, dumpPart("upload_file_minidump", `dump ${n} `.repeat(5000))]),
  );
  const answers = await Promise.all(
    bodies.map((body, n) =>
      served.submit(n % 2 === 0 ? body : gzipSync(body), {
        isChunked: n % 4 === 1,
        headers: n % 2 === 0 ? {} : { "content-encoding": "gzip" },
      }),
    ),
  );
  const ids = answers.map(({ text }) => idOf(text));
  assert.equal(new Set(ids).size, 200);
  for (const [n, id] of ids.entries()) {
    const dump = await served.read(`v1/dump/${id}`);
    assert.ok(dump === `dump ${n} `.repeat(5000), `dump ${n}`);
  }
  assert.deepEqual(foldersInFlight(served), []);
});

test("fifty gzip bombs at once stay within their limits", async (t) => {
  const served = await serveCollector(t, { COLLECTOR_MAX_BYTES: "5000000" });
  const bomb = gzipSync(multipart([product, dumpPart("upload_file_minidump", Buffer.alloc(300_000_000))]));
  const options = { headers: { "content-encoding": "gzip" } };
  const answering = Promise.all(Array.from({ length: 50 }, () => served.submit(bomb, options)));
  let [most, isOver] = [0, false];
  void answering.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    most = Math.max(most, bytesInFlight(served));
    await delay(10);
  }
  assert.deepEqual([...new Set((await answering).map(({ status }) => status))], [413]);
  assert.deepEqual(foldersInFlight(served), []);
  assert.ok(most > 0 && most <= 50 * 5_000_000, `${most} bytes on disk`);
});

test("how a body is cut into pieces changes nothing, and no damage to it does any", async (t) => {
  const served = await serveCollector(t);
  const body = multipart([product, part("Notes", "a\r\n--b"), dumpPart("upload_file_minidump", "MD\r\nMP")]);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(body.length), { maxLength: 8 }), async (cuts) => {
      const outgoing = begin(served, body.length);
      let from = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), body.length]) {
        outgoing.write(body.subarray(from, cut));
        from = cut;
        await new Promise(setImmediate);
      }
      outgoing.end();
      const id = idOf((await answerOf(outgoing))[1]);
      assert.equal(await served.read(`v1/dump/${id}`), "MD\r\nMP");
    }),
    { numRuns: 50 },
  );
  const damage = fc.record({ at: fc.nat(body.length), remove: fc.nat(20), insert: fc.uint8Array({ maxLength: 20 }) });
  await fc.assert(
    fc.asyncProperty(damage, fc.boolean(), async ({ at, remove, insert }, isChunked) => {
      const damaged = Buffer.concat([body.subarray(0, at), insert, body.subarray(at + remove)]);
      const { status, text } = await served.submit(damaged, { isChunked });
      assert.ok([200, 400, 413].includes(status), `${status} ${text}`);
      assert.match(text, status === 200 ? /^CrashID=bp-/ : /^Discarded=/);
    }),
    { numRuns: 200 },
  );
  assert.deepEqual(foldersInFlight(served), []);
  assert.equal(await metric(served, "failed_total"), 0);
});

test("Dockerflow's endpoints and other paths", async (t) => {
  const served = await serveCollector(t);
  assert.deepEqual(JSON.parse((await served.get("/__version__")).text), { version: "test" });
  assert.deepEqual(
    [(await served.get("/__lbheartbeat__")).status, (await served.get("/__heartbeat__")).status],
    [200, 200],
  );
  assert.equal((await served.get("/nowhere")).status, 404);
  const options = await served.submit(Buffer.alloc(0), { method: "OPTIONS" });
  assert.deepEqual([options.status, options.headers.allow], [200, "POST"]);
});
