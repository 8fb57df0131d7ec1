import { resolve } from "node:path";
import { isMapping, type Mapping, type Value } from "./document.ts";
import { mapping, text, whole } from "./property.ts";
import { TemplateProblem } from "./resolver.ts";
import { type FunctionSource, readS3Triggers, type S3Trigger } from "./s3-trigger.ts";

/** A function as its template describes it; what is undefined has AWS's default. */
export interface TemplateFunction {
  readonly logicalId: string;
  readonly name: string;
  /** Absolute path. */
  readonly code: string;
  readonly handler: string | undefined;
  readonly runtime: string | undefined;
  readonly memorySize: number | undefined;
  readonly timeout: number | undefined;
  readonly ephemeralStorage: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly layers: readonly string[];
  readonly logFormat: string | undefined;
  readonly applicationLogLevel: string | undefined;
  readonly systemLogLevel: string | undefined;
  readonly concurrency: number | undefined;
  readonly maximumRetryAttempts: number | undefined;
  readonly maximumEventAge: number | undefined;
  /** Names of the queues or topics. */
  readonly onSuccess: string | undefined;
  readonly onFailure: string | undefined;
  readonly deadLetterQueue: string | undefined;
  readonly s3: readonly S3Trigger[];
  /** What the template says that has no effect here. */
  readonly notes: readonly string[];
}

/** They say nothing about how the code runs on this machine. */
const WITHOUT_EFFECT = [
  "Description",
  "Tags",
  "Policies",
  "Role",
  "RolePath",
  "PermissionsBoundary",
  "AssumeRolePolicyDocument",
  "Architectures",
  "PackageType",
  "VpcConfig",
  "KmsKeyArn",
  "Tracing",
  "TracingConfig",
  "RecursiveLoop",
  "RuntimeManagementConfig",
];

const SUPPORTED = [
  "FunctionName",
  "CodeUri",
  "Code",
  "Handler",
  "Runtime",
  "MemorySize",
  "Timeout",
  "Environment",
  "EphemeralStorage",
  "Layers",
  "LoggingConfig",
  "ReservedConcurrentExecutions",
  "EventInvokeConfig",
  "DeadLetterQueue",
  "DeadLetterConfig",
  "Events",
];

/** Throws a TemplateProblem that names the property. */
export function readFunctionProperties(source: FunctionSource): TemplateFunction {
  const { logicalId, properties, resolver, base } = source;
  for (const name of Object.keys(properties))
    if (!SUPPORTED.includes(name) && !WITHOUT_EFFECT.includes(name))
      throw new TemplateProblem(`${logicalId}.${name}: this property is not supported here`);
  const get = (name: string): Value | undefined => read(source, properties, name);
  const logging = mapping(get("LoggingConfig"), `${logicalId}.LoggingConfig`, [
    "LogFormat",
    "ApplicationLogLevel",
    "SystemLogLevel",
    "LogGroup",
  ]);
  const invokeConfig = mapping(get("EventInvokeConfig"), `${logicalId}.EventInvokeConfig`, [
    "MaximumRetryAttempts",
    "MaximumEventAgeInSeconds",
    "DestinationConfig",
  ]);
  const destinations = mapping(invokeConfig.DestinationConfig, `${logicalId}.EventInvokeConfig.DestinationConfig`, [
    "OnSuccess",
    "OnFailure",
  ]);
  const deadLetters = mapping(get("DeadLetterQueue") ?? get("DeadLetterConfig"), `${logicalId}.DeadLetterQueue`, [
    "Type",
    "TargetArn",
  ]);
  const notes = Object.keys(properties)
    .filter((name) => WITHOUT_EFFECT.includes(name))
    .map((name) => `${logicalId}.${name} has no effect here`);
  const s3 = readS3Triggers(source, notes);
  return {
    logicalId,
    name: resolver.nameOf(logicalId, logicalId),
    code: resolve(base, readCode(source)),
    handler: text(get("Handler"), `${logicalId}.Handler`),
    runtime: text(get("Runtime"), `${logicalId}.Runtime`),
    memorySize: whole(get("MemorySize"), `${logicalId}.MemorySize`),
    timeout: whole(get("Timeout"), `${logicalId}.Timeout`),
    ephemeralStorage: whole(
      mapping(get("EphemeralStorage"), `${logicalId}.EphemeralStorage`, ["Size"]).Size,
      `${logicalId}.EphemeralStorage.Size`,
    ),
    environment: readEnvironment(get("Environment"), logicalId),
    layers: readLayers(source),
    logFormat: text(logging.LogFormat, `${logicalId}.LoggingConfig.LogFormat`),
    applicationLogLevel: text(logging.ApplicationLogLevel, `${logicalId}.LoggingConfig.ApplicationLogLevel`),
    systemLogLevel: text(logging.SystemLogLevel, `${logicalId}.LoggingConfig.SystemLogLevel`),
    concurrency: whole(get("ReservedConcurrentExecutions"), `${logicalId}.ReservedConcurrentExecutions`),
    maximumRetryAttempts: whole(
      invokeConfig.MaximumRetryAttempts,
      `${logicalId}.EventInvokeConfig.MaximumRetryAttempts`,
    ),
    maximumEventAge: whole(
      invokeConfig.MaximumEventAgeInSeconds,
      `${logicalId}.EventInvokeConfig.MaximumEventAgeInSeconds`,
    ),
    onSuccess: readDestination(destinations.OnSuccess, `${logicalId}-OnSuccess`, `${logicalId}.EventInvokeConfig`),
    onFailure: readDestination(destinations.OnFailure, `${logicalId}-OnFailure`, `${logicalId}.EventInvokeConfig`),
    deadLetterQueue: deadLetters.TargetArn === undefined ? undefined : lastOfArn(String(deadLetters.TargetArn)),
    s3,
    notes,
  };
}

