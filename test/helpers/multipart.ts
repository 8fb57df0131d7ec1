/** A multipart body, part by part, right or wrong. */

export const BOUNDARY = "----pigeon-test-boundary";

export interface PartOptions {
  readonly filename?: string;
  readonly type?: string;
  /** Lines of the part's head, instead of those that the others make. */
  readonly head?: readonly string[];
}

/** One part, without its delimiter. */
export function part(name: string, body: string | Uint8Array, { filename, type, head }: PartOptions = {}): Buffer {
  const file = filename === undefined ? "" : `; filename="${filename}"`;
  const lines = head ?? [
    `Content-Disposition: form-data; name="${name}"${file}`,
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), Buffer.from(body)]);
}

/** A dump as Crashpad and Breakpad send it. */
export function dumpPart(name: string, body: string | Uint8Array): Buffer {
  return part(name, body, { filename: `${name}.dmp`, type: "application/octet-stream" });
}

/** Annotations as one JSON part. */
export function jsonPart(value: unknown, name = "extra"): Buffer {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return part(name, text, { filename: "extra.json", type: "application/json" });
}

export function multipart(parts: readonly Buffer[], boundary = BOUNDARY): Buffer {
  const delimited = parts.flatMap((each) => [Buffer.from(`--${boundary}\r\n`), each, Buffer.from("\r\n")]);
  return Buffer.concat([...delimited, Buffer.from(`--${boundary}--\r\n`)]);
}
