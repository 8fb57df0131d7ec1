import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { ROOT } from "../helpers/program.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

/** Where root runs the tests an ordinary user is tried as well; where an ordinary user does, that one. */
const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

test("an ordinary user has the same isolation", () => {
  const zip = join(ROOT, "test", "functions", "introspects");
  const event = JSON.stringify({ paths: ["/var/task"], writes: ["TASK/x", "/tmp/x"] });
  const command = ["invoke", "--zip", zip, "--isolation", "namespace"];
  const options = {
    cwd: ROOT,
    input: event,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: "/" },
    ...user,
  } as const;
  const { status, stdout, stderr } = spawnSync(join(ROOT, "bin", "local-lambda"), command, options);
  assert.equal(status, 0, stderr);
  const seen = JSON.parse(stdout);
  assert.deepEqual([seen.user.uid, seen.user.username], [993, "sbx_user1051"]);
  assert.deepEqual(seen.writes, { "TASK/x": "EROFS", "/tmp/x": "written" });
  assert.match(stderr, /^isolation: namespaces .*1024 open files, 742 processes$/m);
});

test("an ordinary user's function is killed when it takes too much memory", () => {
  const zip = join(ROOT, "test", "functions", "exhausts-memory");
  const options = {
    cwd: ROOT,
    input: '{"megabytes":512}',
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: "/" },
    ...user,
  } as const;
  const command = ["invoke", "--zip", zip, "--timeout", "20"];
  const { status, stdout, stderr } = spawnSync(join(ROOT, "bin", "local-lambda"), command, options);
  assert.equal(status, 1, stderr);
  assert.match(stdout, /Runtime exited with error: signal: killed/);
  assert.match(stderr, /Error Type: Runtime\.OutOfMemory/);
});
