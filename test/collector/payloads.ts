import { gzipSync } from "node:zlib";
import type { SubmitOptions } from "../helpers/collector.ts";
import { BOUNDARY, dumpPart, jsonPart, multipart, part } from "../helpers/multipart.ts";

/** What a client sends, what it is told, and what is stored of it. */
export interface Payload {
  readonly what: string;
  readonly body: Uint8Array;
  readonly options?: SubmitOptions;
  /** `saved`: 200 with a crash id; else status and text. */
  readonly answer: "saved" | readonly [status: number, text: string];
  /** Annotations that are stored; default ProductName and Version as all of these have them. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Dumps that are stored, by name. */
  readonly dumps?: Readonly<Record<string, string>>;
  readonly notes?: readonly string[];
  readonly payload?: "json" | "multipart";
}

const product = part("ProductName", "Firefox");
const version = part("Version", "60.0");
const base = { ProductName: "Firefox", Version: "60.0" };
const plain = multipart([product, version]);
const MDMP = "MDMP\x93\xa7\0\0\r\n--\r\nbinary\0";
const dump = dumpPart("upload_file_minidump", MDMP);
const gzip = { headers: { "content-encoding": "gzip" } };
const malformed = (reason: string): [number, string] => [400, `Discarded=malformed_${reason}`];
const withType = (type: string | undefined): SubmitOptions => ({ headers: { "content-type": type } });
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const bytes = (latin1: string): Buffer => Buffer.from(latin1, "latin1");

