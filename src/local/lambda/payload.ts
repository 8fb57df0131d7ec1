/** A request body that is no JSON; the message is AWS's, a sentence of its JSON parser and a redacted source. */
export class InvalidPayloadError extends Error {
  override readonly name = "InvalidPayloadError";
  readonly code = "ERR_INVALID_PAYLOAD";

  constructor(sentence: string, line: number, column: number) {
    const source = "at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
    super(
      "Could not parse request body into json: Could not parse payload into json: " +
        `${sentence}\n ${source}; line: ${line}, column: ${column}]`,
    );
  }
}

/** The JSON text of an invocation, as it came; an empty body means `{}`. Throws an InvalidPayloadError. */
export function parsePayload(body: Buffer): Buffer {
  if (body.length === 0) return Buffer.from("{}");
  rejectInvalidUtf8(body);
  const text = body.toString();
  try {
    JSON.parse(text);
  } catch {
    throw describeInvalidJson(text);
  }
  return body;
}

function rejectInvalidUtf8(body: Buffer): void {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    let start = 0;
    for (const character of body.toString()) {
      if (character === "\ufffd" && body[start] !== 0xef) break;
      start += Buffer.byteLength(character);
    }
    const byte = (body[start] ?? 0).toString(16);
    const { line, column } = locate(body.toString("latin1", 0, start + 1));
    throw new InvalidPayloadError(`Invalid UTF-8 start byte 0x${byte}`, line, column);
  }
}

/** The three complaints that people meet: an unknown word, an unexpected end, an unexpected character. */
function describeInvalidJson(text: string): InvalidPayloadError {
  const invalid = firstInvalidCharacter(text);
  const at = invalid - (/[\w$]*$/.exec(text.slice(0, invalid))?.[0].length ?? 0);
  const word = /^[A-Za-z_$][\w$]*/.exec(text.slice(at))?.[0];
  if (word !== undefined) {
    const { line, column } = locate(text.slice(0, at + word.length));
    const expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    return new InvalidPayloadError(`Unrecognized token '${word}': was expecting ${expected}`, line, column);
  }
  const character = text[at];
  const { line, column } = locate(text.slice(0, at + 1));
  if (character === undefined) return new InvalidPayloadError("Unexpected end-of-input", line, column);
  const sentence = `Unexpected character ('${character}' (code ${character.codePointAt(0)})): expected a valid value`;
  return new InvalidPayloadError(sentence, line, column);
}

/** V8 names the position, except where the text ends too early. */
function firstInvalidCharacter(text: string): number {
  try {
    JSON.parse(text);
    return text.length;
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    const position = /at position (\d+)/.exec(message)?.[1];
    if (position !== undefined) return Number(position);
    const token = /^Unexpected token '(.+?)'/su.exec(message)?.[1];
    return token === undefined ? text.length : text.indexOf(token);
  }
}

/** Where the parser stands after `read`: lines and columns from 1. */
function locate(read: string): { line: number; column: number } {
  const lines = read.split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
