/** An answer that S3 would give instead of doing what was asked: status, code and message go to the client as XML. */
export class S3ApiError extends Error {
  override readonly name = "S3ApiError";
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  toXml(): string {
    const text = (value: string): string => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${this.code}</Code><Message>${text(this.message)}</Message></Error>`;
  }
}