/** Valid, as the clients in the field send them. */
const VALID: readonly Payload[] = [
  { what: "annotations alone", body: plain, answer: "saved" },
  {
    what: "annotations and a dump",
    body: multipart([product, version, dump]),
    answer: "saved",
    dumps: { upload_file_minidump: MDMP },
  },
  {
    what: "the dump first",
    body: multipart([dump, product, version]),
    answer: "saved",
    dumps: { upload_file_minidump: MDMP },
  },
  {
    what: "four dumps",
    body: multipart([
      product,
      version,
      dump,
      dumpPart("upload_file_minidump_browser", "b"),
      dumpPart("upload_file_minidump_flash1", "f"),
      dumpPart("memory_report", "m"),
    ]),
    answer: "saved",
    dumps: {
      upload_file_minidump: MDMP,
      upload_file_minidump_browser: "b",
      upload_file_minidump_flash1: "f",
      memory_report: "m",
    },
  },
  {
    what: "an empty dump",
    body: multipart([product, version, dumpPart("upload_file_minidump", "")]),
    answer: "saved",
    dumps: { upload_file_minidump: "" },
  },
  { what: "gzip", body: gzipSync(plain), options: gzip, answer: "saved" },
  {
    what: "gzip, in capitals",
    body: gzipSync(plain),
    options: { headers: { "content-encoding": "GZIP" } },
    answer: "saved",
  },
  { what: "x-gzip", body: gzipSync(plain), options: { headers: { "content-encoding": "x-gzip" } }, answer: "saved" },
  {
    what: "gzip of two members",
    body: Buffer.concat([gzipSync(plain.subarray(0, 50)), gzipSync(plain.subarray(50))]),
    options: gzip,
    answer: "saved",
  },
  {
    what: "identity as coding",
    body: plain,
    options: { headers: { "content-encoding": "identity" } },
    answer: "saved",
  },
  { what: "chunks, of unknown length", body: plain, options: { isChunked: true }, answer: "saved" },
  {
    what: "Crashpad: gzip in chunks, product, version and guid in the URL",
    body: gzipSync(multipart([product, version, dump])),
    options: { ...gzip, isChunked: true, path: "/submit?product=Chrome_Linux&version=1&guid=2" },
    answer: "saved",
    dumps: { upload_file_minidump: MDMP },
  },
  {
    what: "Crashpad's boundary, with dashes at both ends",
    body: multipart([product, version], "---MultipartBoundary-0123456789abcdefghijklmnopqrstuv---"),
    options: withType("multipart/form-data; boundary=---MultipartBoundary-0123456789abcdefghijklmnopqrstuv---"),
    answer: "saved",
  },
  { what: "multipart/mixed", body: plain, options: withType(`multipart/mixed; boundary=${BOUNDARY}`), answer: "saved" },
  {
    what: "a media type in capitals",
    body: plain,
    options: withType(`Multipart/Form-Data; boundary=${BOUNDARY}`),
    answer: "saved",
  },
  {
    what: "a quoted boundary",
    body: plain,
    options: withType(`multipart/form-data; boundary="${BOUNDARY}"`),
    answer: "saved",
  },
  {
    what: "a quoted boundary with what a token cannot have",
    body: multipart([product, version], "a b:c?d=e"),
    options: withType('multipart/form-data; boundary="a b:c?d=e"'),
    answer: "saved",
  },
  {
    what: "another parameter before the boundary",
    body: plain,
    options: withType(`multipart/form-data; charset=utf-8; boundary=${BOUNDARY}`),
    answer: "saved",
  },
  {
    what: "another parameter after it",
    body: plain,
    options: withType(`multipart/form-data; boundary=${BOUNDARY}; charset=utf-8`),
    answer: "saved",
  },
  { what: "annotations as JSON", body: multipart([jsonPart(base)]), answer: "saved", payload: "json" },
  {
    what: "annotations as JSON, and a dump",
    body: multipart([jsonPart(base), dump]),
    answer: "saved",
    payload: "json",
    dumps: { upload_file_minidump: MDMP },
  },
  {
    what: "JSON with a charset",
    body: multipart([part("extra", JSON.stringify(base), { type: "application/json; charset=utf-8" })]),
    answer: "saved",
    payload: "json",
  },
  {
    what: "210 annotations",
    body: multipart([product, version, ...Array.from({ length: 208 }, (_, n) => part(`a${n}`, String(n)))]),
    answer: "saved",
    annotations: { ...base, ...Object.fromEntries(Array.from({ length: 208 }, (_, n) => [`a${n}`, String(n)])) },
  },
  {
    what: "annotations in UTF-8",
    body: multipart([product, version, part("Comments", "Abstürzé 💥")]),
    answer: "saved",
    annotations: { ...base, Comments: "Abstürzé 💥" },
  },
  {
    what: "an annotation of several lines",
    body: multipart([product, version, part("Notes", "a\r\nb\n--\r\nc")]),
    answer: "saved",
    annotations: { ...base, Notes: "a\r\nb\n--\r\nc" },
  },
  {
    what: "an empty annotation",
    body: multipart([product, version, part("Comments", "")]),
    answer: "saved",
    annotations: { ...base, Comments: "" },
  },
  {
    what: "text/plain as the type of an annotation",
    body: multipart([product, part("Version", "60.0", { type: "text/plain; charset=utf-8" })]),
    answer: "saved",
  },
  {
    what: "an attachment of Crashpad",
    body: multipart([
      product,
      version,
      part("attachment_log.txt", "line", { filename: "log.txt", type: "application/octet-stream" }),
    ]),
    answer: "saved",
    dumps: { attachment_logtxt: "line" },
  },
  {
    what: "a file of text, which is a dump",
    body: multipart([product, version, part("log", "line", { filename: "log.txt", type: "text/plain" })]),
    answer: "saved",
    dumps: { log: "line" },
  },
  {
    what: "a part of another type, which is a dump",
    body: multipart([product, version, part("shot", "PNG", { type: "image/png" })]),
    answer: "saved",
    dumps: { shot: "PNG" },
  },
];

