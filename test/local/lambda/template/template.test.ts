import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import type { TemplateFunction } from "../../../../src/local/lambda/template/function-properties.ts";
import { readTemplate } from "../../../../src/local/lambda/template/template.ts";
import { makeFolder } from "../../../helpers/function-zip.ts";

/** A template whose function F has these properties besides its code, with these other sections. */
function makeTemplate(properties: string, sections = ""): string {
  const indented = properties.replace(/^/gm, "      ");
  return `Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: code/\n${indented}\n${sections}`;
}

function read(t: TestContext, text: string, parameters: Record<string, string> = {}): TemplateFunction[] {
  const path = join(makeFolder(t), "template.yaml");
  writeFileSync(path, text);
  return readTemplate(path, { parameters });
}

function readOne(t: TestContext, text: string, parameters: Record<string, string> = {}): TemplateFunction {
  const [first] = read(t, text, parameters);
  assert.ok(first);
  return first;
}

/** Begins a placeholder of Fn::Sub. */
const D = "$";

const VALUES: readonly [string, string, string][] = [
  ["Ref of a parameter", "!Ref P", "given"],
  ["Ref of a pseudo parameter", "!Ref AWS::Region", "us-east-1"],
  ["Ref of a bucket", "!Ref B", "my-bucket"],
  ["Ref of a queue", "!Ref Q", "https://sqs.us-east-1.amazonaws.com/123456789012/Q"],
  ["GetAtt of a queue", "!GetAtt Q.Arn", "arn:aws:sqs:us-east-1:123456789012:Q"],
  ["GetAtt in its long form", "{ 'Fn::GetAtt': [B, Arn] }", "arn:aws:s3:::my-bucket"],
  ["GetAtt of the function itself", "!GetAtt F.Arn", "arn:aws:lambda:us-east-1:123456789012:function:F"],
  [
    "Sub",
    `!Sub "${D}{P}-${D}{AWS::AccountId}-${D}{Q.Arn}-${D}{!P}"`,
    `given-123456789012-arn:aws:sqs:us-east-1:123456789012:Q-${D}{P}`,
  ],
  ["Sub with variables", `!Sub ["${D}{x}/${D}{P}", { x: !Ref B }]`, "my-bucket/given"],
  ["Join", '!Join ["-", [a, !Ref P]]', "a-given"],
  ["Select of Split", '!Select [1, !Split [",", "a,b"]]', "b"],
  ["Select of a list parameter", "!Select [1, !Ref L]", "two"],
  ["If", '!If [C, "yes it is", "no"]', "yes it is"],
  ["If of composed conditions", '!If [D, "a", "b"]', "b"],
  ["FindInMap", "!FindInMap [M, !Ref AWS::Region, size]", "5"],
  ["Base64", "!Base64 abc", "YWJj"],
  ["a number", "7", "7"],
];

const SECTIONS = `
  B: { Type: AWS::S3::Bucket, Properties: { BucketName: my-bucket } }
  Q: { Type: AWS::SQS::Queue }
Parameters:
  P: { Type: String, Default: other }
  L: { Type: CommaDelimitedList, Default: "one, two" }
Conditions:
  C: !Equals [!Ref P, given]
  D: !And [!Condition C, !Not [!Or [!Condition C, !Equals [a, b]]]]
Mappings:
  M: { us-east-1: { size: 5 } }
`;

for (const [what, yaml, expected] of VALUES)
  test(`intrinsic functions are evaluated: ${what}`, (t) => {
    const text = makeTemplate(`Environment:\n  Variables:\n    V: ${yaml}`, SECTIONS);
    assert.equal(readOne(t, text, { P: "given" }).environment.V, expected);
  });

test("a variable that is AWS::NoValue is not there", (t) => {
  const text = makeTemplate("Environment:\n  Variables:\n    A: !Ref AWS::NoValue\n    B: b");
  assert.deepEqual(readOne(t, text).environment, { B: "b" });
});

