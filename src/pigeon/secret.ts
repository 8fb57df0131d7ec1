import { AwsApiError, callAws } from "./aws-api.ts";

/**
 * The forms in which a secret may stand in a variable: the ARN of a Secrets Manager secret or of an SSM parameter, as in the
 * `valueFrom` of an ECS task; a KMS ciphertext in base64, where a region says so; or the secret itself.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
 */

/** arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key[:version-stage[:version-id]]] */
const SECRETS_MANAGER =
  /^(?<arn>arn:aws[a-z-]*:secretsmanager:(?<region>[a-z0-9-]+):\d{12}:secret:[^:]+)(?::(?<key>[^:]*)(?::(?<stage>[^:]*)(?::(?<version>[^:]*))?)?)?$/;

/** arn:aws:ssm:REGION:ACCOUNT:parameter/NAME */
const SSM = /^arn:aws[a-z-]*:ssm:(?<region>[a-z0-9-]+):\d{12}:parameter\/.+$/;

const ARN_OF_EITHER = /^arn:aws[a-z-]*:(?:secretsmanager|ssm):/;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What is expected of a variable that holds something else; undefined when its form is good. `region`: of its KMS key. */
export function findSecretProblem(text: string, region: string | undefined): string | undefined {
  if (ARN_OF_EITHER.test(text))
    return SECRETS_MANAGER.test(text) || SSM.test(text)
      ? undefined
      : "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key[:version-stage[:version-id]]] or arn:aws:ssm:REGION:ACCOUNT:parameter/NAME";
  if (region === undefined || (text !== "" && BASE64.test(text))) return undefined;
  return "a KMS ciphertext in base64, as PIGEON_AWS_REGION is set, or an ARN of Secrets Manager or SSM";
}

/** The secret itself. Asks AWS at most for `limit` ms; rejects with an AwsApiError, which never shows the secret. */
export async function readSecret(text: string, region: string | undefined, limit: number): Promise<string> {
  const secret = SECRETS_MANAGER.exec(text)?.groups;
  if (secret?.arn !== undefined) return readFromSecretsManager(secret, limit);
  const parameter = SSM.exec(text)?.groups;
  if (parameter?.region !== undefined) {
    const input = { Name: text, WithDecryption: true };
    const call = { service: "ssm", region: parameter.region, operation: "GetParameter", input, limit } as const;
    const { Parameter } = await callAws(call);
    return expectText(
      (Object(Parameter) as { readonly Value?: unknown }).Value,
      "SSM Parameter Store: a parameter's Value",
    );
  }
  return region === undefined ? text : decrypt(text, region, limit);
}

async function decrypt(ciphertext: string, region: string, limit: number): Promise<string> {
  const input = { CiphertextBlob: ciphertext };
  const { Plaintext } = await callAws({ service: "kms", region, operation: "Decrypt", input, limit });
  const bytes = Buffer.from(expectText(Plaintext, "KMS: a Plaintext"), "base64");
  // The bytes are those that somebody encrypted: other encodings than ASCII would be a guess.
  if (bytes.some((byte) => byte > 0x7f)) throw new AwsApiError("KMS: expected ASCII as plaintext, got other bytes");
  return expectText(bytes.toString("latin1"), "KMS: a plaintext");
}

async function readFromSecretsManager(
  { arn, region = "", key, stage, version }: Record<string, string | undefined>,
  limit: number,
): Promise<string> {
  const input = {
    SecretId: arn,
    ...(stage ? { VersionStage: stage } : {}),
    ...(version ? { VersionId: version } : {}),
  };
  const call = { service: "secretsmanager", region, operation: "GetSecretValue", input, limit } as const;
  const { SecretString } = await callAws(call);
  const text = expectText(SecretString, "Secrets Manager: a SecretString");
  if (!key) return text;
  let members: unknown;
  try {
    members = JSON.parse(text);
  } catch {
    throw new AwsApiError(`Secrets Manager: expected a JSON object with the key ${key}, got something else`);
  }
  const object = Object(members) as Record<string, unknown>;
  return expectText(Object.hasOwn(object, key) ? object[key] : undefined, `Secrets Manager: text at the key ${key}`);
}

function expectText(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new AwsApiError(`${what}, expected as text, is ${value === "" ? "empty" : "not there"}`);
}
