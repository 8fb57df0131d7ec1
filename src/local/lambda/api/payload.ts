import { type JsonError, SOURCE } from "./json-bytes.ts";
import { findJsonError, NESTING_LIMIT } from "./json-error.ts";

/** A request body that is no JSON; the message is AWS's, a sentence of its JSON parser and a redacted source. */
export class InvalidPayloadError extends Error {
  override readonly name = "InvalidPayloadError";
  readonly code = "ERR_INVALID_PAYLOAD";

  constructor({ sentence, line, column }: JsonError) {
    const prefix = "Could not parse request body into json: Could not parse payload into json:";
    super(`${prefix} ${sentence}\n at ${SOURCE}; line: ${line}, column: ${column}]`);
  }
}

/** The JSON text of an invocation, as it came; an empty body means `{}`. Throws an InvalidPayloadError. */
export function parsePayload(body: Buffer): Buffer {
  if (body.length === 0) return Buffer.from("{}");
  const error = isJson(body) ? findDeepNesting(body) : (findJsonError(body) ?? findTrailing(body));
  if (error !== undefined) throw new InvalidPayloadError(error);
  return body;
}

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
    return true;
  } catch {
    return false;
  }
}

/** Only a text with that many brackets can be nested that deeply. */
function findDeepNesting(body: Buffer): JsonError | undefined {
  let brackets = 0;
  for (const byte of body) if (byte === 0x5b || byte === 0x7b) brackets++;
  return brackets > NESTING_LIMIT ? findJsonError(body) : undefined;
}

/** What AWS's parser may let pass, the function's own would not: a second value, a byte order mark, half a surrogate pair. */
function findTrailing(body: Buffer): JsonError {
  const lines = body.toString("latin1").split("\n");
  const sentence = "Trailing content: expected one JSON value in UTF-8 and nothing else";
  return { sentence, line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