function read({ logicalId, resolver }: FunctionSource, properties: Mapping, name: string): Value | undefined {
  const value = properties[name];
  return value === undefined ? undefined : resolver.resolve(value, `${logicalId}.${name}`);
}

/** A path; what is already in S3 cannot be run here. */
function readCode(source: FunctionSource): string {
  const name = source.type === "AWS::Serverless::Function" ? "CodeUri" : "Code";
  const code = read(source, source.properties, name);
  const place = `${source.logicalId}.${name}`;
  if (typeof code !== "string" || /^(s3|https):\/\//.test(code))
    throw new TemplateProblem(
      `${place}: expected the path of a zip file or a folder, got ${JSON.stringify(code) ?? "nothing"}`,
    );
  return code;
}

function readEnvironment(value: Value | undefined, logicalId: string): Record<string, string> {
  const place = `${logicalId}.Environment`;
  const variables = mapping(mapping(value, place, ["Variables"]).Variables, `${place}.Variables`);
  const entries = Object.entries(variables).map(([name, given]): [string, string] => {
    if (given === null || typeof given === "object")
      throw new TemplateProblem(`${place}.${name}: expected text, got ${JSON.stringify(given)}`);
    if (/\{\{resolve:/.test(String(given)))
      throw new TemplateProblem(
        `${place}.${name}: a dynamic reference cannot be resolved here: give it with --env ${name}=value`,
      );
    return [name, String(given)];
  });
  return Object.fromEntries(entries);
}

/** Layers that the template itself holds; others lie in AWS. */
function readLayers({ logicalId, properties, resolver, base }: FunctionSource): string[] {
  const layers = properties.Layers ?? [];
  if (!Array.isArray(layers))
    throw new TemplateProblem(`${logicalId}.Layers: expected a list, got ${JSON.stringify(layers)}`);
  return layers.map((layer: Value, n) => {
    const place = `${logicalId}.Layers[${n}]`;
    const reference = isMapping(layer) ? layer.Ref : undefined;
    const resource = typeof reference === "string" ? resolver.section("Resources")[reference] : undefined;
    const content = isMapping(resource) && isMapping(resource.Properties) ? resource.Properties : {};
    const path = content.ContentUri ?? content.Content;
    const found = path === undefined ? undefined : resolver.resolve(path, place);
    if (typeof found !== "string" || /^(s3|https):\/\//.test(found))
      throw new TemplateProblem(
        `${place}: expected a reference to a layer of this template with a path as its ContentUri`,
      );
    return resolve(base, found);
  });
}

/** SAM makes a queue of its own where the destination has a type only. */
function readDestination(value: Value | undefined, own: string, place: string): string | undefined {
  if (value === undefined) return undefined;
  const { Destination } = mapping(value, place, ["Type", "Destination"]);
  return Destination === undefined ? own : lastOfArn(String(Destination));
}

function lastOfArn(arn: string): string {
  return arn.slice(Math.max(arn.lastIndexOf(":"), arn.lastIndexOf("/")) + 1);
}
