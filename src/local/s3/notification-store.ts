import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Notification } from "./notification.ts";

/** The notification configurations of all buckets, kept in files. */
export class NotificationStore {
  readonly #directory: string;
  readonly #byBucket = new Map<string, readonly Notification[]>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    for (const file of readdirSync(directory).filter((name) => name.endsWith(".json"))) {
      const notifications = JSON.parse(readFileSync(join(directory, file), "utf8")) as readonly Notification[];
      this.#byBucket.set(file.slice(0, -".json".length), notifications);
    }
  }

  get(bucket: string): readonly Notification[] {
    return this.#byBucket.get(bucket) ?? [];
  }

  /** Replaces the bucket's whole configuration, as S3 does. `bucket` must exist: its name is a safe file name. */
  put(bucket: string, notifications: readonly Notification[]): void {
    const path = join(this.#directory, `${bucket}.json`);
    writeFileSync(`${path}.new`, JSON.stringify(notifications));
    renameSync(`${path}.new`, path);
    this.#byBucket.set(bucket, notifications);
  }
}
