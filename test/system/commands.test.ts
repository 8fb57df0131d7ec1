import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { unzipSync } from "fflate";
import { ownQueueName, pigeonEnvironment } from "../helpers/amqp.ts";
import { ROOT, run } from "../helpers/program.ts";

const ID = "00007bd0-2d1c-4865-af09-80bc00180313";

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("build gives the same bytes in two different folders", async (t) => {
  const outputs = [];
  for (const time of ["UTC", "Asia/Tokyo"]) {
    const folder = join(makeFolder(t), time);
    for (const part of ["bin", "src", "package.json", "local.env", ".git"])
      if (existsSync(join(ROOT, part))) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    outputs.push(
      execFileSync(join(folder, "bin", "pigeon"), ["build"], { encoding: "utf8", env: { ...process.env, TZ: time } }),
    );
  }
  assert.match(outputs[0] ?? "", /^dist\/pigeon\.zip\n\d+ bytes\nsha256 [0-9a-f]{64}\n$/);
  assert.equal(outputs[0], outputs[1]);
});

test("the zip is small, holds the handler and a version.json, and no S3 client", async () => {
  const { stdout } = await run("pigeon", ["build"]);
  assert.ok(Number(/(\d+) bytes/.exec(stdout)?.[1]) <= 60 * 1024, stdout);
  const files = unzipSync(readFileSync(join(ROOT, "dist", "pigeon.zip")));
  assert.deepEqual(Object.keys(files), ["pigeon.js", "version.json"]);
  const text = (name: string): string => Buffer.from(files[name] ?? []).toString();
  assert.deepEqual(Object.keys(JSON.parse(text("version.json"))), ["source", "version", "commit", "build"]);
  const code = text("pigeon.js");
  assert.match(code, /handler/);
  assert.doesNotMatch(code, /client-s3/);
});

test("event prints what AWS sends, a record for each key", async () => {
  const { stdout, code } = await run("pigeon", [
    "event",
    "a b",
    "c/d",
    "--bucket",
    "own",
    "--event-name",
    "ObjectCreated:Copy",
  ]);
  assert.equal(code, 0);
  const { Records } = JSON.parse(stdout);
  assert.deepEqual(
    Records.map((record: { eventName: string; s3: { bucket: { name: string }; object: { key: string } } }) => [
      record.eventName,
      record.s3.bucket.name,
      record.s3.object.key,
    ]),
    [
      ["ObjectCreated:Copy", "own", "a+b"],
      ["ObjectCreated:Copy", "own", "c/d"],
    ],
  );
  const { Records: defaults } = JSON.parse((await run("pigeon", ["event"])).stdout);
  assert.equal(defaults[0].s3.bucket.name, "dev_bucket");
  assert.equal(defaults[0].s3.object.key, `v2/raw_crash/000/20180313/${ID}`);
});

test("a missing queue: exit code 1, and queue and id are named", async (t) => {
  const queue = ownQueueName(t);
  const env = pigeonEnvironment(queue);
  const { stdout: input } = await run("pigeon", ["event"]);
  const { code, stdout, stderr } = await run("pigeon", ["invoke"], { env, input });
  assert.equal(code, 1);
  const error = JSON.parse(stdout);
  assert.equal(error.errorType, "DeliveryError");
  assert.equal(error.errorMessage, `queue ${queue}: unroutable: ${ID}`);
  assert.match(stderr, new RegExp(`${ID}: not published to ${queue}: unroutable`));
  assert.match(stderr, /socorro\.pigeon\.publish_error/);
});

test("a wrong configuration fails the start of the function, naming everything", async () => {
  const env = { ...pigeonEnvironment("50:"), PIGEON_ENV: "a b" };
  const { code, stdout } = await run("pigeon", ["invoke"], { env, input: "{}" });
  assert.equal(code, 1);
  const { errorType, errorMessage } = JSON.parse(stdout);
  assert.equal(errorType, "ConfigurationError");
  assert.match(
    errorMessage,
    /PIGEON_QUEUE: expected .*, got "50:"; PIGEON_ENV: expected letters, digits, - and _, got "a b"/,
  );
});

