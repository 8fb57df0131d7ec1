import { malformed, tooLarge } from "../refusal.ts";

/** Annotations that say who somebody is: they are removed, and the removal is noted. */
const PRIVATE = ["Email", "TelemetryClientId", "TelemetryServerURL", "TelemetrySessionId"];

/** Names that the raw crash has for what the collector says. */
const OWN = ["metadata", "submitted_timestamp", "uuid", "version"];

/**
 * The annotations of one report, in the order in which their parts come: one part for each, or one JSON object with all. JSON
 * replaces what came before it; what comes after is added.
 */
export class Annotations {
  readonly #values = new Map<string, string>();
  readonly #notes = new Set<string>();
  #hasJson = false;
  #hasFields = false;
  readonly #most: number;

  /** `most`: annotations that there may be. */
  constructor(most: number) {
    this.#most = most;
  }

  addField(name: string, value: string): void {
    this.#hasFields = true;
    this.#add(name, value);
    this.#noteBoth();
  }

  /** Throws a RefusalError when the text is no JSON object of texts. */
  addJson(text: string): void {
    const members = Object.entries(parseObject(text));
    if (members.length > this.#most) throw tooLarge();
    if (this.#hasJson) this.#notes.add("payload has more than one JSON part");
    this.#hasJson = true;
    this.#values.clear();
    for (const [name, value] of members) {
      if (typeof value !== "string") throw malformed("invalid_json_value");
      this.#add(name, value);
    }
    this.#noteBoth();
  }

  get payload(): "json" | "multipart" {
    return this.#hasJson ? "json" : "multipart";
  }

  get notes(): readonly string[] {
    return [...this.#notes];
  }

  get values(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /** Takes the client's crash id out. */
  takeUuid(): string | undefined {
    const uuid = this.#values.get("uuid");
    this.#values.delete("uuid");
    return uuid;
  }

  /** Removes what must not be kept, and what the collector says itself. */
  redact(): void {
    for (const name of [...PRIVATE, ...OWN])
      if (this.#values.delete(name)) this.#notes.add(`Removed ${name} from raw crash.`);
  }

  #add(name: string, value: string): void {
    this.#values.set(name, value);
  }

  #noteBoth(): void {
    if (this.#hasJson && this.#hasFields)
      this.#notes.add("includes annotations in both json-encoded extra and formdata parts");
  }
}

function parseObject(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed("invalid_json", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("invalid_json");
  return value;
}
