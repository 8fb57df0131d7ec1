import type { TestContext } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { startLocalS3 } from "../../src/local/s3/server.ts";
import { makeFolder } from "./function-zip.ts";

/** A client of the local S3, closed after the test. */
export function makeClient(t: TestContext, { endpoint }: { readonly endpoint: string }): S3Client {
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  t.after(() => client.destroy());
  return client;
}

export const FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:pigeon";

/** A notification for everything that is created in a bucket. */
export async function notifyAll(client: S3Client, bucket: string): Promise<void> {
  const configuration = { LambdaFunctionArn: FUNCTION_ARN, Events: ["s3:ObjectCreated:*" as const] };
  const NotificationConfiguration = { LambdaFunctionConfigurations: [configuration] };
  await client.send(new PutBucketNotificationConfigurationCommand({ Bucket: bucket, NotificationConfiguration }));
}

/** Every object of a bucket: its text by its key. */
export async function objectKeys(client: S3Client, bucket: string): Promise<Record<string, string>> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  const entries = Contents.map(async ({ Key = "" }) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    return [Key, (await Body?.transformToString()) ?? ""] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** The local S3 with one bucket, for tests that know it by its endpoint only. Stopped after the test. */
export async function startBucket(
  t: TestContext,
  bucket: string,
): Promise<{ readonly endpoint: string; read(key: string): Promise<string> }> {
  const s3 = await startLocalS3({ directory: makeFolder(t), notify: async () => {} });
  t.after(() => s3.stop());
  const client = makeClient(t, s3);
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    endpoint: s3.endpoint,
    read: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return (await Body?.transformToString()) ?? "";
    },
  };
}
