import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { StackError } from "../../ops/errors.ts";

/** One question to a running node; ms. */
const ANSWER_LIMIT = 30_000;

/** Which node, as RabbitMQ's own tools find it. */
export interface ControlledNode {
  /** Where its cookie lies. */
  readonly directory: string;
  readonly nodeName: string;
  readonly epmdPort: number;
}

/** Runs `rabbitmqctl ARGS` of the server's installation against a private node, and gives what it prints. */
export async function control(server: string, node: ControlledNode, ...args: readonly string[]): Promise<string> {
  const { directory, nodeName, epmdPort } = node;
  const env = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    LANG: "C.UTF-8",
    HOME: directory,
    ERL_EPMD_PORT: String(epmdPort),
    RABBITMQ_CONF_ENV_FILE: join(directory, "rabbitmq-env.conf"),
  };
  const program = join(dirname(server), "rabbitmqctl");
  try {
    const run = promisify(execFile);
    const { stdout } = await run(program, ["--quiet", "--node", nodeName, ...args], { env, timeout: ANSWER_LIMIT });
    return stdout;
  } catch (cause) {
    const { stdout = "", stderr = "" } = cause as { stdout?: string; stderr?: string };
    throw new StackError(`rabbitmqctl ${args.join(" ")}: ${`${stdout} ${stderr}`.trim().slice(0, 500) || cause}`, {
      cause,
    });
  }
}
