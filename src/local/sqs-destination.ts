import { SendMessageCommand } from "@aws-sdk/client-sqs";
import type { Destination } from "./lambda/asynchronous/destination.ts";
import { makeSqsClient } from "./sqs-client.ts";

/** A queue of SQS, or of anything that speaks its API. `url` is the queue's; attributes become message attributes. */
export function makeSqsDestination(url: URL): Destination {
  const client = makeSqsClient(url);
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
