/** Why a report is malformed; the same word is response text, log field and metric label. */
export const MALFORMED_REASONS = [
  "no_content_type",
  "wrong_content_type",
  "no_boundary",
  "no_content_length",
  "bad_gzip",
  "invalid_json",
  "invalid_json_value",
  "invalid_dump_name",
  "invalid_payload_structure",
  "no_annotations",
  "invalid_uuid",
] as const;

export type MalformedReason = (typeof MALFORMED_REASONS)[number];

/** A report that is not taken, and what its client is told. Sending it again is of no use. */
export class RefusalError extends Error {
  override readonly name = "RefusalError";
  readonly code = "ERR_REFUSAL";
  /** HTTP's. */
  readonly status: 400 | 401 | 413;
  /** As in the response: `Discarded=<reason>`. */
  readonly reason: `malformed_${MalformedReason}` | "unauthorized_uuid" | "too_large";

  constructor(status: RefusalError["status"], reason: RefusalError["reason"], options?: ErrorOptions) {
    super(`Discarded=${reason}`, options);
    this.status = status;
    this.reason = reason;
  }
}

export function malformed(reason: MalformedReason, options?: ErrorOptions): RefusalError {
  return new RefusalError(400, `malformed_${reason}`, options);
}

export function tooLarge(): RefusalError {
  return new RefusalError(413, "too_large");
}

/** The client has gone, or has taken too long: there is nobody to answer. */
export class ClientGoneError extends Error {
  override readonly name = "ClientGoneError";
  readonly code = "ERR_CLIENT_GONE";
}
