import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "./program.ts";
import { until } from "./until.ts";

const run = promisify(execFile);

/** Milliseconds for a compilation, or for a crash and its upload. */
const LIMIT = 120_000;

/** Where Breakpad's sources lie: npm's minidump brings them. */
const BREAKPAD = join(ROOT, "node_modules", "minidump", "deps", "breakpad", "src");

/** Debian's packages with the handler and the compiler. */
const PACKAGES = ["chromium-common", "g++"];

/** Installs what is missing, as root on Debian; elsewhere it says what to install. */
export async function installCrashClients(): Promise<void> {
  const missing = PACKAGES.filter((name) => spawnSync("dpkg", ["-s", name]).status !== 0);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`the tests of crash clients need ${missing.join(" and ")} of Debian`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { env, timeout: LIMIT });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env, timeout: LIMIT });
}

/** Crashpad's handler of Debian's Chromium (package chromium-common). */
export function findCrashpadHandler(): string {
  const files = execFileSync("dpkg", ["-L", "chromium-common"], { encoding: "utf8" }).split("\n");
  const handler = files.find((file) => file.endsWith("/chrome_crashpad_handler"));
  if (handler === undefined) throw new Error("package chromium-common has no chrome_crashpad_handler");
  return handler;
}

/** Compiles the program that crashes; `folder` takes it. */
export async function compileCrash(folder: string): Promise<string> {
  const program = join(folder, "crash");
  const source = join(ROOT, "test", "clients", "crash.cpp");
  await run("g++", ["-g", "-O0", "-std=c++17", "-o", program, source], { timeout: LIMIT });
  return program;
}

/** Compiles Breakpad's minidump_upload; `folder` takes it. */
export async function compileMinidumpUpload(folder: string): Promise<string> {
  const program = join(folder, "minidump_upload");
  const sources = [
    "tools/linux/symupload/minidump_upload.cc",
    "common/linux/http_upload.cc",
    "common/path_helper.cc",
  ].map((path) => join(BREAKPAD, path));
  await run("g++", ["-std=c++20", "-I", BREAKPAD, "-o", program, ...sources, "-ldl"], { timeout: LIMIT });
  return program;
}

/** Where settings.dat has its options; bytes. */
const OPTIONS_OFFSET = 8;

/** Crashpad's folder of reports. */
export class CrashpadDatabase {
  readonly directory: string;

  /** Made in `folder`, with uploads on: "sdPC", version 1, options 1, padding, time of the last upload, client id. */
  constructor(folder: string) {
    this.directory = join(folder, "crashpad");
    for (const name of ["new", "pending", "completed", "attachments"])
      mkdirSync(join(this.directory, name), { recursive: true });
    const head = Buffer.from([...Buffer.from("sdPC"), 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    writeFileSync(join(this.directory, "settings.dat"), Buffer.concat([head, Buffer.alloc(8), randomBytes(16)]));
  }

  /** The minidumps that were uploaded, or given up. */
  get completed(): Buffer[] {
    return this.#dumps("completed");
  }

  /** The minidumps that are to be uploaded. */
  get pending(): Buffer[] {
    return this.#dumps("pending");
  }

  /** A browser has its own idea of that. */
  allowUploads(): void {
    const path = join(this.directory, "settings.dat");
    const settings = readFileSync(path);
    settings.writeUInt32LE(settings.readUInt32LE(OPTIONS_OFFSET) | 1, OPTIONS_OFFSET);
    writeFileSync(path, settings);
  }

  #dumps(state: "pending" | "completed"): Buffer[] {
    const folder = join(this.directory, state);
    return readdirSync(folder)
      .filter((name) => name.endsWith(".dmp"))
      .map((name) => readFileSync(join(folder, name)));
  }
}

/** Debian's Chromium, if it is installed. */
export function findChromium(): string | undefined {
  return existsSync("/usr/bin/chromium") ? "/usr/bin/chromium" : undefined;
}

/** Lets a page of headless Chromium crash; resolves when its minidump is in the database, not yet uploaded. */
export async function crashChromium(
  t: Pick<TestContext, "after">,
  chromium: string,
  database: CrashpadDatabase,
): Promise<void> {
  const profile = `${database.directory}-profile`;
  const args = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
  ];
  args.push("--disable-background-networking", "--disable-component-update", `--user-data-dir=${profile}`);
  args.push("--enable-crash-reporter", "--remote-debugging-port=0", "about:blank");
  const env = { ...process.env, BREAKPAD_DUMP_LOCATION: database.directory };
  const browser = spawn(chromium, args, { env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  const closed = once(browser, "close");
  t.after(async () => {
    process.kill(-(browser.pid as number), "SIGKILL");
    await closed;
  });
  let output = "";
  browser.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [, debugging] = await until("Chromium listens", () => /listening on ws:\/\/([^/]+)\//.exec(output), LIMIT);
  await fetch(`http://${debugging}/json/new?chrome://crash`, { method: "PUT" });
  await until("the minidump is written", () => database.pending.length > 0, LIMIT);
}

/** Lets the handler upload what is pending; it is stopped when all is done with. */
export async function uploadPending(
  handler: string,
  database: CrashpadDatabase,
  url: string,
  options: readonly string[] = [],
): Promise<void> {
  database.allowUploads();
  const args = [`--database=${database.directory}`, `--url=${url}`, "--no-rate-limit", ...options];
  args.push("--initial-client-fd=3", "--shared-client-connection");
  const child = spawn(handler, args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const closed = once(child, "close");
  try {
    await until("everything is uploaded", () => database.pending.length === 0, LIMIT);
  } finally {
    child.kill("SIGKILL");
    await closed;
  }
}

/** Lets `program` crash; resolves when its minidump is uploaded. */
export async function crash(
  program: string,
  handler: string,
  database: CrashpadDatabase,
  url: string,
  options: readonly string[],
): Promise<void> {
  const args = [handler, `--database=${database.directory}`, `--url=${url}`, "--no-rate-limit", ...options];
  await run(program, args, { timeout: LIMIT });
  // On a busy machine the handler may end before it has begun to upload: it does so when it is started the next time.
  if (database.pending.length > 0) await uploadPending(handler, database, url, options);
}
