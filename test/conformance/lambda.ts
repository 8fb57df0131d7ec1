import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { InvokeCommand, type InvokeCommandInput, type InvokeCommandOutput, LambdaClient } from "@aws-sdk/client-lambda";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

/** `local-lambda serve` with one function of test/functions, and AWS's SDK. */
export interface Served {
  /** The answer as the recordings write it. */
  invoke(event?: object, more?: Partial<InvokeCommandInput>): Promise<Record<string, unknown>>;
  /** An answer that is an error, from its own bytes: the SDK does not tell `message` from `Message`. */
  refuse(body: string | Buffer<ArrayBuffer>, functionName?: string): Promise<Record<string, unknown>>;
  /** What it has logged so far. */
  log(): string;
  /** The first record that went to the destination. */
  record(): Promise<unknown>;
}

export async function serve(
  t: TestContext,
  name: string,
  runtime: string,
  options: readonly string[] = [],
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const zip = join(ROOT, "test", "functions", name);
  const kept = join(folder, "kept.jsonl");
  const destinations = ["--on-success", `file:${kept}`, "--on-failure", `file:${kept}`];
  const args = [
    "serve",
    "--port",
    "0",
    "--name",
    name,
    "--zip",
    zip,
    "--runtime",
    runtime,
    ...destinations,
    ...options,
  ];
  const server = new BackgroundProgram(t, "local-lambda", args, { PIGEON_STATE_DIRECTORY: folder });
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const client = new LambdaClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  t.after(() => client.destroy());
  return {
    invoke: async (event = {}, more = {}) => {
      const Payload = Buffer.from(JSON.stringify(event));
      return describe(await client.send(new InvokeCommand({ FunctionName: name, Payload, ...more })));
    },
    refuse: async (body, functionName = name) => {
      const url = `${endpoint}/2015-03-31/functions/${functionName}/invocations`;
      const answer = await fetch(url, { method: "POST", body });
      const members = (await answer.json()) as Record<string, unknown>;
      return { StatusCode: answer.status, Code: answer.headers.get("x-amzn-errortype"), ...members };
    },
    log: () => server.output,
    record: async () => {
      await until("a record is kept", () => existsSync(kept) && readFileSync(kept, "utf8").endsWith("\n"), 20_000);
      return JSON.parse(readFileSync(kept, "utf8").split("\n")[0] ?? "");
    },
  };
}

/** The payload as a value, as the recordings have it; what is no JSON, and `null`, as text. */
function describe(output: InvokeCommandOutput): Record<string, unknown> {
  const { StatusCode, ExecutedVersion, FunctionError, LogResult } = output;
  const text = output.Payload?.transformToString() ?? "";
  const answer = { StatusCode, ExecutedVersion, FunctionError, LogResult, Payload: parse(text) };
  return Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== undefined));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) ?? text;
  } catch {
    return text;
  }
}
