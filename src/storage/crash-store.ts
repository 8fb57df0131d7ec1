import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { CrashId } from "../crash/crash-id.ts";
import { dumpKey, dumpNamesKey, rawCrashKey } from "../crash/keys.ts";
import { StackError } from "../ops/errors.ts";

export interface CrashStoreOptions {
  readonly bucket: string;
  readonly region: string;
  /** For an S3 that is not AWS's, e.g. `http://127.0.0.1:9000`; any credentials do there. */
  readonly endpoint?: string;
}

/** A crash as a collector has it. */
export interface CrashObjects {
  /** Annotations and metadata. */
  readonly rawCrash: Readonly<Record<string, unknown>>;
  /** By dump name. */
  readonly dumps: ReadonlyMap<string, Uint8Array>;
}

/** The bucket in which crashes lie. Errors name bucket and key. */
export class CrashStore {
  readonly #bucket: string;
  readonly #client: S3Client;

  constructor({ bucket, region, endpoint }: CrashStoreOptions) {
    this.#bucket = bucket;
    const local = {
      endpoint: endpoint ?? "",
      forcePathStyle: true,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    };
    this.#client = new S3Client(endpoint === undefined ? { region } : { region, ...local });
  }

  /** Creates the bucket if it is not there. */
  async ensureBucket(): Promise<void> {
    try {
      await this.#client.send(new CreateBucketCommand({ Bucket: this.#bucket }));
    } catch (cause) {
      const name = cause instanceof Error ? cause.name : "";
      if (name === "BucketAlreadyOwnedByYou" || name === "BucketAlreadyExists") return;
      throw new StackError(`bucket ${this.#bucket} cannot be created: ${cause}`, { cause });
    }
  }

  /** Saves names of dumps, dumps, and the raw crash last: its arrival triggers Pigeon, which means that all is there. */
  async save(id: CrashId, { rawCrash, dumps }: CrashObjects): Promise<void> {
    await this.#put(dumpNamesKey(id), JSON.stringify([...dumps.keys()].sort()), "application/json");
    for (const [name, dump] of dumps) await this.#put(dumpKey(id, name), dump, "application/octet-stream");
    const sorted = Object.fromEntries(Object.entries(rawCrash).sort(([a], [b]) => (a < b ? -1 : 1)));
    await this.#put(rawCrashKey(id), JSON.stringify(sorted), "application/json");
  }

  close(): void {
    this.#client.destroy();
  }

  async #put(key: string, body: string | Uint8Array, contentType: string): Promise<void> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body, ContentType: contentType });
    try {
      await this.#client.send(command);
    } catch (cause) {
      throw new StackError(`object ${key} cannot be saved in bucket ${this.#bucket}: ${cause}`, { cause });
    }
  }
}
