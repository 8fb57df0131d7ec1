import { join } from "node:path";
import type { TestContext } from "node:test";
import { BackgroundProgram } from "./background.ts";
import { ROOT } from "./program.ts";

/** What an invocation of the zip came to. */
export interface Invoked {
  /** Milliseconds until the answer. */
  readonly ms: number;
  /** Undefined when it succeeded. */
  readonly functionError: string | undefined;
  readonly payload: string;
}

/** Pigeon's zip in a local Lambda of its own, which stays up between invocations. */
export interface ServedPigeon {
  readonly server: BackgroundProgram;
  /** Of the Lambda API. */
  readonly endpoint: string;
  invoke(event: unknown): Promise<Invoked>;
  /** Hands the event over as S3 does; resolves when it is taken. */
  send(event: unknown): Promise<void>;
  /** Sums of the metric lines since the last call. */
  takeMetrics(): Record<string, number>;
}

export interface ServedOptions {
  /** Seconds; default 10. */
  readonly timeout?: number;
  readonly args?: readonly string[];
  /** Of the server's process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** `environment`: the function's. Stopped after the test. */
export async function servePigeon(
  t: TestContext,
  environment: Readonly<Record<string, string>>,
  { timeout = 10, args = [], env = {} }: ServedOptions = {},
): Promise<ServedPigeon> {
  const variables = Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const zip = join(ROOT, "dist", "pigeon.zip");
  const fn = ["--name", "pigeon", "--zip", zip, "--handler", "pigeon.handler", "--timeout", String(timeout)];
  const server = new BackgroundProgram(t, "local-lambda", ["serve", "--port", "0", ...fn, ...args, ...variables], env);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  let told = 0;
  const url = `${endpoint}/2015-03-31/functions/pigeon/invocations`;
  const post = (event: unknown, type: "RequestResponse" | "Event"): Promise<Response> => {
    const headers = { "x-amz-invocation-type": type };
    return fetch(url, { method: "POST", headers, body: JSON.stringify(event) });
  };
  return {
    server,
    endpoint,
    async send(event) {
      const { status } = await post(event, "Event");
      if (status !== 202) throw new Error(`the event is not taken: ${status}`);
    },
    async invoke(event) {
      const started = performance.now();
      const response = await post(event, "RequestResponse");
      const payload = await response.text();
      const functionError = response.headers.get("x-amz-function-error") ?? undefined;
      const ms = performance.now() - started;
      // What the function has printed comes by another way than its answer.
      await server.printed(new RegExp(`^REPORT RequestId: ${response.headers.get("x-amzn-requestid")}\\s`, "m"));
      return { ms, functionError, payload };
    },
    takeMetrics() {
      const text = server.output.slice(told);
      told = server.output.length;
      return sumMetrics(text);
    },
  };
}

/** Sums of the MONITORING lines by name. */
export function sumMetrics(output: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [, value, name = ""] of output.matchAll(/^MONITORING\|\d+\|(\d+)\|count\|socorro\.pigeon\.(\w+)\|/gm))
    sums[name] = (sums[name] ?? 0) + Number(value);
  return sums;
}
