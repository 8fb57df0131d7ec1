/**
 * fauxqs's object store, kept in files, with a word about every object that is created or removed. Its classes are not
 * exported by the package (which serves on all interfaces): they are taken from its files, so its version is pinned exactly.
 */

/** What fauxqs knows of an object; `etag` is in quotes. */
export interface StoredObject {
  readonly key: string;
  readonly etag: string;
  readonly contentLength: number;
}

/** The part of fauxqs's S3Store that is used or overridden here. */
export interface S3Store {
  persistence?: FilePersistence;
  hasBucket(name: string): boolean;
  headObject(bucket: string, key: string): StoredObject;
  restoreObject(bucket: string, object: StoredObject): void;
}

interface FilePersistence {
  upsertObject(bucket: string, object: StoredObject): void;
  deleteObject(bucket: string, key: string): void;
  renameObject(bucket: string, from: string, to: string): void;
  readBody(bucket: string, key: string): Buffer;
  loadS3(store: S3Store): void;
  close(): void;
}

type Class<T, A extends unknown[] = []> = new (...args: A) => T;

const packageFile = (path: string): string => new URL(path, import.meta.resolve("fauxqs")).href;
const { S3Store: MemoryStore } = (await import(packageFile("./s3/s3Store.js"))) as { S3Store: Class<S3Store> };
const { FileS3Persistence } = (await import(packageFile("./s3/fileS3Persistence.js"))) as {
  FileS3Persistence: Class<FilePersistence, [directory: string]>;
};

/** Told of an object after it has been stored in files, and of the removal of one (`object` is then undefined). */
export type ObjectListener = (bucket: string, key: string, object: StoredObject | undefined) => void;

/** A store of the objects in `directory`, those of the last time included. */
export function openObjectStore(directory: string, listener: ObjectListener): S3Store {
  const store = new RestoredStore();
  const files = new SafeFiles(directory, listener);
  files.loadS3(store);
  store.persistence = files;
  return store;
}

class RestoredStore extends MemoryStore {
  override restoreObject(bucket: string, object: StoredObject): void {
    super.restoreObject(bucket, { ...object, key: decodeFileName(object.key) });
  }
}

/** Files whose names no key can lead astray: the package's own would follow `..` and mix up `a//b` with `a/b`. */
class SafeFiles extends FileS3Persistence {
  readonly #listener: ObjectListener;

  constructor(directory: string, listener: ObjectListener) {
    super(directory);
    this.#listener = listener;
  }

  override upsertObject(bucket: string, object: StoredObject): void {
    super.upsertObject(bucket, { ...object, key: encodeFileName(object.key) });
    this.#listener(bucket, object.key, object);
  }

  override deleteObject(bucket: string, key: string): void {
    super.deleteObject(bucket, encodeFileName(key));
    this.#listener(bucket, key, undefined);
  }

  override renameObject(bucket: string, from: string, to: string): void {
    super.renameObject(bucket, encodeFileName(from), encodeFileName(to));
  }

  override readBody(bucket: string, key: string): Buffer {
    return super.readBody(bucket, encodeFileName(key));
  }
}

/** File names may have 255 bytes, keys 1024: long ones are cut into folders whose names end in `+`. */
const NAME_LENGTH = 200;

function encodeFileName(key: string): string {
  const name = encodeURIComponent(key).replaceAll("%", "=");
  return name.replace(new RegExp(`.{${NAME_LENGTH}}(?=.)`, "g"), "$&+/");
}

function decodeFileName(name: string): string {
  return decodeURIComponent(name.replaceAll("+/", "").replaceAll("=", "%"));
}
