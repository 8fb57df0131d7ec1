/** Pigeon's kept connection in an environment that is frozen between invocations. */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { brokerAddress, ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT, run } from "../helpers/program.ts";
import { startProxy } from "../helpers/proxy.ts";

const ID = "00007bd0-2d1c-4865-af09-80bc00180313";

test("a connection that died while the function was frozen costs nothing but a new one", async (t) => {
  const queue = ownQueueName(t);
  const proxy = await startProxy(t, brokerAddress().port);
  const env = pigeonEnvironment(queue);
  assert.equal((await run("pigeon", ["queue", "declare"], { env })).code, 0);
  const variables = Object.entries({ ...env, PIGEON_PORT: String(proxy.port) });
  const options = variables.flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const zip = join(ROOT, "dist", "pigeon.zip");
  const args = [
    "serve",
    "--port",
    "0",
    "--name",
    "pigeon",
    "--zip",
    zip,
    "--handler",
    "pigeon.handler",
    "--timeout",
    "10",
  ];
  const server = new BackgroundProgram(t, "local-lambda", [...args, ...options]);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const client = new LambdaClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
  t.after(() => client.destroy());
  const event = Buffer.from((await run("pigeon", ["event"])).stdout);
  const invoke = async (): Promise<string | undefined> => {
    const answer = await client.send(new InvokeCommand({ FunctionName: "pigeon", Payload: event }));
    assert.equal(answer.FunctionError, undefined, server.output);
    return answer.Payload?.transformToString();
  };
  assert.equal(await invoke(), "null");
  assert.equal(await invoke(), "null");
  assert.equal(proxy.connections, 1, "the connection is kept");
  proxy.cut();
  assert.equal(await invoke(), "null");
  assert.equal(proxy.connections, 2, "one more, at once");
  assert.deepEqual(await takeItems(queue), [ID, ID, ID]);
});
