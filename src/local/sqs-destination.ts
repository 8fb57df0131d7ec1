import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { Destination } from "./lambda/asynchronous/destination.ts";

/** AWS's own queues are reached with the user's credentials; any other endpoint takes whatever it is given. */
const AWS = /^sqs\.([a-z0-9-]+)\.amazonaws\.com$/;

/** A queue of SQS, or of anything that speaks its API. `url` is the queue's; attributes become message attributes. */
export function makeSqsDestination(url: URL): Destination {
  const region = AWS.exec(url.hostname)?.[1];
  const local = { endpoint: url.origin, credentials: { accessKeyId: "local", secretAccessKey: "local" } };
  const client = new SQSClient({ region: region ?? "us-east-1", ...(region === undefined ? local : {}) });
  return async ({ body, attributes }) => {
    // As AWS sends a dead letter: the error code is a number.
    const MessageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => {
        const DataType = name === "ErrorCode" ? "Number" : "String";
        // SQS refuses empty attributes.
        return [name, { DataType, StringValue: value || " " }];
      }),
    );
    await client.send(new SendMessageCommand({ QueueUrl: url.href, MessageBody: body, MessageAttributes }));
  };
}
