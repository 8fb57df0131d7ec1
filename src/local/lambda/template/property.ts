import { isMapping, type Mapping, type Value } from "./document.ts";
import { TemplateProblem } from "./resolver.ts";

/** Values of properties with the kind that they must have; undefined stays undefined. Each throws a TemplateProblem that names `place`. */

/** `known` are the properties that it may have. */
export function mapping(value: Value | undefined, place: string, known?: readonly string[]): Mapping {
  if (value === undefined) return {};
  if (!isMapping(value)) throw new TemplateProblem(`${place}: expected a mapping, got ${JSON.stringify(value)}`);
  for (const name of Object.keys(value))
    if (known?.includes(name) === false)
      throw new TemplateProblem(`${place}.${name}: this property is not supported here`);
  return value;
}

export function text(value: Value | undefined, place: string): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new TemplateProblem(`${place}: expected text, got ${JSON.stringify(value)}`);
}

export function whole(value: Value | undefined, place: string): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(String(value)))
    throw new TemplateProblem(`${place}: expected a whole number, got ${JSON.stringify(value)}`);
  return Number(value);
}
