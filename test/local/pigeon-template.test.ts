/** template.yaml, checked offline against what CloudFormation and SAM say of the resource types that it uses. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { isMapping, type Mapping, parseTemplate, type Value } from "../../src/local/lambda/template/document.ts";
import { makeNotifications } from "../../src/local/notifying-buckets.ts";
import { readPigeonFunction } from "../../src/local/pigeon-function.ts";
import { PIGEON_OPTIONS } from "../../src/pigeon/configuration.ts";
import { ROOT } from "../helpers/program.ts";

/** Properties (a `!` is required) of the types in use. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/ */
const PROPERTIES: Readonly<Record<string, string>> = {
  "AWS::Serverless::Function":
    "CodeUri! Handler! Runtime! Architectures MemorySize Timeout Role Environment VpcConfig LoggingConfig EventInvokeConfig DeadLetterQueue Events",
  "AWS::IAM::Role":
    "AssumeRolePolicyDocument! ManagedPolicyArns Policies Path RoleName Description MaxSessionDuration PermissionsBoundary Tags",
  "AWS::Logs::LogGroup":
    "LogGroupName RetentionInDays KmsKeyId DataProtectionPolicy LogGroupClass Tags FieldIndexPolicies",
  "AWS::S3::Bucket":
    "BucketName PublicAccessBlockConfiguration BucketEncryption VersioningConfiguration LifecycleConfiguration NotificationConfiguration OwnershipControls Tags",
  "AWS::SQS::Queue":
    "QueueName MessageRetentionPeriod SqsManagedSseEnabled KmsMasterKeyId VisibilityTimeout RedrivePolicy DelaySeconds MaximumMessageSize ReceiveMessageWaitTimeSeconds Tags",
  "AWS::CloudWatch::Alarm":
    "AlarmDescription AlarmName Namespace MetricName Dimensions Statistic Period EvaluationPeriods! DatapointsToAlarm Threshold ComparisonOperator! TreatMissingData AlarmActions OKActions InsufficientDataActions ActionsEnabled Unit",
};
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  "AWS::Serverless::Function": ["Arn"],
  "AWS::IAM::Role": ["Arn", "RoleId"],
  "AWS::Logs::LogGroup": ["Arn"],
  "AWS::S3::Bucket": ["Arn", "DomainName", "RegionalDomainName", "WebsiteURL", "DualStackDomainName"],
  "AWS::SQS::Queue": ["Arn", "QueueName", "QueueUrl"],
  "AWS::CloudWatch::Alarm": ["Arn"],
};
const RESOURCE_ATTRIBUTES = ["Type", "Properties", "DeletionPolicy", "UpdateReplacePolicy", "Condition", "DependsOn"];
const SECTIONS = [
  "AWSTemplateFormatVersion",
  "Transform",
  "Description",
  "Parameters",
  "Conditions",
  "Resources",
  "Outputs",
];
const PARAMETER_KEYS = ["Type", "Default", "Description", "NoEcho", "AllowedPattern", "AllowedValues"];

interface Reference {
  readonly name: string;
  readonly attribute?: string | undefined;
}

/** Every Ref, GetAtt, Sub and condition below a value. */
function references(value: Value | undefined): Reference[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (!isMapping(value)) return [];
  return Object.entries(value).flatMap(([key, item]): Reference[] => {
    if (key === "Ref") return [{ name: String(item) }];
    if (key === "Condition") return typeof item === "string" ? [{ name: item }] : references(item);
    if (key === "Fn::GetAtt" && Array.isArray(item)) return [{ name: String(item[0]), attribute: String(item[1]) }];
    if (key === "Fn::If" && Array.isArray(item)) return [{ name: String(item[0]) }, ...references(item.slice(1))];
    if (key === "Fn::Sub") {
      return [...String(item).matchAll(/\$\{([^!}]+)\}/g)].map(([, text = ""]) => {
        const [name = "", attribute] = text.split(/\.(.*)/s);
        return { name, attribute };
      });
    }
    return references(item);
  });
}

/** What is wrong with a template, in sentences. */
function examine(template: Mapping): string[] {
  const section = (name: string): Mapping => (isMapping(template[name]) ? template[name] : {});
  const problems = Object.keys(template)
    .filter((name) => !SECTIONS.includes(name))
    .map((name) => `section ${name}`);
  const [parameters, conditions, resources] = [section("Parameters"), section("Conditions"), section("Resources")];
  for (const [name, parameter] of Object.entries(parameters))
    for (const key of Object.keys(isMapping(parameter) ? parameter : {}))
      if (!PARAMETER_KEYS.includes(key)) problems.push(`parameter ${name}: ${key}`);
  for (const [id, resource] of Object.entries(resources)) problems.push(...examineResource(id, resource as Mapping));
  const used = references({ ...template, Parameters: {} });
  for (const { name, attribute } of used) {
    const type = String((resources[name] as Mapping | undefined)?.Type);
    if (attribute !== undefined && !ATTRIBUTES[type]?.includes(attribute))
      problems.push(`${name}.${attribute}: no such attribute`);
    if (!name.startsWith("AWS::") && ![parameters, conditions, resources].some((known) => name in known))
      problems.push(`${name}: no such parameter, condition or resource`);
  }
  for (const name of [...Object.keys(parameters), ...Object.keys(conditions)])
    if (!used.some((reference) => reference.name === name)) problems.push(`${name}: is not used`);
  return [...problems, ...findCircles(resources)];
}

