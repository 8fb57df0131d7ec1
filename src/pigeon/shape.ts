/** Looking at values of unknown shape, and naming them in errors. */

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Short: names of members rather than their values, which may be large or hostile. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (!isObject(value)) return JSON.stringify(value)?.slice(0, 100) ?? typeof value;
  const source = value.eventSource ?? value.EventSource;
  if (typeof source === "string") return `a record of ${JSON.stringify(source.slice(0, 100))}`;
  return `an object with ${JSON.stringify(Object.keys(value)).slice(0, 200)}`;
}
