/** `npm test`: builds the zip, starts one RabbitMQ for all test files, runs them, stops it. Arguments choose test files or folders. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildArtifact } from "../src/local/artifact.ts";
import { findOrStartBroker, stopBroker } from "../src/local/broker/broker.ts";
import { ROOT } from "../src/local/development.ts";
import { describeRuntime, findRuntime } from "../src/local/lambda/runtime/runtime.ts";

const directory = mkdtempSync(join(tmpdir(), "pigeon-test-"));
const say = (sentence: string): void => console.log(sentence);
// Odd characters on purpose: nothing may take user, password or virtual host apart.
const credentials = { user: "test er", password: "p#a's\"s %2F ü", virtualHost: "v/host%20" };

async function runTests(): Promise<number> {
  const artifact = await buildArtifact(ROOT);
  say(`built dist/pigeon.zip: ${artifact.size} bytes, sha256 ${artifact.sha256}`);
  say(describeRuntime(await findRuntime("nodejs24.x", say)));
  const { address } = await findOrStartBroker({ directory: join(directory, "broker"), ...credentials, say });
  const env = {
    ...process.env,
    TEST_BROKER: JSON.stringify(address),
    PIGEON_STATE_DIRECTORY: join(directory, "state"),
  };
  const files = chooseFiles(process.argv.slice(2));
  // The soak takes the whole machine: it comes after the others.
  const [soaks = [], others = []] = [true, false].map((isSoak) =>
    files.filter((file) => /\bsoak\b/.test(file) === isSoak),
  );
  const codes = [];
  for (const group of [others, soaks]) if (group.length > 0) codes.push(await runFiles(group, env));
  return codes.find((code) => code !== 0) ?? 0;
}

async function runFiles(files: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const options = ["--test", "--test-concurrency=2", "--test-timeout=300000", "--test-reporter=spec"];
  const child = spawn(process.execPath, [...options, ...files], { stdio: "inherit", cwd: ROOT, env });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, forward);
  const [code] = (await once(child, "exit")) as [number | null];
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, forward);
  return code ?? 1;
}

function chooseFiles(wanted: readonly string[]): string[] {
  const folders = wanted.length > 0 ? wanted : ["test"];
  return folders.flatMap((path) => (statSync(path).isDirectory() ? globSync(`${path}/**/*.test.ts`).sort() : [path]));
}

try {
  process.exitCode = await runTests();
} finally {
  await stopBroker(join(directory, "broker"));
  rmSync(directory, { recursive: true, force: true });
}
