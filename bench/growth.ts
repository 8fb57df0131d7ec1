/** Does the local Lambda's own process grow with invocations? 100,000 of them, the code replaced every 20,000. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { makeFunctionConfiguration } from "../src/local/lambda/function.ts";
import { LocalLambda } from "../src/local/lambda/local-lambda.ts";

const INVOCATIONS = Number(process.env.BENCH_INVOCATIONS ?? 100_000);
const REPLACED_EVERY = INVOCATIONS / 5;
const REPORTED_EVERY = INVOCATIONS / 10;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const folder = mkdtempSync(join(tmpdir(), "pigeon-bench-"));
cpSync("test/functions/echo", folder, { recursive: true });
const fn = makeFunctionConfiguration({ name: "echo", code: folder });
let logged = 0;
const lambda = await LocalLambda.start(fn, { log: (text) => (logged += text.length) });

function look(invocations: number, ms: number): { heap: number; descriptors: number } {
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  const descriptors = readdirSync("/proc/self/fd").length;
  const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  const rate = ((invocations / ms) * 1000).toFixed(0);
  console.log(
    `${String(invocations).padStart(7)} invocations: rss ${mib(rss)} MiB, heap ${mib(heapUsed)} MiB, ${descriptors} descriptors, ${rate}/s`,
  );
  return { heap: heapUsed, descriptors };
}

try {
  const payload = Buffer.from('{"a":1}');
  const started = performance.now();
  let first: ReturnType<typeof look> | undefined;
  for (let n = 1; n <= INVOCATIONS; n++) {
    await lambda.invoke(payload);
    if (n % REPLACED_EVERY === 0) await lambda.updateCode(folder);
    if (n % REPORTED_EVERY === 0) {
      const now = look(n, performance.now() - started);
      first ??= now;
      if (n === INVOCATIONS)
        console.log(
          `from ${REPORTED_EVERY} to ${INVOCATIONS}: heap x${(now.heap / first.heap).toFixed(2)}, descriptors ${now.descriptors - first.descriptors >= 0 ? "+" : ""}${now.descriptors - first.descriptors}`,
        );
    }
  }
} finally {
  await lambda.stop();
  rmSync(folder, { recursive: true, force: true });
}
