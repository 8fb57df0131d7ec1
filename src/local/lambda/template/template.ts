import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigurationError } from "../../../ops/errors.ts";
import { isMapping, type Mapping, parseTemplate, type Value } from "./document.ts";
import { readFunctionProperties, type TemplateFunction } from "./function-properties.ts";
import { Resolver, TemplateProblem } from "./resolver.ts";

export interface TemplateOptions {
  /** Values for the template's Parameters, over their defaults. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  readonly region?: string | undefined;
}

const FUNCTION_TYPES = ["AWS::Serverless::Function", "AWS::Lambda::Function"];

/**
 * The functions of an AWS SAM template. Throws one ConfigurationError with every problem: file, resource, property, what was
 * expected and what came. https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
 */
export function readTemplate(
  path: string,
  { parameters = {}, region = "us-east-1" }: TemplateOptions = {},
): TemplateFunction[] {
  const template = parseTemplate(readText(path), path);
  const resolver = new Resolver({ template, region, parameters });
  const problems: string[] = [];
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TemplateProblem)) throw error;
      problems.push(`template ${path}: ${error.message}`);
      return undefined;
    }
  };
  const declared = Object.keys(attempt(() => resolver.section("Parameters")) ?? {});
  for (const name of Object.keys(parameters))
    if (!declared.includes(name)) problems.push(`template ${path}: there is no parameter ${name}`);
  const functions = attempt(() => findFunctions(resolver)) ?? [];
  if (functions.length === 0 && problems.length === 0)
    problems.push(`template ${path}: expected a resource of type ${FUNCTION_TYPES.join(" or ")}, found none`);
  const read = functions.flatMap(({ logicalId, type, properties }) => {
    const base = dirname(resolve(path));
    return attempt(() => readFunctionProperties({ logicalId, type, properties, resolver, base })) ?? [];
  });
  if (problems.length > 0) throw new ConfigurationError(problems);
  return read;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new ConfigurationError([`template ${path}: expected a readable file, got ${reason}`], { cause });
  }
}

interface FunctionResource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Mapping;
}

/** Those whose condition holds, with what Globals add to SAM's. */
function findFunctions(resolver: Resolver): FunctionResource[] {
  const globals = resolver.section("Globals").Function ?? {};
  return Object.entries(resolver.section("Resources")).flatMap(([logicalId, resource]) => {
    if (!isMapping(resource))
      throw new TemplateProblem(`${logicalId}: expected a resource, got ${JSON.stringify(resource)}`);
    const type = String(resource.Type);
    if (!FUNCTION_TYPES.includes(type)) return [];
    if (resource.Condition !== undefined && !resolver.holds(String(resource.Condition), logicalId)) return [];
    const own = isMapping(resource.Properties) ? resource.Properties : {};
    const properties = type === "AWS::Serverless::Function" && isMapping(globals) ? merge(globals, own) : own;
    return [{ logicalId, type, properties: properties as Mapping }];
  });
}

/** As SAM does: mappings are merged, lists appended, everything else replaced. */
function merge(base: Value, own: Value): Value {
  if (Array.isArray(base) && Array.isArray(own)) return [...base, ...own];
  if (!isMapping(base) || !isMapping(own) || isIntrinsic(base) || isIntrinsic(own)) return own;
  const merged: Record<string, Value> = { ...base };
  for (const [name, value] of Object.entries(own))
    merged[name] = name in merged ? merge(merged[name] as Value, value) : value;
  return merged;
}

function isIntrinsic(value: Mapping): boolean {
  const [name = "", ...others] = Object.keys(value);
  return others.length === 0 && /^(Ref|Fn::\w+)$/.test(name);
}