/** Odd, but to be taken: what was changed is noted. */
const ODD: readonly Payload[] = [
  ...["Email", "TelemetryClientId", "TelemetryServerURL", "TelemetrySessionId"].map(
    (name): Payload => ({
      what: `${name}, which is removed`,
      body: multipart([product, version, part(name, "private")]),
      answer: "saved",
      notes: [`Removed ${name} from raw crash.`],
    }),
  ),
  {
    what: "Email in JSON, which is removed",
    body: multipart([jsonPart({ ...base, Email: "a@b" })]),
    answer: "saved",
    payload: "json",
    notes: ["Removed Email from raw crash."],
  },
  ...["metadata", "submitted_timestamp", "version"].map(
    (name): Payload => ({
      what: `an annotation ${name}, which is the collector's`,
      body: multipart([product, version, part(name, "forged")]),
      answer: "saved",
      notes: [`Removed ${name} from raw crash.`],
    }),
  ),
  {
    what: "JSON after key and value: it replaces them",
    body: multipart([part("Gone", "1"), jsonPart(base)]),
    answer: "saved",
    payload: "json",
    notes: ["includes annotations in both json-encoded extra and formdata parts"],
  },
  {
    what: "key and value after JSON: they are added",
    body: multipart([jsonPart(base), part("Late", "1")]),
    answer: "saved",
    annotations: { ...base, Late: "1" },
    payload: "json",
    notes: ["includes annotations in both json-encoded extra and formdata parts"],
  },
  {
    what: "two JSON parts: the second counts",
    body: multipart([jsonPart({ Gone: "1" }), jsonPart(base)]),
    answer: "saved",
    payload: "json",
    notes: ["payload has more than one JSON part"],
  },
  {
    what: "the same annotation twice: the second counts",
    body: multipart([part("Version", "1"), product, version]),
    answer: "saved",
  },
  { what: "a preamble", body: Buffer.concat([Buffer.from("to be ignored\r\n"), plain]), answer: "saved" },
  { what: "an epilogue", body: Buffer.concat([plain, Buffer.from("to be ignored")]), answer: "saved" },
  {
    what: "a dump name with other characters",
    body: multipart([product, version, dumpPart("../../v2/raw crash-2\u00fc", "x")]),
    answer: "saved",
    dumps: { v2rawcrash2: "x" },
  },
  {
    what: "a dump name that is too long",
    body: multipart([product, version, dumpPart("a".repeat(40), "x")]),
    answer: "saved",
    dumps: { ["a".repeat(30)]: "x" },
  },
  {
    what: "an annotation that is named as a member of every object",
    body: multipart([product, version, part("__proto__", "x"), part("constructor", "y"), part("toString", "z")]),
    answer: "saved",
    annotations: JSON.parse(
      '{"ProductName":"Firefox","Version":"60.0","__proto__":"x","constructor":"y","toString":"z"}',
    ),
  },
  {
    what: "a NUL in an annotation",
    body: multipart([product, version, part("Notes", "a\0b")]),
    answer: "saved",
    annotations: { ...base, Notes: "a\0b" },
  },
  {
    what: "bytes that are no UTF-8",
    body: bytes(text(multipart([product, version, part("Notes", "X")])).replace("\r\n\r\nX", "\r\n\r\n\xff")),
    answer: "saved",
    annotations: { ...base, Notes: "\ufffd" },
  },
  {
    what: "parts that have no name",
    body: multipart([product, version, part("", "x", { head: ["Content-Type: text/plain"] })]),
    answer: "saved",
  },
  {
    what: "line feeds in what looks like a delimiter",
    body: multipart([product, version, part("Notes", `\n--${BOUNDARY}\nx`)]),
    answer: "saved",
    annotations: { ...base, Notes: `\n--${BOUNDARY}\nx` },
  },
];

