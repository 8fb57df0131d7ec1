import { createHash, randomBytes } from "node:crypto";

/** What a broker needs to exist from its first moment on. */
export interface Definitions {
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
  readonly queues: readonly string[];
}

/** User, virtual host, permissions and queues, taken over at every start; guest is not made. */
export function makeDefinitions({ user, password, virtualHost, queues }: Definitions): string {
  const salt = randomBytes(4);
  const hash = createHash("sha256").update(salt).update(password).digest();
  return JSON.stringify({
    users: [
      {
        name: user,
        password_hash: Buffer.concat([salt, hash]).toString("base64"),
        hashing_algorithm: "rabbit_password_hashing_sha256",
        tags: "administrator",
      },
    ],
    vhosts: [{ name: virtualHost }],
    permissions: [{ user, vhost: virtualHost, configure: ".*", write: ".*", read: ".*" }],
    queues: queues.map((name) => ({
      name,
      vhost: virtualHost,
      durable: true,
      auto_delete: false,
      arguments: { "x-queue-type": "quorum" },
    })),
  });
}
