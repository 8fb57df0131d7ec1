import { SQSClient } from "@aws-sdk/client-sqs";

/** AWS's own queues are reached with the user's credentials; any other endpoint takes whatever it is given. */
const AWS = /^sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/;

/** A client for the queue with this URL, of SQS or of anything that speaks its API. */
export function makeSqsClient(url: URL): SQSClient {
  const region = AWS.exec(url.hostname)?.[1];
  const local = { endpoint: url.origin, credentials: { accessKeyId: "local", secretAccessKey: "local" } };
  return new SQSClient({ region: region ?? "us-east-1", ...(region === undefined ? local : {}) });
}
