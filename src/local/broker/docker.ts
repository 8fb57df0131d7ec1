import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { StackError } from "../../ops/errors.ts";
import { openConnection } from "./amqp-handshake.ts";
import { makeDefinitions } from "./definitions.ts";
import type { NodeSetting } from "./rabbitmq-node.ts";
import type { BrokerState } from "./state.ts";

const run = promisify(execFile);

const IMAGE = "rabbitmq:4";

/** Limits: to find out whether an engine runs; to fetch an image and start it; ms. */
const ENGINE_LIMIT = 5000;
const RUN_LIMIT = 300_000;

/** Whether `docker` (a path) has an engine to talk to. */
export async function hasDockerEngine(docker: string): Promise<boolean> {
  return run(docker, ["info"], { timeout: ENGINE_LIMIT }).then(
    () => true,
    () => false,
  );
}

/** The same broker in a container, published on loopback only. Tested against a stand-in for the docker program alone. */
export async function startContainer(docker: string, setting: NodeSetting): Promise<BrokerState> {
  const { directory, user, password, virtualHost, timeout } = setting;
  const definitions = join(directory, "definitions.json");
  const configuration = join(directory, "rabbitmq.conf");
  await writeFile(definitions, makeDefinitions(setting), { mode: 0o644 });
  await writeFile(configuration, "load_definitions = /etc/rabbitmq/definitions.json\n", { mode: 0o644 });
  const mounts = [definitions, configuration].flatMap((file) => [
    "--volume",
    `${file}:/etc/rabbitmq/${file.slice(directory.length + 1)}:ro`,
  ]);
  const { stdout } = await run(docker, ["run", "--detach", "--rm", "--publish", "127.0.0.1::5672", ...mounts, IMAGE], {
    timeout: RUN_LIMIT,
  });
  const container = stdout.trim();
  const published = (await run(docker, ["port", container, "5672/tcp"])).stdout.trim();
  const port = Number(published.slice(published.lastIndexOf(":") + 1));
  const address = { host: "127.0.0.1", port, user, password, virtualHost };
  const deadline = Date.now() + timeout;
  for (;;) {
    try {
      await openConnection(address, 2000);
      return { address, how: "docker", container };
    } catch (cause) {
      if (Date.now() > deadline) {
        await stopContainer(docker, container);
        throw new StackError(`RabbitMQ in Docker is not ready after ${timeout} ms: ${cause}`, { cause });
      }
      await delay(200);
    }
  }
}

/** A container that is gone already is no error. */
export async function stopContainer(docker: string, container: string): Promise<void> {
  await run(docker, ["rm", "--force", container], { timeout: 30_000 }).catch(() => {});
}
