import { type CollectionTag, parseDocument, type ScalarTag, YAMLMap, YAMLSeq } from "yaml";
import { ConfigurationError } from "../../../ops/errors.ts";

/** A template as it is written, with every intrinsic function in its long form. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };
export type Mapping = { readonly [name: string]: Value };

/** The functions that have a short form in YAML, `!Sub` for `Fn::Sub`. */
const FUNCTIONS = [
  "And",
  "Base64",
  "Cidr",
  "Equals",
  "FindInMap",
  "GetAZs",
  "If",
  "ImportValue",
  "Join",
  "Not",
  "Or",
  "Select",
  "Split",
  "Sub",
  "Transform",
];

const TAGS: (ScalarTag | CollectionTag)[] = [
  scalarTag("Ref", (text) => ({ Ref: text })),
  scalarTag("Condition", (text) => ({ Condition: text })),
  scalarTag("GetAtt", (text) => ({ "Fn::GetAtt": splitAtFirstDot(text) })),
  sequenceTag("GetAtt"),
  ...FUNCTIONS.flatMap((name) => [
    scalarTag(name, (text) => ({ [`Fn::${name}`]: text })),
    sequenceTag(name),
    mappingTag(name),
  ]),
];

/** YAML or JSON text to its values. Throws a ConfigurationError that names the place. */
export function parseTemplate(text: string, path: string): Mapping {
  const document = parseDocument(text, { customTags: TAGS, version: "1.1", schema: "core" });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined)
    throw new ConfigurationError([`template ${path}: expected YAML or JSON, got: ${problem.message.split("\n")[0]}`]);
  const value: unknown = document.toJS();
  if (!isMapping(value))
    throw new ConfigurationError([`template ${path}: expected a mapping with Resources, got ${JSON.stringify(value)}`]);
  return value;
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function scalarTag(name: string, resolve: (text: string) => Value): ScalarTag {
  return { tag: `!${name}`, resolve };
}

function sequenceTag(name: string): CollectionTag {
  return { tag: `!${name}`, collection: "seq", nodeClass: longForm(name, YAMLSeq) } as CollectionTag;
}

function mappingTag(name: string): CollectionTag {
  return { tag: `!${name}`, collection: "map", nodeClass: longForm(name, YAMLMap) } as CollectionTag;
}

/** A node that becomes its function's long form when the document becomes values. */
function longForm(name: string, Node: typeof YAMLSeq | typeof YAMLMap): unknown {
  return class extends (Node as typeof YAMLSeq) {
    override toJSON(...args: Parameters<YAMLSeq["toJSON"]>): unknown[] {
      return { [`Fn::${name}`]: super.toJSON(...args) } as unknown as unknown[];
    }
  };
}

function splitAtFirstDot(text: string): string[] {
  const dot = text.indexOf(".");
  return dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
}
