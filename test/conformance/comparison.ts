/** One place where our answer is not the recorded one. */
export interface Difference {
  /** `Payload.errorType` */
  readonly path: string;
  readonly recorded: unknown;
  readonly ours: unknown;
}

/** Words that stand for values which differ from run to run, beside those in `<angle brackets>`. */
const MASKS = new Set([
  "date",
  "datetime",
  "timestamp",
  "event-id",
  "sequencer",
  "amz-id",
  "amz-request-id",
  "log-result",
]);

/** What differs; a member that only one side has differs as well. */
export function compare(recorded: unknown, ours: unknown, path = ""): Difference[] {
  if (typeof recorded === "string") return matches(recorded, ours) ? [] : [{ path, recorded, ours }];
  if (typeof recorded !== "object" || recorded === null || typeof ours !== "object" || ours === null)
    return recorded === ours ? [] : [{ path, recorded, ours }];
  if (Array.isArray(recorded) !== Array.isArray(ours)) return [{ path, recorded, ours }];
  const [a, b] = [recorded as Record<string, unknown>, ours as Record<string, unknown>];
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names.flatMap((name) => compare(a[name], b[name], path === "" ? name : `${path}.${name}`));
}

/** A recorded text with its masks: each stands for at least one character, the account for any account. */
function matches(recorded: string, ours: unknown): boolean {
  if (typeof ours !== "string" && typeof ours !== "number") return false;
  if (MASKS.has(recorded)) return String(ours) !== "";
  const pattern = recorded
    .replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")
    .replace(/^date(?=\t)/, "\\S+")
    .replace(/<[^<>]+>/g, "[^\\n]+?")
    .replaceAll("111111111111", "\\d{12}");
  return new RegExp(`^${pattern}$`).test(String(ours));
}
