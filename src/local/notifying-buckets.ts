import {
  CreateBucketCommand,
  type Event,
  type LambdaFunctionConfiguration,
  PutBucketNotificationConfigurationCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import type { AsynchronousInvocations } from "./lambda/asynchronous/asynchronous-invocations.ts";
import { type FunctionConfiguration, functionArn } from "./lambda/function.ts";
import type { S3Trigger } from "./lambda/template/s3-trigger.ts";

/** A function that is told of objects, by which buckets, and who takes the events for it. */
export interface NotifiedFunction {
  readonly fn: FunctionConfiguration;
  readonly triggers: readonly S3Trigger[];
  readonly events: Pick<AsynchronousInvocations, "accept">;
}

/** For the local S3: an event goes to its function. As on AWS, S3 has done its part when Lambda has taken it. */
export function makeNotify(functions: readonly NotifiedFunction[]): (arn: string, event: object) => Promise<void> {
  return async (arn, event) => {
    const notified = functions.find(({ fn }) => functionArn(fn) === arn);
    if (notified === undefined) throw new Error(`no function has the ARN ${arn}`);
    await notified.events.accept(Buffer.from(JSON.stringify(event)));
  };
}

/** Creates the buckets that the functions' triggers name, where they are not there, and has them notify. */
export async function makeBuckets(
  endpoint: string,
  region: string,
  functions: readonly NotifiedFunction[],
): Promise<string[]> {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  const buckets = [...new Set(functions.flatMap(({ triggers }) => triggers.map(({ bucket }) => bucket)))];
  try {
    for (const Bucket of buckets) {
      await client.send(new CreateBucketCommand({ Bucket })).catch(ignoreExisting);
      const LambdaFunctionConfigurations = functions.flatMap(({ fn, triggers }) =>
        makeNotifications(
          fn,
          triggers.filter(({ bucket }) => bucket === Bucket),
        ),
      );
      const NotificationConfiguration = { LambdaFunctionConfigurations };
      await client.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }));
    }
    return buckets;
  } finally {
    client.destroy();
  }
}

function ignoreExisting(error: unknown): void {
  const name = error instanceof Error ? error.name : "";
  if (name !== "BucketAlreadyOwnedByYou" && name !== "BucketAlreadyExists") throw error;
}

/** What a template's S3 events become on the bucket. */
export function makeNotifications(
  fn: FunctionConfiguration,
  triggers: readonly S3Trigger[],
): LambdaFunctionConfiguration[] {
  return triggers.map(({ events, prefix, suffix }, n) => ({
    Id: `${fn.name}-${n}`,
    LambdaFunctionArn: functionArn(fn),
    Events: events as Event[],
    Filter: {
      Key: {
        FilterRules: [
          ...(prefix === undefined ? [] : [{ Name: "prefix" as const, Value: prefix }]),
          ...(suffix === undefined ? [] : [{ Name: "suffix" as const, Value: suffix }]),
        ],
      },
    },
  }));
}