function examineResource(id: string, resource: Mapping): string[] {
  const known = PROPERTIES[String(resource.Type)]?.split(" ");
  if (known === undefined) return [`${id}: unknown type ${resource.Type}`];
  const given = Object.keys(resource.Properties ?? {});
  const names = known.map((name) => name.replace("!", ""));
  const required = known.filter((name) => name.endsWith("!")).map((name) => name.slice(0, -1));
  return [
    ...Object.keys(resource)
      .filter((name) => !RESOURCE_ATTRIBUTES.includes(name))
      .map((name) => `${id}: ${name}`),
    ...given.filter((name) => !names.includes(name)).map((name) => `${id}.${name}: no such property`),
    ...required.filter((name) => !given.includes(name)).map((name) => `${id}.${name}: is missing`),
  ];
}

/** SAM puts the function's S3 events on the bucket, which then refers to the function. */
function findCircles(resources: Mapping): string[] {
  const edges = new Map<string, Set<string>>();
  for (const [id, resource] of Object.entries(resources)) {
    const { Events, ...properties } = ((resource as Mapping).Properties ?? {}) as Mapping;
    const targets = references(properties).map(({ name }) => name);
    edges.set(id, new Set([...(edges.get(id) ?? []), ...targets.filter((name) => name in resources)]));
    for (const { name: bucket } of references(Events)) edges.set(bucket, new Set([...(edges.get(bucket) ?? []), id]));
  }
  const visit = (id: string, path: readonly string[]): boolean =>
    path.includes(id) || [...(edges.get(id) ?? [])].some((next) => visit(next, [...path, id]));
  return [...edges.keys()].filter((id) => visit(id, [])).map((id) => `${id}: depends on itself`);
}

const text = readFileSync(join(ROOT, "template.yaml"), "utf8");
const examineText = (changed: string): string[] => examine(parseTemplate(changed, "template.yaml"));

test("template.yaml has only what its resource types have, and refers to nothing that is not there", () => {
  assert.deepEqual(examineText(text), []);
});

const MISTAKES: readonly [string, string, string, string][] = [
  [
    "a misspelt property",
    "MessageRetentionPeriod:",
    "MessageRetention:",
    "FailedEvents.MessageRetention: no such property",
  ],
  ["a missing property", "      Handler: pigeon.handler\n", "", "Pigeon.Handler: is missing"],
  ["a dangling reference", "!Ref PigeonLog", "!Ref Nothing", "Nothing: no such parameter, condition or resource"],
  ["an attribute that does not exist", "FailedEvents.Arn", "FailedEvents.Name", "FailedEvents.Name: no such attribute"],
  ["an unused parameter", "!Ref BrokerUser", "guest", "BrokerUser: is not used"],
  [
    "a circle",
    "PIGEON_USER: !Ref BrokerUser",
    `PIGEON_USER: !Sub "${"$"}{BrokerUser}${"$"}{CrashBucket}"`,
    "CrashBucket: depends on itself",
  ],
];

for (const [what, before, after, expected] of MISTAKES)
  test(`the check sees ${what}`, () => {
    assert.ok(text.includes(before));
    assert.ok(
      examineText(text.replaceAll(before, after)).includes(expected),
      examineText(text.replaceAll(before, after)).join("\n"),
    );
  });

test("nothing is permitted to everybody or on everything", () => {
  const template = parseTemplate(text, "template.yaml");
  const actions = [
    ...text.matchAll(/^\s+-? ?(?:Action: )?((?:logs|sqs|s3|ec2|kms|lambda|secretsmanager|ssm):\S+)$/gm),
  ].map(([, action]) => action);
  const secrets = ["kms:Decrypt", "secretsmanager:GetSecretValue", "ssm:GetParameter"];
  assert.deepEqual(actions, ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage", ...secrets]);
  assert.doesNotMatch(text, /(Action|Resource|Principal): "?\*/);
  const { BrokerPassword } = template.Parameters as Record<string, Mapping>;
  assert.equal(BrokerPassword?.NoEcho, true);
});

test("the function gets only variables that Pigeon knows, and all that it must have", () => {
  const { Pigeon } = parseTemplate(text, "template.yaml").Resources as Record<
    string,
    { Properties: Record<string, Mapping> }
  >;
  const variables = Object.keys(Pigeon?.Properties.Environment?.Variables ?? {});
  const known: string[] = Object.values(PIGEON_OPTIONS).map(({ name }) => name);
  assert.deepEqual(
    variables.filter((name) => !known.includes(name)),
    [],
  );
  for (const name of ["HOST", "USER", "PASSWORD", "VIRTUAL_HOST", "QUEUE"])
    assert.ok(variables.includes(`PIGEON_${name}`));
});

test("what it says is what the pipeline here runs", () => {
  const environment = {
    PIGEON_HOST: "h",
    PIGEON_PORT: "1",
    PIGEON_USER: "u",
    PIGEON_PASSWORD: "p",
    PIGEON_VIRTUAL_HOST: "v",
    PIGEON_QUEUE: "q",
  };
  const { fn, triggers, asynchronous } = readPigeonFunction("dist/pigeon.zip", environment);
  assert.deepEqual([fn.handler, fn.runtime, fn.timeout, fn.memorySize], ["pigeon.handler", "nodejs24.x", 30, 128]);
  assert.deepEqual(asynchronous, { retryDelays: [60, 120], maxEventAge: 21_600 });
  const [notification] = makeNotifications(fn, triggers);
  assert.deepEqual(notification?.Events, ["s3:ObjectCreated:*"]);
  assert.deepEqual(notification?.Filter?.Key?.FilterRules, [{ Name: "prefix", Value: "v2/raw_crash/" }]);
});
