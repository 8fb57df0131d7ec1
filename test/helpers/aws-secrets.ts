import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { TestContext } from "node:test";

/** A stub of KMS, Secrets Manager and SSM on the wire (no emulator of KMS exists that needs neither Docker nor an account). */
export interface AwsSecrets {
  readonly url: string;
  /** Operations asked for so far, each with the region of its signature. */
  readonly calls: string[];
  /** Text or bytes as a KMS ciphertext in base64. */
  encrypt(plaintext: string | Buffer): string;
  /** What Secrets Manager and SSM hold, by the name or ARN that is asked for. */
  readonly held: Map<string, string>;
  /** What is answered instead: an error, or never anything. */
  trouble: { readonly status: number; readonly type: string; readonly message: string } | "silence" | undefined;
}

const KEY = randomBytes(32);
const OPERATIONS = ["TrentService.Decrypt", "secretsmanager.GetSecretValue", "AmazonSSM.GetParameter"];

/** Stopped after the test. */
export async function startAwsSecrets(t: TestContext): Promise<AwsSecrets> {
  const server = createServer(async (request, response) => {
    const input = JSON.parse((await buffer(request)).toString()) as Record<string, string>;
    const operation = String(request.headers["x-amz-target"]);
    secrets.calls.push(`${operation} ${region(request)}`);
    if (secrets.trouble === "silence") return;
    const failure = secrets.trouble ?? (OPERATIONS.includes(operation) ? undefined : NO_OPERATION);
    const answer = failure ?? answerTo(operation, input);
    response.writeHead(answer.status, { "Content-Type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify("type" in answer ? { __type: answer.type, message: answer.message } : answer.body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const secrets: AwsSecrets = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    encrypt,
    held: new Map(),
    trouble: undefined,
  };
  return secrets;

  function answerTo(operation: string, input: Record<string, string>): Failure | Success {
    if (operation === "TrentService.Decrypt") return decrypt(input.CiphertextBlob ?? "");
    const value = secrets.held.get(input.SecretId ?? input.Name ?? "");
    if (value === undefined) return { status: 400, type: "ResourceNotFoundException", message: "not here" };
    const body = operation.startsWith("AmazonSSM") ? { Parameter: { Value: value } } : { SecretString: value };
    return { status: 200, body };
  }
}

interface Failure {
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

interface Success {
  readonly status: 200;
  readonly body: object;
}

const NO_OPERATION: Failure = { status: 400, type: "UnknownOperationException", message: "" };

/** Of AWS's signature, which must be there. */
function region({ headers }: IncomingMessage): string {
  const scope = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=/;
  const [, where = "", service = ""] = scope.exec(headers.authorization ?? "") ?? [];
  return where === "" ? "unsigned" : `${where} ${service}`;
}

function encrypt(plaintext: string | Buffer): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", KEY, iv);
  const sealed = Buffer.concat([cipher.update(Buffer.from(plaintext)), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64");
}

function decrypt(ciphertext: string): Failure | Success {
  const bytes = Buffer.from(ciphertext, "base64");
  try {
    const decipher = createDecipheriv("aes-256-gcm", KEY, bytes.subarray(0, 12)).setAuthTag(bytes.subarray(12, 28));
    const plaintext = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
    return { status: 200, body: { Plaintext: plaintext.toString("base64") } };
  } catch {
    return { status: 400, type: "com.amazonaws.kms#InvalidCiphertextException", message: "" };
  }
}
