import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
} from "@aws-sdk/client-sqs";
import { StackError } from "../../ops/errors.ts";
import { makeSqsClient } from "../sqs-client.ts";
import { type KeptItem, parseKeptEvent } from "./kept-event.ts";

/** Seconds for which nobody else gets a message: the longest run of a function, and some more. */
const HIDDEN = 960;

/** Seconds until a queue that has given nothing is empty: a long poll asks all of its servers. */
const LONG_POLL = 2;

/** The events in an SQS queue. A message stays there, hidden from others, until it is removed; in the end it is seen again. */
export async function* readKeptQueue(url: URL): AsyncGenerator<KeptItem, void> {
  const client = makeSqsClient(url);
  const QueueUrl = url.href;
  /** Receipts of the messages that were received and not removed, by message id. */
  const hidden = new Map<string, string | undefined>();
  const receive = async (): Promise<Message | undefined> => {
    const command = { QueueUrl, VisibilityTimeout: HIDDEN, WaitTimeSeconds: LONG_POLL, MessageAttributeNames: ["All"] };
    const { Messages: [message] = [] } = await client.send(new ReceiveMessageCommand(command));
    return message;
  };
  try {
    // Messages that were kept come back when a run takes long; when only they come, the others are through.
    for (let again = 0; again <= hidden.size; ) {
      const message = await receive();
      if (message === undefined) return;
      const { MessageId = "", ReceiptHandle, Body = "", MessageAttributes } = message;
      again = hidden.has(MessageId) ? again + 1 : 0;
      hidden.set(MessageId, ReceiptHandle);
      if (again > 0) continue;
      yield {
        where: `${QueueUrl}, message ${MessageId}`,
        read: () => parseKeptEvent(Body, MessageAttributes?.RequestID?.StringValue),
        remove: async () => {
          await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
          hidden.delete(MessageId);
        },
        keep: async () => {}, // it is still there
      };
    }
  } catch (cause) {
    throw new StackError(`queue ${QueueUrl}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  } finally {
    for (const ReceiptHandle of hidden.values())
      await client
        .send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }))
        .catch(() => {}); // it is seen again by itself
    client.destroy();
  }
}
