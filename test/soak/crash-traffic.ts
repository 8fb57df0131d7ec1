import { makeS3Event } from "../../src/local/s3/event.ts";
import type { Random } from "./random.ts";

/** An event, and the crash ids of it that must arrive. */
export interface TrafficEvent {
  readonly event: object;
  readonly accepted: readonly string[];
}

/** Of ten objects six are crashes to accept; two are to be deferred, two are none of Pigeon's. */
const KINDS = ["accept", "accept", "accept", "accept", "accept", "accept", "defer", "defer", "junk", "junk"] as const;

/** Records in one event: mostly one, as S3 sends it. */
const SIZES = [1, 1, 1, 1, 1, 1, 1, 2, 3, 20] as const;

/** S3's events for what a collector saves, each id once. */
export function makeTrafficEvent(random: Random): TrafficEvent {
  const accepted: string[] = [];
  const records = Array.from({ length: random.pick(SIZES) }, () => {
    const kind = random.pick(KINDS);
    const id = makeId(random, kind === "defer" ? "1" : "0");
    if (kind === "accept") accepted.push(id);
    const object = kind === "junk" ? makeJunk(random, id) : { key: rawCrash(id) };
    return makeS3Event({ bucket: "crashes", ...object }).Records[0];
  });
  return { event: { Records: records }, accepted };
}

function makeId(random: Random, digit: string): string {
  const parts = [random.hex(8), random.hex(4), random.hex(4), random.hex(4)];
  return `${parts.join("-")}-${random.hex(5)}${digit}261125`;
}

function rawCrash(id: string): string {
  return `v2/raw_crash/${id.slice(0, 3)}/20261125/${id}`;
}

/** Looks like a crash to be accepted, and is none. */
function makeJunk(random: Random, id: string): { readonly key: string; readonly eventName?: string } {
  return random.pick([
    { key: `v1/dump/${id}` },
    { key: `v2/raw_crash/${id.slice(0, 3)}/20261125/${id}.json` },
    { key: rawCrash(`${id.slice(0, -7)}2${id.slice(-6)}`) },
    { key: rawCrash(id.toUpperCase().replace(/^./, "A")) },
    { key: rawCrash(id), eventName: "ObjectRemoved:Delete" },
  ]);
}
