/**
 * The soak: many S3 events through the built zip in the local Lambda to a real RabbitMQ that is killed, paused, alarmed, cut off
 * and robbed of its queues, all at random from a seed. In the end every accepted id is in its queues or kept as failed.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ThrottledQueue } from "../../src/pigeon/throttle.ts";
import { type AmqpProxy, startAmqpProxy } from "../helpers/amqp-proxy.ts";
import { BackgroundProgram } from "../helpers/background.ts";
import { PrivateBroker } from "../helpers/private-broker.ts";
import { ROOT } from "../helpers/program.ts";
import { until, within } from "../helpers/until.ts";
import { makeTrafficEvent, type TrafficEvent } from "./crash-traffic.ts";
import { DISRUPTIONS } from "./disruptions.ts";
import { Ledger } from "./ledger.ts";
import { Pulse } from "./pulse.ts";
import { Random } from "./random.ts";

export interface SoakOptions {
  /** At least so many; more until every disruption has come once. */
  readonly events: number;
  readonly seed: number;
  /** Of the broker: one, or a cluster. */
  readonly nodes: 1 | 3;
  readonly say: (line: string) => void;
}

export interface SoakResult {
  readonly events: number;
  /** Accepted ids, once for each queue that they are for. */
  readonly messages: number;
  /** Neither in the queue nor kept; must be empty. */
  readonly lost: readonly string[];
  /** In a queue though never accepted, or not for it; must be empty. */
  readonly strangers: readonly string[];
  /** In the same queue more than once. */
  readonly duplicated: number;
  /** Not in the queue, but where failed events go. */
  readonly kept: number;
  readonly eventsPerSecond: number;
  /** Seconds in which no publish was confirmed. */
  readonly longestGap: number;
  /** accept x queues = published + throttled + publish_error, over all invocations. */
  readonly balanced: boolean;
}

/** Events that Lambda has and that are not done with; also the most execution environments. */
const UNDER_WAY = 16;

/** Seconds: the function's limit, and what AWS's minutes between retries are here. */
const TIMEOUT = 10;
const RETRY_DELAYS = "1,2";

/** How long what is under way may take to end: every retry, and a broker that comes back; ms. */
const PATIENCE = 120_000;

/** Between two looks at what is under way; ms. */
const LOOK = 5;

/** Between two disruptions, at least and at most; ms. */
const CALM = [200, 1500] as const;

type Cleanup = Pick<TestContext, "after">;

