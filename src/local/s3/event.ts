import { randomBytes } from "node:crypto";
import type { S3Event } from "aws-lambda";

/**
 * S3's event notification message as AWS writes it: the order of members, the key's encoding and the sequencer are as recorded.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */

/** What happened to one object. */
export interface ObjectEvent {
  readonly bucket: string;
  /** As stored; it is encoded for the event. */
  readonly key: string;
  /** Without `s3:`, e.g. `ObjectCreated:Put`. */
  readonly eventName: string;
  readonly time: Date;
  readonly region: string;
  /** Bytes, and the ETag without quotes; deletions have neither. */
  readonly object?: { readonly size: number; readonly eTag: string };
  readonly configurationId: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly sourceIPAddress: string;
  readonly sequencer: string;
}

const PRINCIPAL = "AWS:AIDAJQABLZS4A3QDU576Q";
const OWNER = "A3NL1KOZZKExample";

/** A complete event of one record; what is left out of `given` looks like a small object put now. */
export function makeS3Event(given: Pick<ObjectEvent, "bucket" | "key"> & Partial<ObjectEvent>): S3Event {
  const time = given.time ?? new Date();
  const event: ObjectEvent = {
    eventName: "ObjectCreated:Put",
    region: "us-east-1",
    object: { size: 1024, eTag: "d41d8cd98f00b204e9800998ecf8427e" },
    configurationId: "local",
    requestId: makeRequestId(),
    hostId: makeHostId(),
    sourceIPAddress: "127.0.0.1",
    sequencer: makeSequencer(time),
    ...given,
    time,
  };
  return { Records: [makeRecord(event)] } as unknown as S3Event;
}

function makeRecord(event: ObjectEvent): object {
  const created = event.eventName.startsWith("ObjectCreated:") ? event.object : undefined;
  return {
    eventVersion: "2.1",
    eventSource: "aws:s3",
    awsRegion: event.region,
    eventTime: event.time.toISOString(),
    eventName: event.eventName,
    userIdentity: { principalId: PRINCIPAL },
    requestParameters: { sourceIPAddress: event.sourceIPAddress },
    responseElements: { "x-amz-request-id": event.requestId, "x-amz-id-2": event.hostId },
    s3: {
      s3SchemaVersion: "1.0",
      configurationId: event.configurationId,
      bucket: {
        name: event.bucket,
        ownerIdentity: { principalId: OWNER },
        arn: `arn:aws:s3:::${event.bucket}`,
      },
      object: {
        key: encodeEventKey(event.key),
        ...(created === undefined ? {} : { size: created.size, eTag: created.eTag }),
        sequencer: event.sequencer,
      },
    },
  };
}

/** Form style, except that a slash stays. */
export function encodeEventKey(key: string): string {
  return new URLSearchParams([["", key]]).toString().slice(1).replaceAll("%2F", "/");
}

/** 16 characters, as in the header x-amz-request-id. */
export function makeRequestId(): string {
  return randomBytes(8).toString("hex").toUpperCase();
}

/** Base64, as in the header x-amz-id-2. */
export function makeHostId(): string {
  return randomBytes(48).toString("base64");
}

let counter = 0;

/** 18 hexadecimal digits: 00, the seconds of the write, then a number that grows with each event. */
export function makeSequencer(time: Date): string {
  counter = (counter + 1) % 0x1_0000;
  const seconds = Math.floor(time.getTime() / 1000);
  const fraction = Math.floor((time.getMilliseconds() / 1000) * 0x1_0000);
  const digits = (value: number, length: number): string => value.toString(16).padStart(length, "0");
  return `00${digits(seconds, 8)}${digits(fraction, 4)}${digits(counter, 4)}`.toUpperCase();
}
