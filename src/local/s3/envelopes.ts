import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { S3EventRecord } from "aws-lambda";

/**
 * Events of S3 as they reach a function through another service, with the members that the service's documentation shows.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
 */

export const ENVELOPES = ["sqs", "sns", "sns-in-sqs", "eventbridge"] as const;
export type Envelope = (typeof ENVELOPES)[number];

const REGION = "us-east-1";
const ACCOUNT = "123456789012";
const QUEUE_ARN = `arn:aws:sqs:${REGION}:${ACCOUNT}:raw-crashes`;
const TOPIC_ARN = `arn:aws:sns:${REGION}:${ACCOUNT}:raw-crashes`;

/** One event that carries the records; EventBridge, which sends one event for each object, takes the first only. */
export function wrapRecords(records: readonly S3EventRecord[], envelope: Envelope): object {
  const events = records.map((record) => JSON.stringify({ Records: [record] }));
  if (envelope === "sns") return { Records: events.map(makeTopicRecord) };
  if (envelope === "sqs") return { Records: events.map(makeQueueMessage) };
  if (envelope === "sns-in-sqs")
    return { Records: events.map((event) => makeQueueMessage(JSON.stringify(makeNotification(event)))) };
  const [first] = records;
  if (first === undefined) throw new TypeError("EventBridge: expected a record, got none");
  return makeEventBridgeEvent(first);
}

function makeQueueMessage(body: string): object {
  const now = String(Date.now());
  return {
    messageId: randomUUID(),
    receiptHandle: randomBytes(96).toString("base64"),
    body,
    attributes: {
      ApproximateReceiveCount: "1",
      SentTimestamp: now,
      SenderId: "AIDAJQABLZS4A3QDU576Q",
      ApproximateFirstReceiveTimestamp: now,
    },
    messageAttributes: {},
    md5OfBody: createHash("md5").update(body).digest("hex"),
    eventSource: "aws:sqs",
    eventSourceARN: QUEUE_ARN,
    awsRegion: REGION,
  };
}

/** What SNS sends to a queue, unless raw message delivery is switched on. */
function makeNotification(Message: string): object {
  return {
    Type: "Notification",
    MessageId: randomUUID(),
    TopicArn: TOPIC_ARN,
    Subject: "Amazon S3 Notification",
    Message,
    Timestamp: new Date().toISOString(),
    SignatureVersion: "1",
    Signature: randomBytes(256).toString("base64"),
    SigningCertURL: `https://sns.${REGION}.amazonaws.com/SimpleNotificationService-0000.pem`,
    UnsubscribeURL: `https://sns.${REGION}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=${TOPIC_ARN}:${randomUUID()}`,
  };
}

function makeTopicRecord(event: string): object {
  const { SigningCertURL, UnsubscribeURL, ...rest } = makeNotification(event) as Record<string, unknown>;
  return {
    EventSource: "aws:sns",
    EventVersion: "1.0",
    EventSubscriptionArn: `${TOPIC_ARN}:${randomUUID()}`,
    // Lambda writes these two with small letters at their end.
    Sns: { ...rest, SigningCertUrl: SigningCertURL, UnsubscribeUrl: UnsubscribeURL, MessageAttributes: {} },
  };
}

/** EventBridge's words for what S3's own events name otherwise. */
const REASONS: Readonly<Record<string, string>> = {
  "ObjectCreated:Put": "PutObject",
  "ObjectCreated:Post": "POST Object",
  "ObjectCreated:Copy": "CopyObject",
  "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
};

function makeEventBridgeEvent({ eventName, eventTime, awsRegion, s3, responseElements }: S3EventRecord): object {
  const { bucket, object } = s3;
  const reason = REASONS[eventName];
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": reason === undefined ? "Object Deleted" : "Object Created",
    source: "aws.s3",
    account: ACCOUNT,
    time: eventTime.replace(/\.\d+Z$/, "Z"),
    region: awsRegion,
    resources: [bucket.arn],
    detail: {
      version: "0",
      bucket: { name: bucket.name },
      object: {
        key: decodeURIComponent(object.key.replaceAll("+", " ")), // not encoded here
        size: object.size,
        etag: object.eTag,
        sequencer: object.sequencer,
      },
      "request-id": responseElements["x-amz-request-id"],
      requester: ACCOUNT,
      "source-ip-address": "127.0.0.1",
      reason: reason ?? "DeleteObject",
    },
  };
}
