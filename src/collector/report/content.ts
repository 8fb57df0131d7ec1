import type { IncomingHttpHeaders } from "node:http";
import { malformed } from "../refusal.ts";

/** What the headers of a submission say of its body. */
export interface Content {
  readonly boundary: string;
  readonly isCompressed: boolean;
}

/** https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1: 1 to 70 characters, quoted when they are not a token. */
const BOUNDARY = /;\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?=;|$)/i;

/** Throws a RefusalError that says what is missing. */
export function readContent(headers: IncomingHttpHeaders): Content {
  const type = headers["content-type"];
  if (type === undefined || type.trim() === "") throw malformed("no_content_type");
  if (!/^\s*multipart\/(form-data|mixed)\s*(;|$)/i.test(type)) throw malformed("wrong_content_type");
  const [, quoted, token] = BOUNDARY.exec(type) ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined) throw malformed("no_boundary");
  // Crashpad sends chunks, of a length that nobody knows before.
  const isChunked = headers["transfer-encoding"] !== undefined;
  if (!isChunked && Number(headers["content-length"] ?? 0) === 0) throw malformed("no_content_length");
  const coding = (headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (coding === "gzip" || coding === "x-gzip") return { boundary, isCompressed: true };
  if (coding === "identity") return { boundary, isCompressed: false };
  throw malformed("bad_gzip");
}
