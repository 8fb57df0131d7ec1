/** Pigeon's secrets and transport: KMS, Secrets Manager, SSM and TLS, seen from outside. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { createServer } from "node:tls";
import { brokerAddress, ownQueueName, pigeonEnvironment, takeItems } from "../helpers/amqp.ts";
import { startAwsSecrets } from "../helpers/aws-secrets.ts";
import { type Certificates, makeCertificates } from "../helpers/certificates.ts";
import { run } from "../helpers/program.ts";
import { servePigeon } from "../helpers/serving.ts";

const ID = "00007bd0-2d1c-4865-af09-80bc00180313";
const EVENT = JSON.parse((await run("pigeon", ["event"])).stdout);
const REGION = "eu-central-1";

/** A user whose password is ASCII, as KMS plaintexts must be: the shared broker's own has other characters. */
async function makeQueue(t: TestContext): Promise<{ queue: string; env: Record<string, string> }> {
  const queue = ownQueueName(t);
  const env = pigeonEnvironment(queue);
  assert.equal((await run("pigeon", ["queue", "declare"], { env })).code, 0);
  return { queue, env };
}

test("KMS, Secrets Manager and SSM are asked once in the life of an environment", async (t) => {
  const { queue, env } = await makeQueue(t);
  const secrets = await startAwsSecrets(t);
  const secret = `arn:aws:secretsmanager:us-west-2:123456789012:secret:broker-AbCdEf`;
  const parameter = `arn:aws:ssm:eu-west-1:123456789012:parameter/broker/password`;
  const password = env.PIGEON_PASSWORD ?? "";
  secrets.held.set(secret, JSON.stringify({ password })).set(parameter, password);
  const aws = { PIGEON_AWS_REGION: REGION, AWS_ENDPOINT_URL: secrets.url };
  const PIGEON_VIRTUAL_HOST = secrets.encrypt(env.PIGEON_VIRTUAL_HOST ?? "");
  for (const PIGEON_PASSWORD of [`${secret}:password`, parameter]) {
    const pigeon = await servePigeon(t, { ...env, ...aws, PIGEON_VIRTUAL_HOST, PIGEON_PASSWORD });
    for (let round = 0; round < 3; round++)
      assert.equal((await pigeon.invoke(EVENT)).payload, "null", pigeon.server.output);
    assert.doesNotMatch(pigeon.server.output, /Please set PIGEON_AWS_REGION/);
    assert.ok(!pigeon.server.output.includes(password));
  }
  assert.deepEqual(secrets.calls.sort(), [
    "AmazonSSM.GetParameter eu-west-1 ssm",
    `TrentService.Decrypt ${REGION} kms`,
    `TrentService.Decrypt ${REGION} kms`,
    "secretsmanager.GetSecretValue us-west-2 secretsmanager",
  ]);
  assert.equal((await takeItems(queue)).length, 6);
});

