import { join } from "node:path";
import { stateDirectory } from "./development.ts";

/** Where `pigeon up` keeps events that no retry has helped: records with the reason, and the events themselves. */
export function keptEventFiles(): readonly [records: string, deadLetters: string] {
  return [join(stateDirectory(), "failed-events.jsonl"), join(stateDirectory(), "dead-letters.jsonl")];
}
