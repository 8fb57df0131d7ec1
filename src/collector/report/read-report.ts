import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import { ClientGoneError, malformed, RefusalError, tooLarge } from "../refusal.ts";
import { Annotations } from "./annotations.ts";
import { type Content, readContent } from "./content.ts";
import { normalizeDumpName } from "./dump-name.ts";
import type { CrashReport, ReceivedDump, ReportLimits } from "./report.ts";

/**
 * Reads a submission as it comes: annotations into memory, dumps into files of `directory`, which exists and is removed by the
 * caller. Rejects with a RefusalError or a ClientGoneError; then the rest of the body is let go by, so that the client can be
 * answered.
 */
export async function readReport(
  request: IncomingMessage,
  directory: string,
  limits: ReportLimits,
): Promise<CrashReport> {
  const content = readContent(request.headers);
  if (Number(request.headers["content-length"] ?? 0) > limits.bytes) throw tooLarge();
  const received = new Meter(limits.bytes);
  const parts = new Parts(content, directory, limits);
  const leave = (): void => {
    // All that was sent may have come, and not yet be read: a request that is destroyed is never read to its end.
    if (!request.readableEnded) received.destroy(new ClientGoneError("the client has gone"));
  };
  request.once("close", leave);
  try {
    if (request.destroyed) leave();
    request.pipe(received);
    const decoders = content.isCompressed ? [createGunzip()] : [];
    await pipeline([received, ...decoders, new Meter(limits.bytes), parts.busboy]);
    const dumps = await parts.finish();
    const { annotations } = parts;
    const uuid = annotations.takeUuid();
    if (annotations.values.size === 0) throw malformed("no_annotations");
    annotations.redact();
    const { values, payload, notes } = annotations;
    return {
      annotations: values,
      dumps,
      uuid,
      payload,
      isCompressed: content.isCompressed,
      size: received.bytes,
      notes,
    };
  } catch (error) {
    await parts.abandon();
    throw explain(error);
  } finally {
    request.off("close", leave);
    request.unpipe(received);
    request.resume();
  }
}

/** Counts bytes and lets no more than `most` pass. */
class Meter extends Transform {
  readonly #most: number;
  bytes = 0;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error | null, chunk?: Buffer) => void): void {
    this.bytes += chunk.length;
    if (this.bytes > this.#most) done(tooLarge());
    else done(null, chunk);
  }
}

/** The parts of one body: each is an annotation, JSON with annotations, or a dump. */
class Parts {
  readonly annotations: Annotations;
  readonly busboy: BusboyInstance;
  /** The first thing that was wrong; what comes after it is not looked at. */
  failure: unknown;
  readonly #directory: string;
  readonly #dumps = new Map<string, Promise<ReceivedDump>>();
  readonly #streams: Readable[] = [];
  readonly #annotationBytes: number;
  #bytes = 0;

  constructor({ boundary }: Content, directory: string, limits: ReportLimits) {
    this.annotations = new Annotations(limits.parts);
    this.#directory = directory;
    this.#annotationBytes = limits.annotationBytes;
    this.busboy = new Busboy({
      // The one name under which the parser knows both types; a quoted boundary may hold anything but quotes.
      headers: { "content-type": `multipart/form-data; boundary="${boundary}"` },
      isPartAFile: (_name, type, filename) => !isJson(type) && !(isText(type) && filename === undefined),
      limits: {
        fieldSize: limits.annotationBytes,
        fieldNameSize: FIELD_NAME_BYTES,
        parts: limits.parts,
        headerPairs: 32,
      },
    });
    this.busboy.on("field", (name, value, nameCut, valueCut, _encoding, type) =>
      this.#attempt(() => this.#takeField(name ?? "", value, type, nameCut || valueCut)),
    );
    this.busboy.on("file", (name, stream) => this.#takeFile(name ?? "", stream));
    this.busboy.on("partsLimit", () => this.#fail(tooLarge()));
  }

  /** Every dump, when all are in their files. */
  async finish(): Promise<readonly ReceivedDump[]> {
    if (this.failure !== undefined) throw this.failure;
    return Promise.all(this.#dumps.values());
  }

  /** Resolves when no file is written to any more. */
  async abandon(): Promise<void> {
    this.busboy.destroy();
    for (const stream of this.#streams) stream.destroy();
    await Promise.allSettled(this.#dumps.values());
  }

  #takeField(name: string, value: string, type: string, isCut: boolean): void {
    this.#bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    if (isCut || this.#bytes > this.#annotationBytes) throw tooLarge();
    if (isJson(type)) this.annotations.addJson(value);
    else this.annotations.addField(name, value);
  }

  #takeFile(field: string, stream: Readable): void {
    // Without a listener an upload that ends too early would end the process.
    stream.on("error", () => {});
    this.#streams.push(stream);
    this.#attempt(() => {
      if (this.failure !== undefined) return void stream.resume();
      const name = normalizeDumpName(field);
      if (this.#dumps.has(name)) throw malformed("invalid_payload_structure");
      const dump = writeDump(name, stream, join(this.#directory, name));
      dump.catch((error: unknown) => this.#fail(error));
      this.#dumps.set(name, dump);
    }, stream);
  }

  #attempt(take: () => void, stream?: Readable): void {
    if (this.failure !== undefined && stream === undefined) return;
    try {
      take();
    } catch (error) {
      if (!(error instanceof RefusalError)) throw error;
      this.#fail(error);
      stream?.resume();
    }
  }

  /** A parser that waits for somebody to take a part would wait for ever. */
  #fail(error: unknown): void {
    this.failure ??= error;
    this.busboy.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Longer names are cut, and their report is refused. */
const FIELD_NAME_BYTES = 1000;

async function writeDump(name: string, stream: Readable, path: string): Promise<ReceivedDump> {
  const hash = createHash("sha256");
  let size = 0;
  const measure = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  await pipeline(stream, measure, createWriteStream(path, { flags: "wx", mode: 0o600 }));
  return { name, path, size, sha256: hash.digest("hex") };
}

function isJson(type: string | undefined): boolean {
  return /^application\/json\b/i.test(type ?? "");
}

function isText(type: string | undefined): boolean {
  return type === undefined || /^text\/plain\b/i.test(type);
}

/** The parser's words for a body that is not what it should be. */
const STRUCTURE = /^(Unexpected end of multipart data|Part terminated early|Malformed part header|Multipart: )/;

/** What the parts of the machinery throw, in the words of a refusal; what is wrong with this machine stays as it is. */
function explain(error: unknown): unknown {
  const { code = "", message = "", syscall } = Object(error) as Partial<NodeJS.ErrnoException>;
  if (error instanceof RefusalError || error instanceof ClientGoneError || syscall !== undefined) return error;
  if (/^Z_|^ERR_ZLIB|^ERR_TRAILING_JUNK/.test(code)) return malformed("bad_gzip", { cause: error });
  if (STRUCTURE.test(message) || code === "ERR_STREAM_PREMATURE_CLOSE")
    return malformed("invalid_payload_structure", { cause: error });
  return error;
}
