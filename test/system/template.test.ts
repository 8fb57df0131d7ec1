import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from "@aws-sdk/client-lambda";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { BackgroundProgram } from "../helpers/background.ts";
import { ROOT, run } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

const FUNCTIONS = join(ROOT, "test", "functions");

const TEMPLATE = `
Parameters:
  Greeting: { Type: String }
Globals:
  Function: { Runtime: nodejs24.x, Handler: index.handler }
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: ${FUNCTIONS}/echo }
  Told:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: told
      CodeUri: ${FUNCTIONS}/environment
      Environment: { Variables: { GREETING: !Ref Greeting } }
  Throws:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ${FUNCTIONS}/throws
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Kept.Arn } }
  Kept: { Type: AWS::SQS::Queue }
`;

test("serve --template: every function of a SAM template, with its environment and its destination", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const template = join(folder, "template.yaml");
  writeFileSync(template, TEMPLATE);
  const args = ["serve", "--port", "0", "--template", template, "--parameter", "Greeting=hello"];
  const server = new BackgroundProgram(t, "local-lambda", args, { PIGEON_STATE_DIRECTORY: folder });
  const [, endpoint = ""] = await server.printed(/^listening on (http:\S+)$/m);
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const client = new LambdaClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  t.after(() => client.destroy());
  const { Functions = [] } = await client.send(new ListFunctionsCommand({}));
  assert.deepEqual(
    Functions.map(({ FunctionName }) => FunctionName),
    ["Echo", "told", "Throws"],
  );
  const echo = await client.send(new InvokeCommand({ FunctionName: "Echo", Payload: Buffer.from("[1]") }));
  assert.equal(echo.Payload?.transformToString(), "[1]");
  const told = await client.send(new InvokeCommand({ FunctionName: "told" }));
  assert.equal(JSON.parse(told.Payload?.transformToString() ?? "").env.GREETING, "hello");
  await assert.rejects(client.send(new InvokeCommand({ FunctionName: "Nobody" })), {
    name: "ResourceNotFoundException",
  });
  await client.send(
    new InvokeCommand({ FunctionName: "Throws", InvocationType: "Event", Payload: Buffer.from('{"message":"x"}') }),
  );
  const kept = join(folder, "Kept.jsonl");
  await until("the failed event is kept", () => existsSync(kept) && readFileSync(kept, "utf8"));
  const { requestContext } = JSON.parse(readFileSync(kept, "utf8"));
  assert.equal(requestContext.condition, "RetriesExhausted");
  assert.equal(requestContext.functionArn, "arn:aws:lambda:us-east-1:123456789012:function:Throws:$LATEST");
  assert.equal(await server.stop("SIGTERM"), 0);
});

test("a template that is wrong is bad usage, with every function's problem", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  const template = join(folder, "template.yaml");
  writeFileSync(
    template,
    TEMPLATE.replace("FunctionName: told", "Shape: round").replace("MaximumRetryAttempts: 0", "Colour: red"),
  );
  const { code, stderr } = await run("local-lambda", ["serve", "--template", template, "--parameter", "Greeting=x"]);
  rmSync(folder, { recursive: true });
  assert.equal(code, 2);
  assert.match(stderr, /Told\.Shape: this property is not supported here\n/);
  assert.match(stderr, /Throws\.EventInvokeConfig\.Colour: this property is not supported here\n/);
  const both = await run("local-lambda", ["serve", "--template", template, "--zip", "x"]);
  assert.equal(both.code, 2);
  assert.match(both.stderr, /--template: expected without --zip/);
});

const NOTIFIED = `
Resources:
  Told:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ${FUNCTIONS}/logs-event
      Handler: index.handler
      Runtime: nodejs24.x
      Events:
        Put:
          Type: S3
          Properties:
            Bucket: !Ref Inbox
            Events: s3:ObjectCreated:*
            Filter: { S3Key: { Rules: [{ Name: prefix, Value: in/ }, { Name: suffix, Value: .json }] } }
  Inbox: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
`;

test("serve --template --s3-port: an object that the template's S3 event covers reaches its function", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const template = join(folder, "template.yaml");
  writeFileSync(template, NOTIFIED);
  const args = ["serve", "--port", "0", "--template", template, "--s3-port", "0"];
  const server = new BackgroundProgram(t, "local-lambda", args, { PIGEON_STATE_DIRECTORY: folder });
  const [, endpoint = ""] = await server.printed(/^S3 on (http:\S+): inbox$/m);
  await server.printed(/^listening on /m);
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  t.after(() => client.destroy());
  for (const Key of ["out/1.json", "in/2.txt", "in/3.json"])
    await client.send(new PutObjectCommand({ Bucket: "inbox", Key, Body: "x" }));
  await server.printed(/"key":"in\/3\.json"/);
  assert.equal(server.output.match(/^START /gm)?.length, 1);
  assert.equal(await server.stop("SIGTERM"), 0);
});
