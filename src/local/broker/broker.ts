import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { isRunning } from "../../ops/process.ts";
import { openConnection } from "./amqp-handshake.ts";
import type { BrokerAddress } from "./broker-address.ts";
import { hasDockerEngine, startContainer, stopContainer } from "./docker.ts";
import { findProgram, findServer, installServer, type SearchPlaces, THIS_MACHINE } from "./installation.ts";
import { type NodeSetting, startNode, stopNode } from "./rabbitmq-node.ts";
import { type BrokerState, readState, removeState, withLock, writeState } from "./state.ts";

export interface BrokerOptions {
  /** Where this broker's data, log, ports and address live. */
  readonly directory: string;
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
  /** Durable quorum queues that exist when it starts; default none. */
  readonly queues?: readonly string[];
  /** Told in sentences what takes time. */
  readonly say: (sentence: string) => void;
  /** Milliseconds from start to ready; default 60 000. */
  readonly timeout?: number;
  /** Where to look for programs; default this machine. */
  readonly places?: SearchPlaces;
}

/** A sign of life from a broker that should be running; ms. */
const ALIVE_LIMIT = 5000;

/**
 * The broker of a directory: the running one, or one that is started now and outlives this process. Tries rabbitmq-server of
 * this machine, then Docker, then an installation. Rejects with a StackError that says what to do.
 */
export async function findOrStartBroker(
  options: BrokerOptions,
): Promise<{ readonly address: BrokerAddress; readonly started: boolean }> {
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return withLock(directory, async () => {
    const state = await findRunning(directory);
    const { user, password, virtualHost, say } = options;
    if (state !== undefined) {
      const { host, port } = state.address;
      if (isDeepStrictEqual(state.address, { host, port, user, password, virtualHost }))
        return { address: state.address, started: false };
      say("the development broker runs with other credentials: starting it again");
      await stop(state, options.places);
    }
    const started = await start(options, directory);
    await writeState(directory, started);
    return { address: started.address, started: true };
  });
}

/** The address of a directory's broker if it answers; never starts one. */
export async function findBroker(directory: string): Promise<BrokerAddress | undefined> {
  return (await findRunning(resolve(directory)))?.address;
}

/** Stops a directory's broker and its epmd, or its container. False when there was nothing to stop. */
export async function stopBroker(directory: string, places?: SearchPlaces): Promise<boolean> {
  const path = resolve(directory);
  if ((await readState(path)) === undefined) return false;
  return withLock(path, async () => {
    const state = await readState(path);
    if (state === undefined) return false;
    await stop(state, places);
    await removeState(path);
    return true;
  });
}

async function start(options: BrokerOptions, directory: string): Promise<BrokerState> {
  const { user, password, virtualHost, queues = [], timeout = 60_000, places = THIS_MACHINE, say } = options;
  const setting: NodeSetting = { directory, user, password, virtualHost, queues, timeout };
  const leftOver = await readState(directory);
  if (leftOver !== undefined) await stop(leftOver, places);
  let server = findServer(places);
  const docker = findProgram("docker", places);
  if (server === undefined && docker !== undefined && (await hasDockerEngine(docker))) {
    say("starting RabbitMQ in Docker; the first time fetches its image");
    return timed(startContainer(docker, setting), say);
  }
  server ??= await installServer(directory, places, say);
  say("starting RabbitMQ, which takes about 5 s");
  return timed(startNode(server, setting), say);
}

async function timed(starting: Promise<BrokerState>, say: BrokerOptions["say"]): Promise<BrokerState> {
  const began = performance.now();
  const state = await starting;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(`RabbitMQ is ready on 127.0.0.1:${state.address.port} after ${seconds} s`);
  return state;
}

async function findRunning(directory: string): Promise<BrokerState | undefined> {
  const state = await readState(directory);
  if (state === undefined || (state.how === "node" && !isRunning(state.pid, state.mark))) return undefined;
  return openConnection(state.address, ALIVE_LIMIT).then(
    () => state,
    () => undefined,
  );
}

async function stop(state: BrokerState, places: SearchPlaces = THIS_MACHINE): Promise<void> {
  if (state.how === "node") return stopNode(state);
  await stopContainer(findProgram("docker", places) ?? "docker", state.container);
}
