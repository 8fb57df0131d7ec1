import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ROOT } from "../helpers/program.ts";

/** Writes lines of both kinds into one pipe that nobody reads for a while, then says that all have left. */
const PROGRAM = `
  import { flushOutput, writeLine } from "${join(ROOT, "src", "ops", "output.ts")}";
  for (let n = 0; n < 5000; n++) {
    writeLine(process.stderr, "stderr " + n + " " + "x".repeat(200) + "\\n");
    if (n % 7 === 0) writeLine(process.stdout, "stdout " + n + "\\n");
    if (n % 100 === 0) await new Promise(setImmediate);
  }
  await flushOutput(60_000);
  process.exit();`;

test("lines of stdout and stderr in one full pipe stay whole, in their order, and none is left behind", async () => {
  const script = 'exec "$0" --input-type=module-typescript -e "$1" 2>&1';
  const child = spawn("/bin/sh", ["-c", script, process.execPath, PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  await delay(300); // the pipe fills
  const text = Buffer.concat(await child.stdout.toArray()).toString();
  await closed;
  const expected = Array.from({ length: 5000 }, (_, n) => [
    `stderr ${n} ${"x".repeat(200)}`,
    ...(n % 7 === 0 ? [`stdout ${n}`] : []),
  ]).flat();
  assert.deepEqual(text.split("\n").slice(0, -1), expected);
});

test("a reader that never reads is given up", async () => {
  const program = PROGRAM.replace("60_000", "200");
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [code] = (await once(child, "exit")) as [number | null];
  child.stdout.destroy();
  child.stderr.destroy();
  assert.equal(code, 0);
});
