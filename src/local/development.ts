import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { ConfigurationError, StackError } from "../ops/errors.ts";
import { parseQueues, readPigeonConfiguration } from "../pigeon/configuration.ts";
import { makeBrokerFinder } from "../pigeon/find-broker.ts";
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

/** Pigeon's variables with a broker behind them. */
export interface ProvidedBroker {
  readonly environment: Environment;
  /** Rejects when the variables do not say where the broker is, or when its secrets cannot be read. */
  readonly findAddress: () => Promise<BrokerAddress>;
  /** Whether this call has started it. */
  readonly started: boolean;
}

/** How long AWS may take to hand over the secrets of a configured broker; ms. */
const SECRET_LIMIT = 10_000;

/** A configured PIGEON_HOST is used as it is, otherwise the development broker of this machine is found or started. */
export async function provideBroker(
  environment: Environment,
  say: (sentence: string) => void,
): Promise<ProvidedBroker> {
  if (environment.PIGEON_HOST) return { environment, findAddress: () => findAddress(environment), started: false };
  const { PIGEON_USER: user = "", PIGEON_PASSWORD: password = "", PIGEON_VIRTUAL_HOST: virtualHost = "" } = environment;
  const { address, started } = await findOrStartBroker({
    directory: brokerDirectory(),
    user,
    password,
    virtualHost,
    queues: developmentQueues(),
    say,
  });
  const { host, port } = address;
  const provided = { ...environment, PIGEON_HOST: host, PIGEON_PORT: String(port) };
  return { environment: provided, findAddress: () => findAddress(provided), started };
}

async function findAddress(environment: Environment): Promise<BrokerAddress> {
  const find = makeBrokerFinder(readPigeonConfiguration(environment));
  try {
    return await find(Date.now() + SECRET_LIMIT);
  } catch (cause) {
    throw new StackError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A development broker starts with the queues of local.env, so that the first invocation finds them; others are declared. */
function developmentQueues(): string[] {
  const parsed = parseQueues(readEnvironmentFile(join(ROOT, "local.env")).PIGEON_QUEUE ?? "");
  return "value" in parsed ? parsed.value.map(({ name }) => name) : [];
}
