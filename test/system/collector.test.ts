/** `pigeon collector` and `pigeon send` as programs. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { BackgroundProgram } from "../helpers/background.ts";
import { run } from "../helpers/program.ts";
import { startBucket } from "../helpers/s3.ts";
import { until } from "../helpers/until.ts";

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function startCollector(t: TestContext, env: Readonly<Record<string, string>>) {
  const program = new BackgroundProgram(t, "pigeon", ["collector"], { COLLECTOR_PORT: "0", ...env });
  const [, url = ""] = await program.printed(/^listening on (http:\S+)$/m);
  return { program, url };
}

test("spooled reports survive kill -9, and are saved by the next start", async (t) => {
  const folder = makeFolder(t);
  const spool = join(folder, "spool");
  const dump = join(folder, "a.dmp");
  writeFileSync(dump, "MDMP");
  const away = { COLLECTOR_BUCKET: "crashes", COLLECTOR_SPOOL: spool, COLLECTOR_S3_ENDPOINT: "http://127.0.0.1:1" };
  const first = await startCollector(t, { ...away, COLLECTOR_SAVE_SECONDS: "1" });
  assert.match(first.program.output, /reports go to the spool: object test\/collector-/);
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    const { stdout, code, stderr } = await run("pigeon", ["send", dump, "--url", `${first.url}/submit`]);
    assert.equal(code, 0, stdout + stderr);
    ids.push(stdout.trim().replace("CrashID=bp-", ""));
  }
  await first.program.stop("SIGKILL");
  assert.equal(readdirSync(join(spool, "kept")).length, 3);
  const bucket = await startBucket(t, "crashes");
  const second = await startCollector(t, { ...away, COLLECTOR_S3_ENDPOINT: bucket.endpoint });
  await until("all are saved", () => readdirSync(join(spool, "kept")).length === 0);
  for (const id of ids) assert.equal(await bucket.read(`v1/dump/${id}`), "MDMP");
  assert.equal(await second.program.stop("SIGTERM"), 0);
});

test("a wrong configuration is exit code 2 with every problem, and shows no token", async () => {
  const env = {
    COLLECTOR_BUCKET: "",
    COLLECTOR_PORT: "x",
    COLLECTOR_S3_ENDPOINT: "nowhere",
    COLLECTOR_UUID_TOKEN: "hunter2",
    COLLECTOR_MAX_BYTES: "-1",
  };
  const { code, stdout, stderr } = await run("pigeon", ["collector"], { env });
  assert.deepEqual([code, stdout], [2, ""]);
  for (const name of ["COLLECTOR_BUCKET", "COLLECTOR_PORT", "COLLECTOR_S3_ENDPOINT", "COLLECTOR_MAX_BYTES"])
    assert.match(stderr, new RegExp(`^error: ${name}: expected .*, got `, "m"));
  assert.doesNotMatch(stderr, /hunter2/);
});

test("it does not start when nothing can be saved, or when its port is taken", async (t) => {
  const nowhere = { COLLECTOR_BUCKET: "crashes", COLLECTOR_S3_ENDPOINT: "http://127.0.0.1:1", COLLECTOR_PORT: "0" };
  const unsaved = await run("pigeon", ["collector"], { env: nowhere });
  assert.deepEqual([unsaved.code, unsaved.stdout], [1, ""]);
  assert.match(unsaved.stderr, /^error: object test\/collector-.* cannot be saved in bucket crashes: .*ECONNREFUSED/m);
  const { endpoint } = await startBucket(t, "crashes");
  const env = { COLLECTOR_BUCKET: "crashes", COLLECTOR_S3_ENDPOINT: endpoint };
  const { url } = await startCollector(t, env);
  const taken = await run("pigeon", ["collector"], { env: { ...env, COLLECTOR_PORT: new URL(url).port } });
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /^error: the collector cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE$/m);
});

test("send says what went wrong", async (t) => {
  const dump = join(makeFolder(t), "a.dmp");
  writeFileSync(dump, "MDMP");
  const missing = await run("pigeon", ["send", "nowhere.dmp"]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^error: file: expected a readable file, got nowhere\.dmp/);
  const nobody = await run("pigeon", ["send", dump, "--url", "http://127.0.0.1:1/submit"]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^error: the collector at http:\/\/127\.0\.0\.1:1\/submit does not answer: /);
  const { endpoint } = await startBucket(t, "crashes");
  const { url } = await startCollector(t, { COLLECTOR_BUCKET: "crashes", COLLECTOR_S3_ENDPOINT: endpoint });
  const refused = await run("pigeon", ["send", `raw_crash=${dump}`, "--url", `${url}/submit`]);
  assert.deepEqual([refused.code, refused.stdout], [1, "Discarded=malformed_invalid_dump_name\n"]);
});