const PROBLEMS: readonly [string, string, RegExp][] = [
  ["an unknown property", "Colour: red", /F\.Colour: this property is not supported here$/],
  ["code in S3", "CodeUri: s3://bucket/key", /F\.CodeUri: expected the path of a zip file or a folder, got "s3:/],
  ["a dangling reference", "Handler: !Ref Nobody", /F\.Handler: there is no parameter or resource Nobody$/],
  ["a parameter without a value", "Handler: !Ref N", /F\.Handler: parameter N has no default and was given no value$/],
  ["a value that is not allowed", "Handler: !Ref A", /parameter A: expected one of x, y, got "z"$/],
  ["an unknown condition", "Handler: !If [Nope, a, b]", /F\.Handler: there is no condition Nope$/],
  ["a function that is not supported", "Handler: !ImportValue x", /F\.Handler: Fn::ImportValue is not supported here$/],
  [
    "an attribute that is not known",
    "Handler: !GetAtt B.Weird",
    /attribute Weird of AWS::S3::Bucket B is not known here$/,
  ],
  ["a circle of conditions", "Handler: !If [X, a, b]", /condition X refers to itself$/],
  ["a number that is none", "Timeout: soon", /F\.Timeout: expected a whole number, got "soon"$/],
  [
    "a layer that lies elsewhere",
    "Layers: [arn:aws:lambda:us-east-1:1:layer:x:1]",
    /F\.Layers\[0\]: expected a reference to a layer/,
  ],
  [
    "a dynamic reference",
    "Environment: { Variables: { S: '{{resolve:ssm:x}}' } }",
    /F\.Environment\.S: a dynamic reference .* --env S=value$/,
  ],
  [
    "a variable that is a list",
    "Environment: { Variables: { S: [1] } }",
    /F\.Environment\.S: expected text, got \[1\]$/,
  ],
];

for (const [what, property, expected] of PROBLEMS)
  test(`a problem names file, property, what was expected and what came: ${what}`, (t) => {
    const sections = `
  B: { Type: AWS::S3::Bucket }
Parameters: { N: { Type: String }, A: { Type: String, Default: z, AllowedValues: [x, y] } }
Conditions: { X: !Not [!Condition X] }
`;
    const base = makeTemplate(property, sections);
    const text = property.startsWith("CodeUri") ? base.replace("      CodeUri: code/\n", "") : base;
    assert.throws(
      () => read(t, text),
      (error: { problems: string[] }) => {
        assert.equal(error.problems.length, 1);
        assert.match(error.problems[0] ?? "", /^template \/.*template\.yaml: /);
        assert.match(error.problems[0] ?? "", expected);
        return true;
      },
    );
  });

test("what is no template is named: not YAML, no mapping, no function, no such parameter, no file", (t) => {
  assert.throws(() => read(t, "a: [b"), /expected YAML or JSON/);
  assert.throws(() => read(t, "- a"), /expected a mapping with Resources/);
  assert.throws(() => read(t, "Resources: {}"), /expected a resource of type AWS::Serverless::Function/);
  assert.throws(() => read(t, makeTemplate(""), { Nope: "1" }), /there is no parameter Nope/);
  assert.throws(() => readTemplate("/nowhere.yaml"), /expected a readable file, got ENOENT/);
});

test("Globals are merged as SAM does, and JSON is read as well", (t) => {
  const template = {
    Globals: { Function: { Timeout: 9, Runtime: "nodejs22.x", Environment: { Variables: { A: "global", B: "b" } } } },
    Resources: {
      One: {
        Type: "AWS::Serverless::Function",
        Properties: { CodeUri: "one.zip", Environment: { Variables: { A: "own" } } },
      },
      Two: { Type: "AWS::Lambda::Function", Properties: { Code: "two", FunctionName: "second", Timeout: 4 } },
      Off: { Type: "AWS::Serverless::Function", Condition: "Never", Properties: { CodeUri: "x" } },
    },
    Conditions: { Never: { "Fn::Equals": ["a", "b"] } },
  };
  const functions = read(t, JSON.stringify(template));
  const seen = functions.map(({ name, timeout, runtime, environment }) => ({ name, timeout, runtime, environment }));
  assert.deepEqual(seen, [
    { name: "One", timeout: 9, runtime: "nodejs22.x", environment: { A: "own", B: "b" } },
    { name: "second", timeout: 4, runtime: undefined, environment: {} },
  ]);
});

test("events, destinations, limits and layers are read; what has no effect is noted", (t) => {
  const properties = `Handler: a.b
MemorySize: 256
Timeout: 12
EphemeralStorage: { Size: 1024 }
ReservedConcurrentExecutions: 3
Layers: [!Ref Lib]
Policies: [AWSLambdaBasicExecutionRole]
LoggingConfig: { LogFormat: JSON, ApplicationLogLevel: WARN, LogGroup: x }
DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Q.Arn }
EventInvokeConfig:
  MaximumRetryAttempts: 0
  MaximumEventAgeInSeconds: 60
  DestinationConfig:
    OnSuccess: { Type: SQS }
    OnFailure: { Type: SQS, Destination: !GetAtt Q.Arn }
Events:
  Put:
    Type: S3
    Properties:
      Bucket: !Ref B
      Events: [s3:ObjectCreated:Put]
      Filter: { S3Key: { Rules: [{ Name: prefix, Value: in/ }, { Name: suffix, Value: .json }] } }
  Web: { Type: HttpApi }`;
  const sections = `
  B: { Type: AWS::S3::Bucket }
  Q: { Type: AWS::SQS::Queue, Properties: { QueueName: kept } }
  Lib: { Type: AWS::Serverless::LayerVersion, Properties: { ContentUri: lib/ } }
`;
  const { code, layers, notes, ...rest } = readOne(t, makeTemplate(properties, sections));
  assert.match(code, /^\/.*\/code$/);
  assert.match(layers.join(), /^\/.*\/lib$/);
  assert.deepEqual(notes, [
    "F.Policies has no effect here",
    "F.Events.Web: events of type HttpApi are not delivered here",
  ]);
  assert.deepEqual(rest, {
    logicalId: "F",
    name: "F",
    handler: "a.b",
    runtime: undefined,
    memorySize: 256,
    timeout: 12,
    ephemeralStorage: 1024,
    environment: {},
    logFormat: "JSON",
    applicationLogLevel: "WARN",
    systemLogLevel: undefined,
    concurrency: 3,
    maximumRetryAttempts: 0,
    maximumEventAge: 60,
    onSuccess: "F-OnSuccess",
    onFailure: "kept",
    deadLetterQueue: "kept",
    s3: [{ bucket: "b", events: ["s3:ObjectCreated:Put"], prefix: "in/", suffix: ".json" }],
  });
});
