import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import test, { type TestContext } from "node:test";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketNotificationConfigurationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { S3EventRecord } from "aws-lambda";
import { type LocalS3, startLocalS3 } from "../../../src/local/s3/server.ts";
import { makeFolder } from "../../helpers/function-zip.ts";
import { ROOT } from "../../helpers/program.ts";
import { FUNCTION_ARN, makeClient, notifyAll, objectKeys } from "../../helpers/s3.ts";
import { until } from "../../helpers/until.ts";

const Bucket = "test-bucket";

interface Setup {
  readonly s3: LocalS3;
  readonly client: S3Client;
  readonly directory: string;
  readonly records: S3EventRecord[];
}

/** A server with a bucket that notifies of everything. */
async function setUp(t: TestContext): Promise<Setup> {
  const directory = makeFolder(t);
  const records: S3EventRecord[] = [];
  const notify = async (arn: string, event: { Records: S3EventRecord[] }): Promise<void> => {
    assert.equal(arn, FUNCTION_ARN);
    records.push(...event.Records);
  };
  const s3 = await startLocalS3({ directory, notify });
  t.after(() => s3.stop());
  const client = makeClient(t, s3);
  await client.send(new CreateBucketCommand({ Bucket }));
  await notifyAll(client, Bucket);
  return { s3, client, directory, records };
}

const put = (client: S3Client, Key: string, Body: string | Buffer): Promise<unknown> =>
  client.send(new PutObjectCommand({ Bucket, Key, Body }));

test("an object that is put notifies with AWS's record", async (t) => {
  const { client, records } = await setUp(t);
  const answer = await client.send(new PutObjectCommand({ Bucket, Key: "v2/a b+c/ü:@.txt", Body: "hello" }));
  await until("a notification", () => records.length === 1);
  const [record] = records;
  assert.ok(record !== undefined);
  assert.equal(record.eventName, "ObjectCreated:Put");
  assert.equal(record.s3.bucket.name, Bucket);
  assert.equal(record.s3.object.key, "v2/a+b%2Bc/%C3%BC%3A%40.txt");
  assert.equal(record.s3.object.size, 5);
  assert.equal(record.s3.object.eTag, "5d41402abc4b2a76b9719d911017c592");
  assert.equal(record.requestParameters.sourceIPAddress, "127.0.0.1");
  assert.equal(record.responseElements["x-amz-request-id"], answer.$metadata.requestId);
  assert.equal(record.responseElements["x-amz-id-2"], answer.$metadata.extendedRequestId);
});

test("each way to create an object has its event name", async (t) => {
  const { s3, client, records } = await setUp(t);
  await put(client, "put", "1");
  await client.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/put` }));
  const body = Buffer.alloc(12 * 1024 * 1024, "x");
  await new Upload({ client, params: { Bucket, Key: "multipart", Body: body }, partSize: 5 * 1024 * 1024 }).done();
  const form = new FormData();
  form.set("key", ["post/", "{filename}"].join("$"));
  form.set("file", new Blob(["posted"]), "f.txt");
  assert.equal((await fetch(`${s3.endpoint}/${Bucket}`, { method: "POST", body: form })).status, 204);
  await client.send(new DeleteObjectCommand({ Bucket, Key: "put" }));
  await until("four notifications", () => records.length >= 4);
  assert.deepEqual(
    records.map(({ eventName, s3: { object } }) => [eventName, object.key, object.size]),
    [
      ["ObjectCreated:Put", "put", 1],
      ["ObjectCreated:Copy", "copy", 1],
      ["ObjectCreated:CompleteMultipartUpload", "multipart", body.length],
      ["ObjectCreated:Post", "post/f.txt", 6],
    ],
  );
  assert.match(records[2]?.s3.object.eTag ?? "", /^[0-9a-f]{32}-3$/);
  const sequencers = records.map(({ s3: { object } }) => object.sequencer);
  assert.deepEqual(sequencers, [...sequencers].sort());
});

test("a notification configuration is answered, kept and filtered by", async (t) => {
  const { client, records } = await setUp(t);
  const Filter = {
    Key: {
      FilterRules: [
        { Name: "prefix" as const, Value: "v2/" },
        { Name: "suffix" as const, Value: ".x" },
      ],
    },
  };
  const LambdaFunctionConfigurations = [
    { Id: "one", LambdaFunctionArn: FUNCTION_ARN, Events: ["s3:ObjectCreated:Put" as const], Filter },
  ];
  const NotificationConfiguration = { LambdaFunctionConfigurations };
  await client.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }));
  const answer = await client.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  assert.equal(answer.LambdaFunctionConfigurations?.[0]?.Id, "one");
  for (const key of ["v1/a.x", "v2/a.y", "v2/a.x"]) await put(client, key, "1");
  await put(client, "v2/b.x", "1");
  await until("two notifications", () => records.length >= 2);
  assert.deepEqual(
    records.map(({ s3 }) => [s3.object.key, s3.configurationId]),
    [
      ["v2/a.x", "one"],
      ["v2/b.x", "one"],
    ],
  );
  await assert.rejects(
    client.send(new PutBucketNotificationConfigurationCommand({ Bucket: "no-such-bucket", NotificationConfiguration })),
    { name: "NoSuchBucket" },
  );
});

test("bodies come back as they were: streams, 30 MB, ranges, odd keys", async (t) => {
  const { client } = await setUp(t);
  const chunks = Array.from({ length: 200 }, (_, index) => Buffer.alloc(1024, index));
  const streamed = Buffer.concat(chunks);
  await client.send(
    new PutObjectCommand({ Bucket, Key: "stream", Body: Readable.from(chunks), ContentLength: streamed.length }),
  );
  const get = async (Key: string, Range?: string): Promise<Buffer> => {
    const { Body } = await client.send(
      new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }),
    );
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  assert.deepEqual(await get("stream"), streamed);
  assert.deepEqual(await get("stream", "bytes=1000-1099"), streamed.subarray(1000, 1100));
  const large = Buffer.alloc(30_000_000, "y");
  await put(client, "large", large);
  assert.equal(Buffer.compare(await get("large"), large), 0);
  const keys = [
    "a b",
    "a+b",
    "100%25",
    "ü/é",
    `"quotes'`,
    "a//b",
    "a/b",
    "../../x",
    "..",
    "x".repeat(900),
    "a&b<c>",
    "日本",
  ];
  for (const key of keys) await put(client, key, key);
  const stored = await objectKeys(client, Bucket);
  for (const key of keys) assert.equal(stored[key], key, key);
});

