/** A complaint, and where: line and column from 1, the column in bytes. */
export interface JsonError {
  readonly sentence: string;
  readonly line: number;
  readonly column: number;
}

/** How AWS's answers name the text itself. */
export const SOURCE = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";

const COMMENT =
  "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)";

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export const code = (character: string): number => character.charCodeAt(0);
export const [LF, CR, TAB, SPACE] = ["\n", "\r", "\t", " "].map(code);

/** Thrown to leave the scanner, and caught by `findJsonError`. */
export class Complaint extends Error {
  readonly error: JsonError;

  constructor(error: JsonError) {
    super(error.sentence);
    this.error = error;
  }
}

/** The bytes of a text, read one after the other, and what can be wrong with them before any grammar. */
export class JsonBytes {
  readonly bytes: Buffer;
  at: number;
  line = 1;
  lineStart = 0;
  /** The token before, as Jackson names it. */
  token = "null";

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.at = bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0;
  }

  /** The code point that begins with a byte which has been read. */
  decode(byte: number): number {
    if (byte <= 0x7f) return byte;
    const more = (byte & 0xe0) === 0xc0 ? 1 : (byte & 0xf0) === 0xe0 ? 2 : (byte & 0xf8) === 0xf0 ? 3 : 0;
    if (more === 0) this.fail(`Invalid UTF-8 start byte 0x${byte.toString(16)}`);
    let point = byte & (0x3f >> more);
    for (let n = 0; n < more; n++) {
      const next = this.readOn();
      if ((next & 0xc0) !== 0x80) this.fail(`Invalid UTF-8 middle byte 0x${next.toString(16)}`);
      point = (point << 6) | (next & 0x3f);
    }
    return Math.min(point, 0x10ffff);
  }

  readOn(atEnd = `Unexpected end-of-input in ${this.token}`): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) this.fail(atEnd);
    this.at++;
    return byte;
  }

  skipSpaceWithin(kind: string): number {
    return this.skipSpace() ?? this.fail(`Unexpected end-of-input within/between ${kind} entries`);
  }

  /** Reads the next byte that is no white space; undefined at the end. */
  skipSpace(): number | undefined {
    for (let byte = this.bytes[this.at]; byte !== undefined; byte = this.bytes[this.at]) {
      this.at++;
      if (byte === LF || (byte === CR && this.bytes[this.at] !== LF)) {
        this.line++;
        this.lineStart = this.at;
      } else if (byte > 0x20) {
        if (byte === code("/")) this.unexpected(byte, COMMENT);
        return byte;
      } else if (byte !== SPACE && byte !== TAB && byte !== CR)
        this.failBefore(
          `Illegal character (${describe(byte)}): only regular white space (\\r, \\n, \\t) is allowed between tokens`,
        );
    }
    return undefined;
  }

  unexpected(character: number, comment: string): never {
    this.failBefore(`Unexpected character (${describe(character)}): ${comment}`);
  }

  unexpectedInNumber(character: number, comment: string): never {
    this.failBefore(`Unexpected character (${describe(character)}) in numeric value: ${comment}`);
  }

  /** At what was read last. */
  failBefore(sentence: string): never {
    throw new Complaint({ sentence, line: this.line, column: this.at - this.lineStart });
  }

  /** At what would be read next. */
  fail(sentence: string): never {
    throw new Complaint({ sentence, line: this.line, column: this.at - this.lineStart + 1 });
  }
}

/** A character as Jackson shows it. */
export function describe(character: number): string {
  if (character < 0x20 || (character >= 0x7f && character <= 0x9f)) return `(CTRL-CHAR, code ${character})`;
  const hex = character > 255 ? ` / 0x${character.toString(16)}` : "";
  return `'${String.fromCodePoint(character)}' (code ${character}${hex})`;
}
