/** What clients may send, valid, odd and hostile: what they are told, and what is stored. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test, { after, before } from "node:test";
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { foldersInFlight, type ServedCollector, serveCollector } from "../helpers/collector.ts";
import { PAYLOAD_VARIABLES, PAYLOADS, type Payload } from "./payloads.ts";

let served: ServedCollector;
const releases: (() => unknown)[] = [];
before(async () => {
  served = await serveCollector(
    { after: (release) => void releases.push(release as () => unknown) },
    PAYLOAD_VARIABLES,
  );
});
after(async () => {
  for (const release of releases.reverse()) await release();
});

async function read(key: string): Promise<string> {
  const { Body } = await served.client.send(new GetObjectCommand({ Bucket: served.bucket, Key: key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []).toString();
}

async function countObjects(): Promise<number> {
  let count = 0;
  for (let token: string | undefined, more = true; more; more = token !== undefined) {
    const page = await served.client.send(
      new ListObjectsV2Command({ Bucket: served.bucket, ContinuationToken: token }),
    );
    count += page.KeyCount ?? 0;
    token = page.NextContinuationToken;
  }
  return count;
}

async function assertStored(id: string, wanted: Payload): Promise<void> {
  const { annotations, dumps = {}, notes = [], payload, body, options } = wanted;
  const rawCrash = JSON.parse(await read(`v2/raw_crash/${id.slice(0, 3)}/20${id.slice(-6)}/${id}`));
  const { uuid, version, submitted_timestamp, metadata, ...stored } = rawCrash;
  assert.deepEqual(stored, annotations ?? { ProductName: "Firefox", Version: "60.0" });
  assert.deepEqual([uuid, version], [id, 2]);
  assert.ok(Math.abs(Date.parse(submitted_timestamp) - Date.now()) < 60_000);
  assert.deepEqual(Object.keys(rawCrash), Object.keys(rawCrash).sort());
  assert.deepEqual(metadata.collector_notes, notes);
  assert.equal(metadata.payload, payload ?? "multipart");
  assert.equal(metadata.payload_size, body.length);
  assert.equal(metadata.payload_compressed, /gzip/i.test(options?.headers?.["content-encoding"] ?? "") ? "1" : "0");
  assert.deepEqual([metadata.throttle_rule, metadata.throttle_result], ["accept_everything", "accept"]);
  assert.deepEqual(JSON.parse(await read(`v1/dump_names/${id}`)), Object.keys(dumps).sort());
  assert.deepEqual(Object.keys(metadata), Object.keys(metadata).sort());
  assert.deepEqual(Object.keys(metadata.dump_checksums), Object.keys(dumps).sort());
  for (const [name, body] of Object.entries(dumps)) {
    const key = name === "upload_file_minidump" ? "dump" : name;
    assert.equal(await read(`v1/${key}/${id}`), body);
    assert.equal(metadata.dump_checksums[name], createHash("sha256").update(body).digest("hex"));
  }
}

test("there are at least eighty", () => {
  assert.ok(PAYLOADS.length >= 80, String(PAYLOADS.length));
  assert.equal(new Set(PAYLOADS.map(({ what }) => what)).size, PAYLOADS.length);
});

for (const payload of PAYLOADS)
  test(payload.what, async () => {
    const { answer, body, options } = payload;
    const before = await countObjects();
    const { status, text, headers } = await served.submit(body, options);
    if (answer === "saved") {
      assert.equal(`${status} ${text.replace(/[0-9a-f]{8}-[0-9a-f-]{20}0\d{6}/, "ID")}`, "200 CrashID=bp-ID\n");
      await assertStored(text.slice("CrashID=bp-".length, -1), payload);
    } else {
      assert.deepEqual([status, text], answer);
      assert.equal(await countObjects(), before, "nothing is stored");
    }
    assert.match(headers["content-type"] ?? "", /^text\/plain/);
    assert.deepEqual(foldersInFlight(served), [], "nothing is left of it");
  });
