import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { ConfigurationError } from "../ops/errors.ts";
import { parseQueues } from "../pigeon/configuration.ts";
import type { BrokerAddress } from "../queue/broker-address.ts";
import { findOrStartBroker } from "./broker/broker.ts";

/** The project's folder: where package.json, local.env and dist lie. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Run-time state of the development stack; PIGEON_STATE_DIRECTORY moves it, so that tests have their own. */
export function stateDirectory(): string {
  return process.env.PIGEON_STATE_DIRECTORY ?? join(ROOT, ".pigeon");
}

export function brokerDirectory(): string {
  return join(stateDirectory(), "broker");
}

type Environment = Readonly<Record<string, string>>;

/** Pigeon's variables in development: those of local.env, over which the ones of the environment win. */
export function readDevelopmentEnvironment(environment: NodeJS.ProcessEnv = process.env): Environment {
  const given = Object.entries(environment).filter(
    (entry): entry is [string, string] => /^PIGEON_(?!STATE_)/.test(entry[0]) && entry[1] !== undefined,
  );
  return { ...readEnvironmentFile(join(ROOT, "local.env")), ...Object.fromEntries(given) };
}

/** NAME=value lines, `#` comments and quotes as in any .env file. */
export function readEnvironmentFile(path: string): Environment {
  try {
    return parseEnv(readFileSync(path, "utf8")) as Record<string, string>;
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new ConfigurationError([`environment file ${path}: expected a readable file, got ${reason}`], { cause });
  }
}

/**
 * The same variables with a broker behind them: a configured PIGEON_HOST is used as it is, otherwise the development broker
 * of this machine is found or started. `started` tells whether this call did so.
 */
export async function provideBroker(
  environment: Environment,
  say: (sentence: string) => void,
): Promise<{ readonly environment: Environment; readonly address: BrokerAddress; readonly started: boolean }> {
  const { PIGEON_USER: user = "", PIGEON_PASSWORD: password = "", PIGEON_VIRTUAL_HOST: virtualHost = "" } = environment;
  if (environment.PIGEON_HOST) {
    const address = {
      host: environment.PIGEON_HOST,
      port: Number(environment.PIGEON_PORT || 5672),
      user,
      password,
      virtualHost,
    };
    return { environment, address, started: false };
  }
  const queues = developmentQueues();
  const { address, started } = await findOrStartBroker({
    directory: brokerDirectory(),
    user,
    password,
    virtualHost,
    queues,
    say,
  });
  const provided = { ...environment, PIGEON_HOST: address.host, PIGEON_PORT: String(address.port) };
  return { environment: provided, address, started };
}

/** A development broker starts with the queues of local.env, so that the first invocation finds them; others are declared. */
function developmentQueues(): string[] {
  const parsed = parseQueues(readEnvironmentFile(join(ROOT, "local.env")).PIGEON_QUEUE ?? "");
  return "value" in parsed ? parsed.value.map(({ name }) => name) : [];
}