/** Malformed or hostile. */
const BAD: readonly Payload[] = [
  { what: "no content type", body: plain, options: withType(undefined), answer: malformed("no_content_type") },
  { what: "text/plain", body: plain, options: withType("text/plain"), answer: malformed("wrong_content_type") },
  {
    what: "application/json",
    body: Buffer.from("{}"),
    options: withType("application/json"),
    answer: malformed("wrong_content_type"),
  },
  {
    what: "application/x-www-form-urlencoded",
    body: Buffer.from("ProductName=Firefox"),
    options: withType("application/x-www-form-urlencoded"),
    answer: malformed("wrong_content_type"),
  },
  {
    what: "multipart/related",
    body: plain,
    options: withType(`multipart/related; boundary=${BOUNDARY}`),
    answer: malformed("wrong_content_type"),
  },
  {
    what: "a type that only begins right",
    body: plain,
    options: withType(`multipart/form-database; boundary=${BOUNDARY}`),
    answer: malformed("wrong_content_type"),
  },
  ...["foo", "foo;bar", "/", "multipart"].map(
    (type): Payload => ({
      what: `the content type ${type}`,
      body: plain,
      options: withType(type),
      answer: malformed("wrong_content_type"),
    }),
  ),
  {
    what: "JSON with more members than there may be",
    body: multipart([jsonPart(Object.fromEntries(Array.from({ length: 501 }, (_, n) => [`a${n}`, ""])))]),
    answer: [413, "Discarded=too_large"],
  },
  { what: "no boundary", body: plain, options: withType("multipart/form-data"), answer: malformed("no_boundary") },
  {
    what: "an empty boundary",
    body: plain,
    options: withType("multipart/form-data; boundary="),
    answer: malformed("no_boundary"),
  },
  {
    what: "a boundary that is too long",
    body: plain,
    options: withType(`multipart/form-data; boundary=${"b".repeat(71)}`),
    answer: malformed("no_boundary"),
  },
  { what: "no body", body: Buffer.alloc(0), answer: malformed("no_content_length") },
  {
    what: "no body, in chunks",
    body: Buffer.alloc(0),
    options: { isChunked: true },
    answer: malformed("invalid_payload_structure"),
  },
  { what: "a body without parts", body: Buffer.from(`--${BOUNDARY}--\r\n`), answer: malformed("no_annotations") },
  { what: "text without parts", body: Buffer.from("hello"), answer: malformed("invalid_payload_structure") },
  {
    what: "another boundary in the body",
    body: multipart([product, version], "another"),
    answer: malformed("invalid_payload_structure"),
  },
  { what: "no end", body: plain.subarray(0, -BOUNDARY.length - 8), answer: malformed("invalid_payload_structure") },
  {
    what: "an end in the middle of a dump",
    body: multipart([product, dump]).subarray(0, -BOUNDARY.length - 20),
    answer: malformed("invalid_payload_structure"),
  },
  {
    what: "an end in the middle of a head",
    body: plain.subarray(0, 40),
    answer: malformed("invalid_payload_structure"),
  },
  { what: "a dump alone", body: multipart([dump]), answer: malformed("no_annotations") },
  { what: "an empty JSON object", body: multipart([jsonPart({})]), answer: malformed("no_annotations") },
  { what: "no gzip, though said", body: plain, options: gzip, answer: malformed("bad_gzip") },
  {
    what: "gzip that is cut short",
    body: gzipSync(plain).subarray(0, -10),
    options: gzip,
    answer: malformed("bad_gzip"),
  },
  {
    what: "gzip with a wrong checksum",
    body: Buffer.concat([gzipSync(plain).subarray(0, -8), Buffer.alloc(8)]),
    options: gzip,
    answer: malformed("bad_gzip"),
  },
  {
    what: "deflate",
    body: plain,
    options: { headers: { "content-encoding": "deflate" } },
    answer: malformed("bad_gzip"),
  },
  { what: "gzip, though not said", body: gzipSync(plain), answer: malformed("invalid_payload_structure") },
  { what: "JSON that is none", body: multipart([jsonPart("{")]), answer: malformed("invalid_json") },
  { what: "a JSON array", body: multipart([jsonPart([])]), answer: malformed("invalid_json") },
  { what: "a JSON text", body: multipart([jsonPart('"x"')]), answer: malformed("invalid_json") },
  { what: "JSON null", body: multipart([jsonPart("null")]), answer: malformed("invalid_json") },
  { what: "an empty JSON part", body: multipart([jsonPart("")]), answer: malformed("invalid_json") },
  ...[1, true, null, {}, []].map(
    (value): Payload => ({
      what: `JSON with the value ${JSON.stringify(value)}`,
      body: multipart([jsonPart({ ...base, value })]),
      answer: malformed("invalid_json_value"),
    }),
  ),
  ...["dump", "dump_names", "raw_crash", "processed_crash", "dump-_names", "", "..", "üü"].map(
    (name): Payload => ({
      what: `a dump named ${JSON.stringify(name)}`,
      body: multipart([product, version, dumpPart(name, "x")]),
      answer: malformed("invalid_dump_name"),
    }),
  ),
  {
    what: "two dumps whose names come out the same",
    body: multipart([product, version, dumpPart("a.b", "1"), dumpPart("ab", "2")]),
    answer: malformed("invalid_payload_structure"),
  },
  {
    what: "a uuid without a token",
    body: multipart([product, part("uuid", "00007bd0-2d1c-4865-af09-80bc00180313")]),
    answer: [401, "Discarded=unauthorized_uuid"],
  },
  {
    what: "a uuid in JSON without a token",
    body: multipart([jsonPart({ ...base, uuid: "00007bd0-2d1c-4865-af09-80bc00180313" })]),
    answer: [401, "Discarded=unauthorized_uuid"],
  },
  {
    what: "a uuid with a wrong token",
    body: multipart([product, part("uuid", "00007bd0-2d1c-4865-af09-80bc00180313")]),
    options: { headers: { authorization: "Bearer wrong" } },
    answer: [401, "Discarded=unauthorized_uuid"],
  },
  ...[
    "",
    "x",
    "00007bd0-2d1c-4865-af09-80bc00180313\n",
    "00007BD0-2D1C-4865-AF09-80BC00180313",
    "00007bd0-2d1c-4865-af09-80bc02180313",
  ].map(
    (uuid): Payload => ({
      what: `the uuid ${JSON.stringify(uuid)} with the token`,
      body: multipart([product, part("uuid", uuid)]),
      options: { headers: { authorization: "Bearer secret" } },
      answer: malformed("invalid_uuid"),
    }),
  ),
  {
    what: "a dump that is too large",
    body: multipart([product, dumpPart("upload_file_minidump", "x".repeat(100_000))]),
    answer: [413, "Discarded=too_large"],
  },
  {
    what: "a dump that is too large, in chunks",
    body: multipart([product, dumpPart("upload_file_minidump", "x".repeat(100_000))]),
    options: { isChunked: true },
    answer: [413, "Discarded=too_large"],
  },
  {
    what: "a gzip bomb",
    body: gzipSync(multipart([product, dumpPart("upload_file_minidump", Buffer.alloc(20_000_000))])),
    options: gzip,
    answer: [413, "Discarded=too_large"],
  },
  {
    what: "a gzip bomb in an annotation",
    body: gzipSync(multipart([product, part("Notes", Buffer.alloc(20_000_000))])),
    options: gzip,
    answer: [413, "Discarded=too_large"],
  },
  {
    what: "an annotation that is too large",
    body: multipart([product, part("Notes", "x".repeat(20_000))]),
    answer: [413, "Discarded=too_large"],
  },
  {
    what: "annotations that are too large together",
    body: multipart([product, part("a", "x".repeat(6000)), part("b", "x".repeat(6000))]),
    answer: [413, "Discarded=too_large"],
  },
  {
    what: "an annotation's name that is too long",
    body: multipart([product, part("x".repeat(20_000), "1")]),
    answer: [413, "Discarded=too_large"],
  },
  {
    what: "more parts than there may be",
    body: multipart(Array.from({ length: 501 }, (_, n) => part(`a${n}`, ""))),
    answer: [413, "Discarded=too_large"],
  },
  { what: "GET", body: Buffer.alloc(0), options: { method: "GET" }, answer: [405, "Method Not Allowed\n"] },
  { what: "PUT", body: plain, options: { method: "PUT" }, answer: [405, "Method Not Allowed\n"] },
];

/** Of a collector with these limits and this token. */
export const PAYLOAD_VARIABLES = {
  COLLECTOR_MAX_BYTES: "60000",
  COLLECTOR_MAX_ANNOTATION_BYTES: "10000",
  COLLECTOR_MAX_PARTS: "500",
  COLLECTOR_UUID_TOKEN: "secret",
};

export const PAYLOADS: readonly Payload[] = [...VALID, ...ODD, ...BAD];
