/** `npm run soak [-- --events N --seed S --nodes 1|3]`: prints what became of every accepted crash id; 1 when one is lost. */
import { randomInt } from "node:crypto";
import { Command, InvalidArgumentError, Option } from "commander";
import { buildArtifact } from "../../src/local/artifact.ts";
import { ROOT } from "../helpers/program.ts";
import { type SoakResult, soak } from "./soak.ts";

function parseWhole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(`Expected a whole number, got ${JSON.stringify(text)}.`);
  return Number(text);
}

function describe({ lost, strangers, longestGap, ...result }: SoakResult): string {
  return [
    `events ${result.events}, messages ${result.messages}`,
    `lost ${lost.length}`,
    `duplicated ${result.duplicated}`,
    `kept ${result.kept}`,
    `strangers ${strangers.length}`,
    `accounts ${result.balanced ? "balance" : "do not balance"}`,
    `events/s ${result.eventsPerSecond.toFixed(0)}`,
    `longest gap ${longestGap.toFixed(1)} s`,
  ].join("\n");
}

const program = new Command("npm run soak --")
  .option("--events <number>", "events at least; more until every disruption has come once", parseWhole, 20_000)
  .option("--seed <number>", "what comes when (default: another one each time)", parseWhole, randomInt(10 ** 9))
  .addOption(new Option("--nodes <number>", "of the broker").choices(["1", "3"]).default("1"))
  .parse();
const { events, seed, nodes } = program.opts<{ events: number; seed: number; nodes: "1" | "3" }>();

await using stack = new AsyncDisposableStack();
const t = { after: (release: () => unknown) => stack.defer(async () => void (await release())) };
console.log(`seed ${seed}`);
await buildArtifact(ROOT);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void stack.disposeAsync().finally(() => process.exit(1)));
const result = await soak(t, { events, seed, nodes: Number(nodes) as 1 | 3, say: (line) => console.log(line) });
console.log(describe(result));
for (const line of [...result.lost.slice(0, 10), ...result.strangers.slice(0, 10)]) console.log(line);
process.exitCode = result.lost.length + result.strangers.length === 0 && result.balanced ? 0 : 1;
