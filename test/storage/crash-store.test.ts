import assert from "node:assert/strict";
import test from "node:test";
import type { S3Event } from "aws-lambda";
import { parseCrashId } from "../../src/crash/crash-id.ts";
import { startLocalS3 } from "../../src/local/s3/server.ts";
import { CrashStore } from "../../src/storage/crash-store.ts";
import { makeFolder } from "../helpers/function-zip.ts";
import { makeClient, notifyAll, objectKeys } from "../helpers/s3.ts";
import { until } from "../helpers/until.ts";

const id = parseCrashId("00007bd0-2d1c-4865-af09-80bc00180313");
assert.ok(id !== undefined);

test("the raw crash is saved last, and everything at its key", async (t) => {
  const events: S3Event[] = [];
  const s3 = await startLocalS3({ directory: makeFolder(t), notify: async (_arn, event) => void events.push(event) });
  t.after(() => s3.stop());
  const store = new CrashStore({ bucket: "crashes", region: "us-east-1", endpoint: s3.endpoint });
  t.after(() => store.close());
  await store.ensureBucket();
  await store.ensureBucket();
  const client = makeClient(t, s3);
  await notifyAll(client, "crashes");
  const dumps = new Map([
    ["upload_file_minidump", Buffer.from("MDMP")],
    ["memory_report", Buffer.from("x")],
  ]);
  await store.save(id, { rawCrash: { b: 1, a: "ü" }, dumps });
  await until("all notifications are there", () => events.length === 4);
  assert.deepEqual(
    events.map((event) => event.Records[0]?.s3.object.key),
    [`v1/dump_names/${id}`, `v1/dump/${id}`, `v1/memory_report/${id}`, `v2/raw_crash/000/20180313/${id}`],
  );
  const objects = await objectKeys(client, "crashes");
  assert.equal(objects[`v2/raw_crash/000/20180313/${id}`], '{"a":"ü","b":1}');
  assert.equal(objects[`v1/dump_names/${id}`], '["memory_report","upload_file_minidump"]');
  assert.equal(objects[`v1/dump/${id}`], "MDMP");
});

test("an error names bucket and key", async (t) => {
  const s3 = await startLocalS3({ directory: makeFolder(t), notify: async () => {} });
  t.after(() => s3.stop());
  const store = new CrashStore({ bucket: "missing", region: "us-east-1", endpoint: s3.endpoint });
  t.after(() => store.close());
  await assert.rejects(
    store.save(id, { rawCrash: {}, dumps: new Map() }),
    /v1\/dump_names\/0000.* cannot be saved in bucket missing: NoSuchBucket/,
  );
});
