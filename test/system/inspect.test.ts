import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT } from "../helpers/program.ts";

const FUNCTIONS = join(ROOT, "test", "functions");

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Speaks the debugger's protocol: https://chromedevtools.github.io/devtools-protocol/v8/ */
async function attach(t: TestContext, port: number): Promise<(method: string, params?: object) => Promise<unknown>> {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
  t.after(() => socket.close());
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  let id = 0;
  return (method, params = {}) =>
    new Promise((resolve) => {
      const mine = ++id;
      socket.addEventListener("message", ({ data }) => {
        const message = JSON.parse(String(data)) as { id?: number; result?: unknown };
        if (message.id === mine) resolve(message.result);
      });
      socket.send(JSON.stringify({ id: mine, method, params }));
    });
}

test("invoke --inspect waits for a debugger, and knows no time limit while it is there", async (t) => {
  const port = await freePort();
  const args = ["invoke", join(FUNCTIONS, "package.json"), "--zip", join(FUNCTIONS, "sleeps"), "--timeout", "1"];
  const program = new BackgroundProgram(t, "local-lambda", [...args, "--inspect", String(port)]);
  await program.printed(/Debugger listening on ws:\/\/127\.0\.0\.1:/);
  assert.doesNotMatch(program.output, /^START/m);
  const send = await attach(t, port);
  const { result } = (await send("Runtime.evaluate", { expression: "process.title = 'debugged'" })) as {
    result: { value?: string };
  };
  assert.equal(result.value, "debugged");
  await send("Runtime.runIfWaitingForDebugger");
  await program.printed(/^REPORT .*Status: |^REPORT .*\t$/m);
});

test("serve --inspect: one environment, no time limit, never frozen", async (t) => {
  const port = await freePort();
  const args = [
    "serve",
    "--port",
    "0",
    "--zip",
    join(FUNCTIONS, "sleeps"),
    "--timeout",
    "1",
    "--inspect",
    String(port),
  ];
  const server = new BackgroundProgram(t, "local-lambda", args);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const url = `${endpoint}/2015-03-31/functions/function/invocations`;
  const answer = await fetch(url, { method: "POST", body: '{"ms":1500}' });
  assert.equal(answer.headers.get("x-amz-function-error"), null, server.output);
  const send = await attach(t, port);
  assert.ok(await send("Runtime.evaluate", { expression: "1 + 1" }), "between invocations the process answers");
  assert.equal(await server.stop("SIGTERM"), 0);
});