test("an event of unknown shape fails loudly", async (t) => {
  const env = pigeonEnvironment(ownQueueName(t));
  for (const input of ["{}", '{"Records":[{"eventSource":"aws:sqs","messageId":"m","body":"{}"}]}', "[]"]) {
    const { code, stdout } = await run("pigeon", ["invoke"], { env, input });
    assert.equal(code, 1, input);
    assert.match(stdout, /expected an S3 event/, input);
  }
});

test("a hostile key adds no line to log or metrics", async (t) => {
  const env = pigeonEnvironment(ownQueueName(t));
  const key = `v2/raw_crash/\nMONITORING|1|1|count|socorro.pigeon.accept|\n\u001b[2J\u009b2J\u2028${ID}x`;
  const { stdout } = await run("pigeon", ["event", "KEY"]);
  const input = stdout.replace('"KEY"', JSON.stringify(key)); // as it is, not encoded
  const { code, stderr } = await run("pigeon", ["invoke"], { env, input });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /^MONITORING/m);
  assert.doesNotMatch(stderr, /[\u001b\u009b\u2028]/);
  assert.match(stderr, /looking at key: v2\/raw_crash\/\\nMONITORING/);
});

test("no secret is in any output", async (t) => {
  const env = { ...pigeonEnvironment(ownQueueName(t)), PIGEON_PASSWORD: "hunter2-is-secret" };
  const { stdout: input } = await run("pigeon", ["event"]);
  const { code, stdout, stderr } = await run("pigeon", ["invoke"], { env, input });
  assert.equal(code, 1);
  assert.match(stdout, /access refused/);
  assert.doesNotMatch(stdout + stderr, /hunter2/);
});

test("bad usage and bad input are exit code 2 with a clear line", async (t) => {
  const bad = join(makeFolder(t), "bad.json");
  writeFileSync(bad, "{nope");
  const cases: [string, string[], RegExp][] = [
    ["pigeon", ["nonsense"], /unknown command 'nonsense'/],
    ["pigeon", ["invoke", "--nonsense"], /unknown option '--nonsense'/],
    ["pigeon", ["invoke", "--timeout", "soon"], /Expected a whole number, got "soon"/],
    ["pigeon", ["invoke", "--env", "NAME"], /Expected NAME=value, got "NAME"/],
    [
      "pigeon",
      ["invoke", bad],
      /event: expected JSON from .*bad\.json, got: .*Unrecognized token|event: expected JSON from/,
    ],
    ["pigeon", ["invoke", "nowhere.json"], /event: expected JSON from nowhere\.json, got: .*ENOENT/],
    [
      "pigeon",
      ["event", "--via", "kafka"],
      /'kafka' is invalid\. Allowed choices are sqs, sns, sns-in-sqs, eventbridge/,
    ],
    ["pigeon", ["event", "--via", "eventbridge", "a", "b"], /key: expected one, as EventBridge sends one .* got 2/],
    ["pigeon", ["event", "--event-name", "x"], /Expected a name such as ObjectCreated:Put/],
    ["local-lambda", ["invoke"], /--zip: expected the path of a zip file or a folder, got nothing/],
    ["local-lambda", ["invoke", "--zip", "nowhere.zip"], /found nothing at nowhere\.zip/],
    [
      "local-lambda",
      ["invoke", "--zip", ".", "--runtime", "nodejs6.x"],
      /runtime: expected one of nodejs24\.x, nodejs22\.x, provided\.al2023, got "nodejs6\.x"/,
    ],
    [
      "local-lambda",
      ["invoke", "--zip", ".", "--timeout", "901"],
      /timeout: expected whole seconds from 1 to 900, got 901/,
    ],
    ["local-lambda", ["serve"], /--zip: expected/],
  ];
  for (const [program, args, message] of cases) {
    const { code, stderr, stdout } = await run(program, args, { input: "{}", env: pigeonEnvironment("q") });
    assert.equal(code, 2, `${program} ${args.join(" ")}\n${stderr}`);
    assert.match(stderr, message);
    assert.equal(stdout, "");
  }
});

test("--help is everywhere", async () => {
  const commands = [[], ["build"], ["event"], ["invoke"], ["queue"], ["queue", "drain"], ["up"], ["down"]];
  for (const command of commands) {
    const { code, stdout } = await run("pigeon", [...command, "--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: /);
  }
  for (const command of [[], ["invoke"], ["serve"]])
    assert.equal((await run("local-lambda", [...command, "--help"])).code, 0);
});