/** Whatever it starts is stopped by `t.after`. */
export async function soak(t: Cleanup, options: SoakOptions): Promise<SoakResult> {
  const directory = mkdtempSync(join(tmpdir(), "pigeon-soak-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const broker = await PrivateBroker.start(options.nodes);
  t.after(() => broker.stop());
  const queues = [
    { name: `soak.${randomUUID()}`, throttle: 100 },
    { name: `soak.${randomUUID()}`, throttle: 50 },
  ];
  for (const { name } of queues) await broker.declare(name);
  await broker.settle();
  const proxies = await Promise.all(broker.nodes.map(({ address }) => startAmqpProxy(t, address.port)));
  const failed = join(directory, "failed-events.jsonl");
  const environment = {
    ...broker.environment(queues.map(({ name, throttle }) => `${throttle}:${name}`).join(",")),
    PIGEON_HOST: proxies.map(({ port }) => `127.0.0.1:${port}`).join(","),
  };
  const server = serve(t, environment, directory, failed);
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const pulse = new Pulse(server);
  const run = new Run(options, { broker, proxies, queues, pulse, endpoint, directory });
  const events = await run.finish();
  await server.stop("SIGTERM");
  return {
    events,
    ...run.ledger.close(failed),
    strangers: run.ledger.strangers,
    eventsPerSecond: events / pulse.seconds,
    longestGap: pulse.longestGap,
    balanced: pulse.balances(queues.length),
  };
}

/** `local-lambda serve` with Pigeon's zip; what it keeps lies in `directory`. */
function serve(
  t: Cleanup,
  environment: Readonly<Record<string, string>>,
  directory: string,
  failed: string,
): BackgroundProgram {
  const zip = join(ROOT, "dist", "pigeon.zip");
  const args = ["serve", "--port", "0", "--name", "pigeon", "--zip", zip, "--handler", "pigeon.handler"];
  args.push("--timeout", String(TIMEOUT), "--concurrency", String(UNDER_WAY));
  args.push("--retry-delays", RETRY_DELAYS, "--on-failure", `file:${failed}`);
  for (const [name, value] of Object.entries(environment)) args.push("--env", `${name}=${value}`);
  return new BackgroundProgram(t, "local-lambda", args, { PIGEON_STATE_DIRECTORY: directory });
}

interface Parts {
  readonly broker: PrivateBroker;
  readonly proxies: readonly AmqpProxy[];
  readonly queues: readonly ThrottledQueue[];
  readonly pulse: Pulse;
  /** Of the Lambda API. */
  readonly endpoint: string;
  /** The local Lambda's state. */
  readonly directory: string;
}

/** Events are sent and things are disrupted, both at once, until there were enough of both. */
class Run {
  readonly ledger: Ledger;
  readonly #options: SoakOptions;
  readonly #parts: Parts;
  /** Disruptions have each come so often. */
  #rounds = 0;
  #isHeld = false;
  #isOver = false;

  constructor(options: SoakOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.ledger = new Ledger(parts.queues);
  }

  /** Resolves with the number of events when all are done with, and everything in the queues is in the ledger. */
  async finish(): Promise<number> {
    const over = (): void => {
      this.#isOver = true;
    };
    const disrupting = this.#disrupt().finally(over);
    disrupting.catch(() => {}); // awaited below
    const events = await this.#send().finally(over);
    await disrupting;
    await until("every event is done with", () => this.#underWay() === 0, PATIENCE);
    await this.#harvest();
    return events;
  }

  async #send(): Promise<number> {
    const { events, seed } = this.#options;
    const random = new Random(seed);
    let sent = 0;
    while (!this.#isOver && (sent < events || this.#rounds === 0)) {
      const room = this.#isHeld ? 0 : Math.max(0, UNDER_WAY - this.#underWay());
      if (room === 0) await delay(LOOK);
      await Promise.all(Array.from({ length: room }, () => this.#hand(makeTrafficEvent(random))));
      sent += room;
    }
    return sent;
  }

  /** As S3 does: the event is Lambda's when Lambda says so. */
  async #hand({ event, accepted }: TrafficEvent): Promise<void> {
    const url = `${this.#parts.endpoint}/2015-03-31/functions/pigeon/invocations`;
    const headers = { "x-amz-invocation-type": "Event" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(event) });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`an event is not taken: ${response.status} ${text}`);
    for (const id of accepted) this.ledger.expect(id);
  }

  async #disrupt(): Promise<void> {
    const { seed, say } = this.#options;
    const { broker, proxies, queues, pulse } = this.#parts;
    const disrupted = {
      broker,
      proxies,
      queues: queues.map(({ name }) => name),
      whileEmpty: (work: () => Promise<void>) => this.#whileEmpty(work),
    };
    for (const random = new Random(~seed); ; this.#rounds++) {
      for (const [name, disruption] of random.shuffle(Object.entries(DISRUPTIONS))) {
        await delay(random.between(...CALM));
        if (this.#isOver) return;
        say(`${pulse.seconds.toFixed(1)} s: ${name}`);
        await within(PATIENCE, name, disruption(disrupted, random));
        await within(PATIENCE, `the harvest after ${name}`, this.#harvest({ isBusy: true }));
      }
    }
  }

  /** No event is under way, and every queue is empty, while `work` runs. */
  async #whileEmpty(work: () => Promise<void>): Promise<void> {
    this.#isHeld = true;
    try {
      await until("no event is under way", () => this.#underWay() === 0, PATIENCE);
      await this.#harvest();
      await work();
    } finally {
      this.#isHeld = false;
    }
  }

  /** `isBusy`: events are under way. */
  async #harvest({ isBusy = false } = {}): Promise<void> {
    const { broker, queues } = this.#parts;
    for (const { name } of queues) for (const id of await broker.take(name, { isBusy })) this.ledger.arrive(name, id);
  }

  /** The local Lambda has an event on disk until it is done with. */
  #underWay(): number {
    return readdirSync(join(this.#parts.directory, "events", "pigeon")).length;
  }
}
