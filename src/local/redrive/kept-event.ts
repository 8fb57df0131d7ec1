/** An event that no retry has helped, as it lies where failed events go. */
export interface KeptEvent {
  /** JSON text, for the function. */
  readonly payload: string;
  /** Of its invocations; a record and a dead letter of the same event have the same one. */
  readonly requestId?: string | undefined;
}

/** One that lies somewhere, until it is removed there. */
export interface KeptItem {
  /** For sentences. */
  readonly where: string;
  /** Throws an UnreadableEventError. */
  read(): KeptEvent;
  /** Either this or `keep` is called before the next item is asked for. */
  remove(): Promise<void>;
  keep(): Promise<void>;
}

/** Text that is no kept event; the message says what it is. */
export class UnreadableEventError extends Error {
  override readonly name = "UnreadableEventError";
  readonly code = "ERR_UNREADABLE_EVENT";
}

/**
 * Finds the event in what Lambda, SQS or a file of the local Lambda keeps: a destination's record, a dead letter, or the event
 * itself. `requestId`: of the attribute that Lambda gives a dead letter in a queue. Throws an UnreadableEventError.
 */
export function parseKeptEvent(text: string, requestId?: string): KeptEvent {
  const kept = parseObject(text);
  if ("requestPayload" in kept) {
    const { requestId: recorded } = Object(kept.requestContext) as { readonly requestId?: unknown };
    return { payload: JSON.stringify(kept.requestPayload), requestId: textOrNothing(recorded) ?? requestId };
  }
  if (typeof kept.MessageBody === "string") {
    const { RequestID } = Object(kept.MessageAttributes) as { readonly RequestID?: unknown };
    return parseKeptEvent(kept.MessageBody, textOrNothing(RequestID) ?? requestId);
  }
  return { payload: text, requestId };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UnreadableEventError(`expected a JSON object, got ${JSON.stringify(text.slice(0, 60))}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UnreadableEventError(`expected a JSON object, got ${text.slice(0, 60)}`);
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
