import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { sync } from "../../../ops/durable.ts";
import { parseOrText } from "../../../ops/json.ts";
import type { AcceptedEvent } from "./accepted-events.ts";

/** What goes to a destination or a dead-letter queue: a body, and attributes as SQS messages have them. */
export interface DestinationMessage {
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Resolves when the message is safe there; rejects to be asked again. */
export type Destination = (message: DestinationMessage) => Promise<void>;

/** Why an event is done with. */
export type Condition = "Success" | "RetriesExhausted" | "EventAgeExceeded" | "ZeroReservedConcurrency";

/** JSON lines: the body's object, or for a dead-letter queue an object of body and attributes. */
export function makeFileDestination(path: string): Destination {
  return async ({ body, attributes }) => {
    const isLetter = Object.keys(attributes).length > 0;
    const line = isLetter ? JSON.stringify({ MessageBody: body, MessageAttributes: attributes }) : body;
    await appendLines(path, [line]);
  };
}

const LINE_FEED = 0x0a;

/**
 * On disk when it resolves. A line that was cut short when somebody was killed is ended first, so that it spoils no other; a file
 * that was removed meanwhile is made again.
 */
export async function appendLines(path: string, lines: readonly string[]): Promise<void> {
  while (lines.length > 0 && !(await tryToAppend(path, lines)));
}

async function tryToAppend(path: string, lines: readonly string[]): Promise<boolean> {
  const file = await open(path, "a+");
  try {
    const { size } = await file.stat();
    const last = Buffer.alloc(1, LINE_FEED);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    const text = lines.map((line) => `${line}\n`).join("");
    await file.writeFile(last[0] === LINE_FEED ? text : `\n${text}`);
    await file.sync();
    if (size === 0) await sync(dirname(path));
    return (await file.stat()).nlink > 0;
  } finally {
    await file.close();
  }
}

/** The record of a destination, members in AWS's order. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html */
export function makeRecord(
  event: AcceptedEvent,
  functionArn: string,
  condition: Condition,
  response: string | undefined,
): DestinationMessage {
  const functionError = condition === "Success" ? {} : { functionError: "Unhandled" };
  const record = {
    version: "1.0",
    timestamp: new Date().toISOString(),
    requestContext: {
      requestId: event.requestId,
      functionArn: `${functionArn}:$LATEST`,
      condition,
      approximateInvokeCount: event.attempts,
    },
    requestPayload: parseOrText(event.payload),
    ...(response === undefined
      ? {}
      : {
          responseContext: { statusCode: 200, executedVersion: "$LATEST", ...functionError },
          responsePayload: parseOrText(response),
        }),
  };
  return { body: JSON.stringify(record), attributes: {} };
}

/** AWS's limit on the ErrorMessage attribute; bytes. */
const ERROR_MESSAGE_BYTES = 1024;

/** A dead letter is the event itself. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq */
export function makeDeadLetter(event: AcceptedEvent): DestinationMessage {
  const error = event.lastError === undefined ? "" : errorMessage(event.lastError);
  const ErrorMessage = Buffer.from(error).subarray(0, ERROR_MESSAGE_BYTES).toString();
  return { body: event.payload, attributes: { RequestID: event.requestId, ErrorCode: "200", ErrorMessage } };
}

function errorMessage(payload: string): string {
  const error = parseOrText(payload);
  const isObject = typeof error === "object" && error !== null && "errorMessage" in error;
  return isObject ? String(error.errorMessage) : payload;
}
