import type { TestContext } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { startLocalS3 } from "../../src/local/s3/server.ts";
import { makeFolder } from "../helpers/function-zip.ts";
import { makeClient, notifyAll } from "../helpers/s3.ts";
import { until } from "../helpers/until.ts";
import type { Recording } from "./recorded.ts";

/** The local S3 has no program of its own with a bucket that anybody may configure: it is started from its source. */
export const S3_CASES: readonly {
  readonly recording: Recording;
  readonly ask: (t: TestContext) => Promise<unknown>;
}[] = [
  { recording: "s3_put", ask: (t) => put(t, "my_key_0", "something") },
  { recording: "s3_filter", ask: (t) => put(t, "testupload/dir1/testfile.txt", "x".repeat(32)) },
  { recording: "s3_put_to_lambda", ask: (t) => put(t, "key-by-hostname", "hello world") },
  {
    recording: "s3_copy",
    ask: async (t) => {
      const { client, records } = await start(t);
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: "source", Body: "something" }));
      await client.send(new CopyObjectCommand({ Bucket: BUCKET, Key: "copy", CopySource: `${BUCKET}/source` }));
      return until("the copy is told", () => records[1]);
    },
  },
  {
    recording: "s3_multipart",
    ask: async (t) => {
      const { client, records } = await start(t);
      const object = { Bucket: BUCKET, Key: "test-key" };
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
      const part = { ...object, UploadId, PartNumber: 1, Body: Buffer.alloc(6144) };
      const { ETag } = await client.send(new UploadPartCommand(part));
      const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] };
      await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload }));
      return until("the upload is told", () => records[0]);
    },
  },
];

const BUCKET = "recorded-bucket";

async function start(t: TestContext): Promise<{ client: S3Client; records: unknown[] }> {
  const records: unknown[] = [];
  const s3 = await startLocalS3({
    directory: makeFolder(t),
    port: 0,
    region: "us-east-1",
    notify: async (_arn, event) => void records.push(...(event as { Records: unknown[] }).Records),
    onError: (error) => records.push(error),
  });
  t.after(() => s3[Symbol.asyncDispose]());
  const client = makeClient(t, s3);
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await notifyAll(client, BUCKET);
  return { client, records };
}

async function put(t: TestContext, Key: string, Body: string): Promise<unknown> {
  const { client, records } = await start(t);
  await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
  return until("it is told", () => records[0]);
}
