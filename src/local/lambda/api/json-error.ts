import { Complaint, CR, code, describe, JsonBytes, type JsonError, LF, SOURCE, SPACE, TAB } from "./json-bytes.ts";

/**
 * Says what AWS's JSON parser says of a text that is no JSON: the sentences and places of Jackson (2.17 and later), whose
 * byte-wise parser AWS answers with. https://github.com/FasterXML/jackson-core
 */

/** Jackson's limit on nested arrays and objects. */
export const NESTING_LIMIT = 1000;

const EXPECTED = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
const NON_NUMERIC = "enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow";

/** What Java takes as the start and as a part of an identifier. */
const IDENTIFIER_START = /^[\p{L}\p{Nl}\p{Sc}\p{Pc}]$/u;
const IDENTIFIER_PART = /^[\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Nd}\p{Mc}\p{Mn}\p{Cf}\x00-\x08\x0e-\x1b\x7f-\x9f]$/u;

const LONGEST_TOKEN = 256;

const [QUOTE, BACKSLASH, COLON, COMMA, MINUS, DOT] = ['"', "\\", ":", ",", "-", "."].map(code);

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** The first complaint, or undefined when Jackson would have none. */
export function findJsonError(text: Buffer): JsonError | undefined {
  try {
    new Scanner(text).scan();
    return undefined;
  } catch (complaint) {
    if (complaint instanceof Complaint) return complaint.error;
    throw complaint;
  }
}

/** An array or object that is not closed yet, and where it began. */
interface Scope {
  readonly kind: "Array" | "Object";
  readonly place: string;
  entries: number;
}

class Scanner extends JsonBytes {
  readonly #scopes: Scope[] = [];

  scan(): void {
    for (let byte = this.skipSpace(); byte !== undefined; byte = this.skipSpace()) this.#next(byte);
    const scope = this.#scopes.at(-1);
    if (scope !== undefined)
      this.fail(`Unexpected end-of-input: expected close marker for ${scope.kind} (start marker at ${scope.place})`);
    if (this.token === "null") this.fail("No content to map due to end-of-input");
  }

