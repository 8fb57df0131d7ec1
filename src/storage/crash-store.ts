import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { CrashId } from "../crash/crash-id.ts";
import { dumpKey, dumpNamesKey, rawCrashKey } from "../crash/keys.ts";
import { StackError } from "../ops/errors.ts";

export interface CrashStoreOptions {
  readonly bucket: string;
  readonly region: string;
  /** For an S3 that is not AWS's, e.g. `http://127.0.0.1:9000`; any credentials do there. */
  readonly endpoint?: string | undefined;
}

/** A dump's bytes, or the file that has them and its size in bytes. */
export type DumpSource = Uint8Array | { readonly path: string; readonly size: number };

/** A crash as a collector has it. */
export interface CrashObjects {
  /** Annotations and metadata. */
  readonly rawCrash: Readonly<Record<string, unknown>>;
  /** By dump name. */
  readonly dumps: ReadonlyMap<string, DumpSource>;
}

/** Larger dumps are sent in parts of this size, each of which the client sends again when it fails; bytes, at least S3's 5 MiB. */
const PART_SIZE = 8 * 1024 * 1024;

/** Milliseconds. */
const TIMEOUTS = { connectionTimeout: 5000, requestTimeout: 30_000, throwOnRequestTimeout: true };

/** The bucket in which crashes lie. Errors name bucket and key. */
export class CrashStore {
  readonly #bucket: string;
  readonly #client: S3Client;

  constructor({ bucket, region, endpoint }: CrashStoreOptions) {
    this.#bucket = bucket;
    const common = { region, requestHandler: TIMEOUTS };
    const local = {
      endpoint: endpoint ?? "",
      forcePathStyle: true,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    };
    this.#client = new S3Client(endpoint === undefined ? common : { ...common, ...local });
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

  /** Rejects when the bucket does not answer. */
  async checkBucket(signal?: AbortSignal): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }), optional(signal));
    } catch (cause) {
      throw new StackError(`bucket ${this.#bucket} does not answer: ${cause}`, { cause });
    }
  }

  /** Rejects when nothing can be saved. What it saves for a moment, at `key`, is no crash's. */
  async checkWritable(key: string, signal?: AbortSignal): Promise<void> {
    await this.#put(key, "a collector was here\n", "text/plain", signal);
    // To save is all that a collector must be allowed to.
    await this.#client
      .send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }), optional(signal))
      .catch(() => {});
  }

  /** Saves names of dumps, dumps, and the raw crash last: its arrival triggers Pigeon, which means that all is there. */
  async save(id: CrashId, { rawCrash, dumps }: CrashObjects, signal?: AbortSignal): Promise<void> {
    await this.#put(dumpNamesKey(id), JSON.stringify([...dumps.keys()].sort()), "application/json", signal);
    for (const [name, dump] of dumps) await this.#putDump(dumpKey(id, name), dump, signal);
    const sorted = Object.fromEntries(Object.entries(rawCrash).sort(([a], [b]) => (a < b ? -1 : 1)));
    await this.#put(rawCrashKey(id), JSON.stringify(sorted), "application/json", signal);
  }

  close(): void {
    this.#client.destroy();
  }

  async #putDump(key: string, dump: DumpSource, signal: AbortSignal | undefined): Promise<void> {
    const type = "application/octet-stream";
    if (dump instanceof Uint8Array) return this.#put(key, dump, type, signal);
    const file = await open(dump.path).catch((cause: unknown) => {
      throw this.#describe(key, cause);
    });
    try {
      const body = file.createReadStream({ autoClose: false });
      // The client may not be reading when it breaks.
      body.on("error", () => {});
      if (dump.size <= PART_SIZE) await this.#put(key, body, type, signal, { ContentLength: dump.size });
      else await this.#upload(key, body, type, signal);
      body.destroy();
    } finally {
      await file.close();
    }
  }

  async #upload(key: string, body: Readable, contentType: string, signal: AbortSignal | undefined): Promise<void> {
    const upload = new Upload({
      client: this.#client,
      params: { Bucket: this.#bucket, Key: key, Body: body, ContentType: contentType },
      partSize: PART_SIZE,
      queueSize: 1,
    });
    const abort = (): void => void upload.abort();
    signal?.addEventListener("abort", abort);
    try {
      signal?.throwIfAborted();
      await upload.done();
    } catch (cause) {
      throw this.#describe(key, cause);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async #put(
    key: string,
    body: string | Uint8Array | Readable,
    contentType: string,
    signal: AbortSignal | undefined,
    more: { readonly ContentLength?: number } = {},
  ): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: body,
      ContentType: contentType,
      ...more,
    });
    try {
      await this.#client.send(command, optional(signal));
    } catch (cause) {
      throw this.#describe(key, cause);
    }
  }

  #describe(key: string, cause: unknown): StackError {
    return new StackError(`object ${key} cannot be saved in bucket ${this.#bucket}: ${cause}`, { cause });
  }
}

function optional(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
