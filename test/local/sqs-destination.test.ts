import assert from "node:assert/strict";
import test from "node:test";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startFauxqs } from "fauxqs";
import { makeSqsDestination } from "../../src/local/sqs-destination.ts";

test("a record and a dead letter arrive in a queue, as AWS sends them", async (t) => {
  const server = await startFauxqs({ port: 0, logger: false });
  t.after(() => server.stop());
  const endpoint = `http://127.0.0.1:${server.port}`;
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const client = new SQSClient({ endpoint, region: "us-east-1", credentials });
  t.after(() => client.destroy());
  const { QueueUrl = "" } = await client.send(new CreateQueueCommand({ QueueName: "kept" }));
  const destination = makeSqsDestination(new URL(`${endpoint}${new URL(QueueUrl).pathname}`));
  await destination({ body: '{"a":1}', attributes: {} });
  await destination({ body: "{}", attributes: { RequestID: "id", ErrorCode: "200", ErrorMessage: "" } });
  const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ["All"] });
  const { Messages = [] } = await client.send(receive);
  assert.deepEqual(Messages.map(({ Body }) => Body).sort(), ['{"a":1}', "{}"]);
  const letter = Messages.find(({ Body }) => Body === "{}")?.MessageAttributes;
  assert.deepEqual([letter?.RequestID?.StringValue, letter?.RequestID?.DataType], ["id", "String"]);
  assert.deepEqual([letter?.ErrorCode?.StringValue, letter?.ErrorCode?.DataType], ["200", "Number"]);
});

test("a queue that is not there is an error, so that the record is tried again", async (t) => {
  const server = await startFauxqs({ port: 0, logger: false });
  t.after(() => server.stop());
  const destination = makeSqsDestination(new URL(`http://127.0.0.1:${server.port}/000000000000/nowhere`));
  await assert.rejects(destination({ body: "{}", attributes: {} }), /NonExistentQueue|does not exist/i);
});
