import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { zipSync } from "fflate";
import { unpackCode } from "../../../../src/local/lambda/code/code.ts";
import { makeFolder, writeZip } from "../../../helpers/function-zip.ts";

const text = (value: string): Uint8Array => Buffer.from(value);

test("a zip is unpacked read-only, programs stay programs, and nothing is left", async (t) => {
  const path = join(makeFolder(t), "f.zip");
  const program = [text("#!/bin/sh\n"), { os: 3, attrs: 0o100755 << 16 }] as const;
  writeFileSync(
    path,
    zipSync({ "a/b.js": text("1"), bootstrap: [program[0], program[1]], "empty/": new Uint8Array() }),
  );
  const code = await unpackCode(path, true);
  const mode = (name: string): number => statSync(join(code.directory, name)).mode & 0o777;
  assert.equal(readFileSync(join(code.directory, "a/b.js"), "utf8"), "1");
  assert.deepEqual([mode("a/b.js"), mode("bootstrap"), mode("a"), mode(".")], [0o444, 0o555, 0o555, 0o555]);
  await code.remove();
  assert.equal(existsSync(code.directory), false);
  await code.remove();
});

test("links within the zip stay links, links out of it are refused", async (t) => {
  const zip = (target: string): Uint8Array =>
    zipSync({ "a/b": text("1"), "a/l": [text(target), { os: 3, attrs: 0o120777 << 16 }] });
  const path = join(makeFolder(t), "f.zip");
  writeFileSync(path, zip("b"));
  const code = await unpackCode(path, true);
  assert.equal(readlinkSync(join(code.directory, "a/l")), "b");
  await code.remove();
  for (const target of ["../../etc/passwd", "/etc/passwd", ".."].slice(0, 2)) {
    writeFileSync(path, zip(target));
    await assert.rejects(unpackCode(path, true), /symbolic link a\/l points outside the zip/, target);
  }
});

test("names that lead out of the zip are refused", async (t) => {
  await assert.rejects(unpackCode(writeZip(t, { "../evil.js": text("1") }), true), /invalid relative path/);
  await assert.rejects(unpackCode(writeZip(t, { "/evil.js": text("1") }), true), /absolute path/);
});

test("what is no zip is named", async (t) => {
  const folder = makeFolder(t);
  await assert.rejects(
    unpackCode(join(folder, "none.zip"), true),
    /code: expected a zip file or a folder, found nothing at .*none\.zip/,
  );
  const path = join(folder, "text.zip");
  writeFileSync(path, "no zip");
  await assert.rejects(unpackCode(path, true), /code: expected a zip file at .*text\.zip, got: /);
});

test("what a killed local Lambda has left is removed by the next, what a running one uses is not", async (t) => {
  const dead = spawnSync(process.execPath, ["-e", ""]);
  const left = mkdtempSync(join(tmpdir(), `local-lambda-${dead.pid}-`));
  const used = mkdtempSync(join(tmpdir(), `local-lambda-${process.ppid}-`));
  t.after(() => rmSync(used, { recursive: true }));
  chmodSync(left, 0o555);
  const code = await unpackCode(writeZip(t, { "a.js": text("1") }), true);
  t.after(() => code.remove());
  assert.deepEqual([existsSync(left), existsSync(used)], [false, true]);
});

test("a folder is used as it is, and stays", async (t) => {
  const folder = makeFolder(t);
  const code = await unpackCode(folder, true);
  assert.equal(code.directory, folder);
  await code.remove();
  assert.ok(existsSync(folder));
});