test("what is wrong with a secret is named, in time, and never shows it; the next invocation asks again", async (t) => {
  const { queue, env } = await makeQueue(t);
  const secrets = await startAwsSecrets(t);
  const { port, user, virtualHost } = brokerAddress();
  const ciphertext = { PIGEON_PASSWORD: secrets.encrypt("hunter2"), PIGEON_VIRTUAL_HOST: secrets.encrypt(virtualHost) };
  const aws = { PIGEON_AWS_REGION: REGION, AWS_ENDPOINT_URL_KMS: secrets.url };
  const start = (change: object) => servePigeon(t, { ...env, ...aws, ...ciphertext, ...change }, { timeout: 3 });
  const failure = (reason: string): string => `queue ${queue}: ${reason}: ${ID}`;
  const kms = `no credentials (PIGEON_PASSWORD: KMS in ${REGION}: Decrypt`;

  const pigeon = await start({});
  secrets.trouble = { status: 400, type: "AccessDeniedException", message: "no kms:Decrypt for you" };
  const denied = await pigeon.invoke(EVENT);
  assert.equal(
    JSON.parse(denied.payload).errorMessage,
    failure(`${kms}: AccessDeniedException: no kms:Decrypt for you)`),
  );
  secrets.trouble = "silence";
  const silent = await pigeon.invoke(EVENT);
  assert.match(JSON.parse(silent.payload).errorMessage, /no credentials \(.*no answer within \d+ ms\)/);
  assert.ok(silent.ms < 3000, `${silent.ms} ms`);
  assert.deepEqual(pigeon.takeMetrics(), { accept: 2, publish_error: 2 });
  secrets.trouble = undefined;
  const wrong = await pigeon.invoke(EVENT);
  const who = JSON.stringify(user);
  const refused = `access refused (broker 127.0.0.1:${port} refuses user ${who} with the configured password)`;
  assert.equal(JSON.parse(wrong.payload).errorMessage, failure(refused));

  const cases: [object, RegExp][] = [
    [
      { PIGEON_PASSWORD: "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=" },
      /PIGEON_PASSWORD: KMS in \S+: Decrypt: InvalidCiphertextException\)/,
    ],
    [
      { PIGEON_PASSWORD: secrets.encrypt("hünter2") },
      /PIGEON_PASSWORD: KMS: expected ASCII as plaintext, got other bytes\)/,
    ],
    [{ PIGEON_PASSWORD: secrets.encrypt("") }, /PIGEON_PASSWORD: KMS: .* is (empty|not there)\)/],
    [{ AWS_ENDPOINT_URL_KMS: "http://127.0.0.1:4" }, /Decrypt: ECONNREFUSED\)/],
    [
      { PIGEON_PASSWORD: "hunter2!" },
      /^PIGEON_PASSWORD: expected a KMS ciphertext in base64, .* got 8 characters that are not shown$/,
    ],
  ];
  for (const [change, message] of cases) {
    const other = await start(change);
    const { payload } = await other.invoke(EVENT);
    assert.match(JSON.parse(payload).errorMessage, message);
    assert.doesNotMatch(other.server.output + payload, /hunter2|hünter2/);
    await other.server.stop("SIGTERM");
  }
  assert.deepEqual(await takeItems(queue), []);
  assert.doesNotMatch(pigeon.server.output, /hunter2/);
});

/** TLS in front of the shared broker. */
async function startTls(t: TestContext, { key, cert }: Certificates): Promise<number> {
  const server = createServer({ key, cert }, (socket) => {
    const upstream = connect(brokerAddress().port, "127.0.0.1");
    for (const each of [socket, upstream]) each.on("error", () => {});
    socket.pipe(upstream).pipe(socket);
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("TLS needs a certificate of the given authority for the given name; every other one is refused at once", async (t) => {
  const { queue, env } = await makeQueue(t);
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const certificates = makeCertificates(folder, "broker.example");
  const other = makeCertificates(folder, "broker.example");
  const PIGEON_PORT = String(await startTls(t, certificates));
  const tls = { ...env, PIGEON_PORT, PIGEON_TLS: "true" };
  const good = { PIGEON_TLS_CA: certificates.ca, PIGEON_TLS_SERVER_NAME: "broker.example" };

  const pigeon = await servePigeon(t, { ...tls, ...good });
  assert.equal((await pigeon.invoke(EVENT)).payload, "null", pigeon.server.output);
  assert.deepEqual(await takeItems(queue), [ID]);

  const cases: [string, Record<string, string>, RegExp][] = [
    [
      "no authority",
      { PIGEON_TLS_SERVER_NAME: "broker.example" },
      /certificate refused \(.*(SELF_SIGNED|UNABLE_TO_VERIFY)/,
    ],
    ["another authority", { ...good, PIGEON_TLS_CA: other.ca }, /certificate refused/],
    [
      "another name",
      { ...good, PIGEON_TLS_SERVER_NAME: "other.example" },
      /certificate refused \(.*ERR_TLS_CERT_ALTNAME/,
    ],
    ["no name", { PIGEON_TLS_CA: certificates.ca }, /certificate refused \(.*ERR_TLS_CERT_ALTNAME/],
  ];
  for (const [what, change, message] of cases) {
    const { server, invoke, takeMetrics } = await servePigeon(t, { ...tls, ...change });
    const { payload, ms } = await invoke(EVENT);
    assert.match(JSON.parse(payload).errorMessage, message, what);
    assert.ok(ms < 5000, `${what}: ${ms} ms`);
    assert.deepEqual(takeMetrics(), { accept: 1, publish_error: 1 });
    await server.stop("SIGTERM");
  }
  // The commands of an operator take the same settings.
  const shown = await run("pigeon", ["queue", "show"], { env: { ...tls, ...good } });
  assert.equal(shown.stdout, `${queue}: 0 items\n`, shown.stderr);
  assert.equal((await run("pigeon", ["queue", "show"], { env: { ...tls, ...good, PIGEON_TLS_CA: other.ca } })).code, 1);
});