  /** One token, or a name with its value, whose first byte has been read. */
  #next(first: number): void {
    let byte = first;
    if (byte === code("]") || byte === code("}")) {
      this.#close(byte);
      return;
    }
    const scope = this.#scopes.at(-1);
    if (scope !== undefined && scope.entries > 0) {
      if (byte !== COMMA) this.unexpected(byte, `was expecting comma to separate ${scope.kind} entries`);
      byte = this.skipSpaceWithin(scope.kind);
    }
    if (scope !== undefined) scope.entries++;
    if (scope?.kind === "Object") byte = this.#name(byte);
    this.#value(byte);
  }

  #close(byte: number): void {
    const [kind, expected] = byte === code("]") ? ["Array", "}"] : ["Object", "]"];
    const scope = this.#scopes.at(-1);
    if (scope?.kind !== kind) {
      const of = `for ${scope?.kind ?? "root"} starting at ${scope?.place ?? `${SOURCE}; line: 1, column: 0]`}`;
      this.failBefore(`Unexpected close marker '${String.fromCharCode(byte)}': expected '${expected}' (${of})`);
    }
    this.#scopes.pop();
    this.token = kind === "Array" ? "END_ARRAY" : "END_OBJECT";
  }

  /** A name and its colon; gives the first byte of the value. */
  #name(byte: number): number {
    if (byte !== QUOTE) this.unexpected(this.decode(byte), "was expecting double-quote to start field name");
    if (this.at >= this.bytes.length) this.fail(`Unexpected end-of-input: was expecting closing '"' for name`);
    this.#string("name", "Unexpected end-of-input in field name");
    this.token = "FIELD_NAME";
    const colon = this.skipSpaceWithin("Object");
    if (colon !== COLON) this.unexpected(colon, "was expecting a colon to separate field name and value");
    return this.skipSpaceWithin("Object");
  }

  #value(byte: number): void {
    const character = String.fromCharCode(byte);
    if (byte === QUOTE) {
      this.token = "VALUE_STRING";
      this.#string("string value", "Unexpected end-of-input in VALUE_STRING");
    } else if (character === "[" || character === "{") this.#open(character);
    else if (character === "t") this.#word("true", "VALUE_TRUE");
    else if (character === "f") this.#word("false", "VALUE_FALSE");
    else if (character === "n") this.#word("null", "VALUE_NULL");
    else if (byte === MINUS || isDigit(byte)) this.#number(byte);
    else this.#noValue(byte, character);
  }

  #open(character: string): void {
    const kind = character === "[" ? "Array" : "Object";
    const depth = this.#scopes.length + 1;
    if (depth > NESTING_LIMIT)
      this.fail(
        `Document nesting depth (${depth}) exceeds the maximum allowed (${NESTING_LIMIT}, from \`StreamReadConstraints.getMaxNestingDepth()\`)`,
      );
    const place = `${SOURCE}; line: ${this.line}, column: ${this.at - this.lineStart}]`;
    this.#scopes.push({ kind, place, entries: 0 });
    this.token = kind === "Array" ? "START_ARRAY" : "START_OBJECT";
  }

  #noValue(byte: number, character: string): never {
    const isClosed = character === "]" && this.#scopes.at(-1)?.kind === "Array";
    if (byte === COMMA || character === "}" || isClosed) this.unexpected(byte, "expected a value");
    if (character === "N") this.#nonNumeric("NaN");
    if (character === "I") this.#nonNumeric("Infinity");
    if (character === "+") {
      if (this.at >= this.bytes.length) this.fail("Unexpected end-of-input in a Number value");
      this.at++;
      const advice = "enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow";
      this.unexpectedInNumber(byte, `JSON spec does not allow numbers to have plus signs: ${advice}`);
    }
    if (IDENTIFIER_START.test(character)) this.#unrecognized(character);
    this.unexpected(byte, `expected a valid value ${EXPECTED}`);
  }

  #nonNumeric(word: string): never {
    this.#match(word);
    this.fail(`Non-standard token '${word}': ${NON_NUMERIC}`);
  }

  #word(word: string, token: string): void {
    this.#match(word);
    this.token = token;
  }

  /** The rest of a word whose first character has been read. */
  #match(word: string): void {
    for (let n = 1; n < word.length; n++, this.at++)
      if (this.bytes[this.at] !== word.charCodeAt(n)) this.#unrecognized(word.slice(0, n));
    const next = this.bytes[this.at];
    if (next === undefined || next < 0x30 || next === code("]") || next === code("}")) return;
    const before = this.at++;
    const isPart = IDENTIFIER_PART.test(String.fromCodePoint(this.decode(next)));
    this.at = before;
    if (isPart) this.#unrecognized(word);
  }

  /** Reads on to the end of what might be a word. */
  #unrecognized(start: string): never {
    let token = start;
    while (this.at < this.bytes.length) {
      const character = String.fromCodePoint(this.decode(this.bytes[this.at++] ?? 0));
      if (!IDENTIFIER_PART.test(character)) break;
      token += character;
      if (token.length < LONGEST_TOKEN) continue;
      token += "...";
      break;
    }
    this.fail(`Unrecognized token '${token}': was expecting ${EXPECTED}`);
  }

  #number(first: number): void {
    let byte: number | undefined = first;
    if (byte === MINUS) {
      byte = this.readOn();
      if (!isDigit(byte))
        this.unexpectedInNumber(byte, "expected digit (0-9) to follow minus sign, for valid numeric value");
    }
    if (byte === 0x30 && isDigit(this.bytes[this.at])) this.fail("Invalid numeric value: Leading zeroes not allowed");
    byte = this.#digits();
    if (byte === DOT) {
      const from = ++this.at;
      byte = this.#digits();
      if (this.at === from) this.#lacksDigit(byte ?? code("."), "Decimal point not followed by a digit");
    }
    if (byte === code("e") || byte === code("E")) this.#exponent();
    if (this.#scopes.length === 0) this.#endOfRootNumber();
    this.token = "VALUE_NUMBER_INT";
  }

  #exponent(): void {
    this.at++;
    let byte = this.readOn();
    if (byte === MINUS || byte === code("+")) byte = this.readOn();
    if (!isDigit(byte)) this.unexpectedInNumber(byte, "Exponent indicator not followed by a digit");
    this.#digits();
  }

  /** Skips digits; gives the byte after them, which is not read. */
  #digits(): number | undefined {
    while (isDigit(this.bytes[this.at])) this.at++;
    return this.bytes[this.at];
  }

  #lacksDigit(byte: number, comment: string): never {
    if (this.at < this.bytes.length) this.at++;
    this.unexpectedInNumber(byte, comment);
  }

  #endOfRootNumber(): void {
    const byte = this.bytes[this.at];
    if (byte === undefined || byte === SPACE || byte === TAB || byte === LF || byte === CR) return;
    this.at++;
    this.unexpected(byte, "Expected space separating root-level values");
  }

  /** The rest of a string or name after its first quote. */
  #string(what: string, atEnd: string): void {
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) {
        this.at--;
        this.fail(atEnd);
      }
      if (byte === QUOTE) return;
      if (byte === BACKSLASH) this.#escape();
      else if (byte < 0x20)
        this.failBefore(
          `Illegal unquoted character (${describe(byte)}): has to be escaped using backslash to be included in ${what}`,
        );
      else if (byte > 0x7f) this.decode(byte);
    }
  }

  #escape(): void {
    const atEnd = "Unexpected end-of-input in character escape sequence";
    const byte = this.readOn(atEnd);
    if ('btnfr"/\\'.includes(String.fromCharCode(byte))) return;
    if (byte !== code("u")) this.failBefore(`Unrecognized character escape ${describe(this.decode(byte))}`);
    for (let n = 0; n < 4; n++) {
      const digit = this.readOn(atEnd);
      if (!/^[0-9a-fA-F]$/.test(String.fromCharCode(digit)))
        this.unexpected(digit, "expected a hex-digit for character escape sequence");
    }
  }
}
