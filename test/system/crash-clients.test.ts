/** Real clients, real crashes: through the collector, S3 and Pigeon into the queue. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { before, type TestContext } from "node:test";
import { promisify } from "node:util";
import { ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { BackgroundProgram } from "../helpers/background.ts";
import {
  CrashpadDatabase,
  compileCrash,
  compileMinidumpUpload,
  crash,
  crashChromium,
  findChromium,
  findCrashpadHandler,
  installCrashClients,
  uploadPending,
} from "../helpers/crash-clients.ts";
import { run } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

before(installCrashClients);

interface Pipeline {
  readonly folder: string;
  readonly submitUrl: string;
  /** The id of the crash that leaves the queue next. */
  nextId(): Promise<string>;
  /** An object of the bucket. */
  read(key: string): Promise<Buffer>;
}

/** `pigeon up` with a queue of its own, past its sample. */
async function startPipeline(t: TestContext): Promise<Pipeline> {
  const queue = ownQueueName(t);
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const env = { ...pigeonEnvironment(queue), PIGEON_STATE_DIRECTORY: join(folder, "state") };
  const up = new BackgroundProgram(
    t,
    "pigeon",
    ["up", "--s3-port", "0", "--lambda-port", "0", "--collector-port", "0"],
    env,
  );
  t.after(() => up.stop("SIGTERM"));
  await up.printed(/Ctrl-C stops it/);
  const [, submitUrl = ""] = await up.printed(/^ +collector (http:\S+)$/m);
  const [, s3 = ""] = await up.printed(/^ +S3 +(http:\S+) /m);
  assert.equal((await takeItems(queue)).length, 1, "the sample");
  return {
    folder,
    submitUrl,
    nextId: () => until("a crash id in the queue", async () => (await takeItems(queue))[0]),
    read: async (key) => {
      const response = await fetch(`${s3}/dev-bucket/${key}`);
      assert.equal(response.status, 200, key);
      return Buffer.from(await response.arrayBuffer());
    },
  };
}

const rawCrashKey = (id: string): string => `v2/raw_crash/${id.slice(0, 3)}/20${id.slice(-6)}/${id}`;

async function assertRawCrash(pipeline: Pipeline, id: string, expected: Record<string, string>): Promise<void> {
  const { metadata, ...rawCrash } = JSON.parse((await pipeline.read(rawCrashKey(id))).toString());
  const { uuid, version, submitted_timestamp, guid, ...annotations } = rawCrash;
  assert.deepEqual(annotations, expected);
  assert.equal(uuid, id);
  assert.match(metadata.user_agent, /Crashpad|Breakpad/);
}

test("Crashpad's handler: a program crashes, and its minidump is in S3 byte for byte", async (t) => {
  const pipeline = await startPipeline(t);
  const [program, handler] = [await compileCrash(pipeline.folder), findCrashpadHandler()];
  const attachment = join(pipeline.folder, "notes.txt");
  writeFileSync(attachment, "attached");
  const annotations = ["--annotation=ProductName=Crashing", "--annotation=Version=1.2.3"];
  const ways: readonly string[][] = [[], ["--no-upload-gzip", "--no-identify-client-via-url"]];
  for (const way of ways) {
    const database = new CrashpadDatabase(mkdtempSync(join(pipeline.folder, "db-")));
    const options = [...annotations, `--attachment=${attachment}`, ...way];
    await crash(program, handler, database, pipeline.submitUrl, options);
    const id = await pipeline.nextId();
    const [dump] = database.completed;
    assert.equal(dump?.subarray(0, 4).toString(), "MDMP");
    assert.ok((await pipeline.read(`v1/dump/${id}`)).equals(dump), "byte for byte");
    assert.equal((await pipeline.read(`v1/notestxt/${id}`)).toString(), "attached");
    await assertRawCrash(pipeline, id, { ProductName: "Crashing", Version: "1.2.3" });
  }
});

const chromium = findChromium();
if (chromium !== undefined)
  test("Chromium: a page crashes, and the handler's minidump of it is in S3", async (t) => {
    const pipeline = await startPipeline(t);
    const database = new CrashpadDatabase(mkdtempSync(join(pipeline.folder, "db-")));
    await crashChromium(t, chromium, database);
    await uploadPending(findCrashpadHandler(), database, pipeline.submitUrl);
    const id = await pipeline.nextId();
    const [dump] = database.completed;
    assert.ok(dump !== undefined && (await pipeline.read(`v1/dump/${id}`)).equals(dump), "byte for byte");
    const { ptype, prod, ver } = JSON.parse((await pipeline.read(rawCrashKey(id))).toString());
    assert.deepEqual([ptype, typeof prod, typeof ver], ["renderer", "string", "string"]);
  });

test("Breakpad's minidump_upload, and pigeon send", async (t) => {
  const pipeline = await startPipeline(t);
  const upload = await compileMinidumpUpload(pipeline.folder);
  const dump = join(pipeline.folder, "some.dmp");
  writeFileSync(dump, Buffer.from("MDMP\x93\xa7\0\0binary", "latin1"));
  const { stdout } = await promisify(execFile)(upload, ["-p", "Crashing", "-v", "1.2.3", dump, pipeline.submitUrl]);
  const id = await pipeline.nextId();
  assert.match(stdout, new RegExp(`CrashID=bp-${id}`));
  assert.equal((await pipeline.read(`v1/dump/${id}`)).toString("latin1"), "MDMP\x93\xa7\0\0binary");
  await assertRawCrash(pipeline, id, { prod: "Crashing", ver: "1.2.3" });

  const options = ["--url", pipeline.submitUrl, "--annotation", "ProductName=Sent", "--annotation", "Channel=beta"];
  const sent = await run("pigeon", ["send", dump, `memory_report=${dump}`, ...options]);
  const sentId = await pipeline.nextId();
  assert.deepEqual([sent.stdout, sent.code], [`CrashID=bp-${sentId}\n`, 0]);
  assert.equal((await pipeline.read(`v1/memory_report/${sentId}`)).toString("latin1"), "MDMP\x93\xa7\0\0binary");
  const { ProductName, Version, Channel } = JSON.parse((await pipeline.read(rawCrashKey(sentId))).toString());
  assert.deepEqual([ProductName, Version, Channel], ["Sent", "1.0", "beta"]);
});