test("objects, buckets and notifications survive a restart", async (t) => {
  const { s3, client, directory } = await setUp(t);
  await put(client, "a//b", "1");
  await put(client, "x".repeat(900), "2");
  await s3.stop();
  const again = await startLocalS3({ directory, notify: async () => {} });
  t.after(() => again.stop());
  const other = makeClient(t, again);
  assert.deepEqual(await objectKeys(other, Bucket), { "a//b": "1", ["x".repeat(900)]: "2" });
  const { LambdaFunctionConfigurations } = await other.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  assert.equal(LambdaFunctionConfigurations?.[0]?.LambdaFunctionArn, FUNCTION_ARN);
});

test("objects survive a server that is killed", async (t) => {
  const directory = makeFolder(t);
  const program = `
    const { startLocalS3 } = await import("${ROOT}/src/local/s3/server.ts");
    const s3 = await startLocalS3({ directory: ${JSON.stringify(directory)}, notify: async () => {} });
    console.log(s3.endpoint);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [endpoint] = (await once(child.stdout, "data")) as [Buffer];
  const client = makeClient(t, { endpoint: endpoint.toString().trim() });
  await client.send(new CreateBucketCommand({ Bucket }));
  const keys = Array.from({ length: 50 }, (_, index) => `key-${index}`);
  await Promise.all(keys.map((key) => put(client, key, key)));
  child.kill("SIGKILL");
  await once(child, "exit");
  const again = await startLocalS3({ directory, notify: async () => {} });
  t.after(() => again.stop());
  assert.deepEqual(Object.keys(await objectKeys(makeClient(t, again), Bucket)).sort(), [...keys].sort());
});

test("If-None-Match protects an object", async (t) => {
  const { client } = await setUp(t);
  await client.send(new PutObjectCommand({ Bucket, Key: "k", Body: "1", IfNoneMatch: "*" }));
  await assert.rejects(client.send(new PutObjectCommand({ Bucket, Key: "k", Body: "2", IfNoneMatch: "*" })), {
    name: "PreconditionFailed",
  });
  assert.deepEqual(await objectKeys(client, Bucket), { k: "1" });
});

test("a client that hangs up half-way stores nothing and triggers nothing", async (t) => {
  const { s3, client, records } = await setUp(t);
  const socket = connect(s3.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`PUT /${Bucket}/half HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nonly this`);
  socket.end();
  await once(socket.resume(), "close");
  await put(client, "whole", "1");
  await until("a notification", () => records.length > 0);
  assert.deepEqual(
    records.map((record) => record.s3.object.key),
    ["whole"],
  );
  assert.deepEqual(Object.keys(await objectKeys(client, Bucket)), ["whole"]);
});

/** One request as the AWS CLI writes it: its headers, its way to send a body. */
async function cliRequest(
  s3: LocalS3,
  method: string,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  body = "",
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  const common = {
    Host: `127.0.0.1:${s3.port}`,
    "Accept-Encoding": "identity",
    "User-Agent": "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux md/command#s3.cp",
    "X-Amz-Date": "20261124T080000Z",
    Authorization:
      "AWS4-HMAC-SHA256 Credential=any/20261124/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
  };
  const request = http.request({ host: "127.0.0.1", port: s3.port, method, path, headers: { ...common, ...headers } });
  if (headers.Expect === undefined) request.end(body);
  else request.once("continue", () => request.end(body));
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}

test("the AWS CLI's requests work: streaming body with trailer after 100-continue, listings, heads", async (t) => {
  const { s3, records } = await setUp(t);
  const body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
  const upload = await cliRequest(
    s3,
    "PUT",
    `/${Bucket}/dir/a%20b.txt`,
    {
      Expect: "100-continue",
      "Content-Encoding": "aws-chunked",
      "Content-Type": "text/plain",
      "Content-Length": body.length,
      "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      "X-Amz-Decoded-Content-Length": 5,
      "X-Amz-Trailer": "x-amz-checksum-crc32",
      "X-Amz-Sdk-Checksum-Algorithm": "CRC32",
    },
    body,
  );
  assert.equal(upload.status, 200, upload.body);
  assert.equal(upload.headers.etag, '"5d41402abc4b2a76b9719d911017c592"');
  await until("a notification", () => records.length === 1);
  assert.equal(records[0]?.s3.object.key, "dir/a+b.txt");
  const list = await cliRequest(s3, "GET", `/${Bucket}?list-type=2&prefix=dir%2F&delimiter=%2F&encoding-type=url`);
  // Not encoded, and not said to be: clients decode keys only where the answer says so.
  assert.match(list.body, /<Key>dir\/a b\.txt<\/Key>/);
  assert.doesNotMatch(list.body, /EncodingType/);
  const head = await cliRequest(s3, "HEAD", `/${Bucket}/dir/a%20b.txt`);
  assert.equal(head.headers["content-length"], "5");
  assert.equal((await cliRequest(s3, "GET", `/${Bucket}/dir/a%20b.txt`, { Range: "bytes=1-3" })).body, "ell");
  assert.equal((await cliRequest(s3, "HEAD", `/${Bucket}`)).status, 200);
  assert.match((await cliRequest(s3, "GET", "/")).body, /<Name>test-bucket<\/Name>/);
  const location =
    "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
  assert.equal(
    (await cliRequest(s3, "PUT", "/cli-bucket", { "Content-Length": location.length }, location)).status,
    200,
  );
  const remove = "<Delete><Object><Key>dir/a b.txt</Key></Object></Delete>";
  assert.equal(
    (await cliRequest(s3, "POST", `/${Bucket}?delete`, { "Content-Length": remove.length }, remove)).status,
    200,
  );
  assert.equal((await cliRequest(s3, "HEAD", `/${Bucket}/dir/a%20b.txt`)).status, 404);
});

test("missing objects and buckets have S3's errors", async (t) => {
  const { client } = await setUp(t);
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: "none" })), { name: "NoSuchKey" });
  await assert.rejects(client.send(new HeadObjectCommand({ Bucket, Key: "none" })), { name: "NotFound" });
  await assert.rejects(client.send(new ListObjectsV2Command({ Bucket: "no-such-bucket" })), { name: "NoSuchBucket" });
});

test("it listens on loopback only, and a port in use is one clear sentence", async (t) => {
  const { s3, directory } = await setUp(t);
  const port = s3.port.toString(16).toUpperCase().padStart(4, "0");
  const listening = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, "latin1")
      .split("\n")
      .filter((line) => / 0A /.test(line) && line.includes(`:${port} `)),
  );
  assert.deepEqual(
    listening.map((line) => line.trim().split(/\s+/)[1]),
    [`0100007F:${port}`],
  );
  await assert.rejects(startLocalS3({ directory, port: s3.port, notify: async () => {} }), {
    name: "StackError",
    message: `port ${s3.port} is in use: the local S3 cannot listen there; stop the other program`,
  });
});

test("a notification that fails is told, and stop waits for the ones under way", async (t) => {
  const directory = makeFolder(t);
  const errors: unknown[] = [];
  let finished = 0;
  const notify = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    finished++;
    throw new Error("no function");
  };
  const s3 = await startLocalS3({ directory, notify, onError: (error) => errors.push(error) });
  const client = makeClient(t, s3);
  await client.send(new CreateBucketCommand({ Bucket }));
  await notifyAll(client, Bucket);
  await put(client, "k", "1");
  await s3.stop();
  assert.equal(finished, 1);
  assert.match(String(errors[0]), /no function/);
});
