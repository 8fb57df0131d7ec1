import { join } from "node:path";
import { StackError } from "../ops/errors.ts";
import { ROOT } from "./development.ts";
import { type AsynchronousOptions, RETRY_DELAYS } from "./lambda/asynchronous/asynchronous-invocations.ts";
import { type FunctionConfiguration, makeFunctionConfiguration } from "./lambda/function.ts";
import type { S3Trigger } from "./lambda/template/s3-trigger.ts";
import { readTemplate } from "./lambda/template/template.ts";

/** What the pipeline takes from template.yaml: Pigeon's function as AWS would run it, and who triggers it. */

export const BUCKET = "dev-bucket";
export const REGION = "us-east-1";

export interface PigeonFunction {
  readonly fn: FunctionConfiguration;
  readonly triggers: readonly S3Trigger[];
  readonly asynchronous: Pick<AsynchronousOptions, "retryDelays" | "maxEventAge">;
}

/** The function of template.yaml with what AWS would deploy it with; its parameters are the development configuration. */
export function readPigeonFunction(code: string, environment: Readonly<Record<string, string>>): PigeonFunction {
  const parameters = {
    BrokerHost: environment.PIGEON_HOST ?? "",
    BrokerPort: environment.PIGEON_PORT ?? "",
    BrokerUser: environment.PIGEON_USER ?? "",
    BrokerPassword: environment.PIGEON_PASSWORD ?? "",
    BrokerVirtualHost: environment.PIGEON_VIRTUAL_HOST ?? "",
    Queues: environment.PIGEON_QUEUE ?? "",
    BucketName: BUCKET,
  };
  const [described] = readTemplate(join(ROOT, "template.yaml"), { parameters, region: REGION });
  if (described === undefined) throw new StackError("template.yaml: expected Pigeon's function, found none");
  const { handler, runtime, memorySize, timeout, ephemeralStorage, s3, maximumRetryAttempts, maximumEventAge } =
    described;
  const fn = makeFunctionConfiguration({
    name: "pigeon",
    code,
    handler,
    runtime,
    memorySize,
    timeout,
    ephemeralStorage,
    environment: { ...described.environment, ...environment },
    region: REGION,
  });
  const retryDelays = RETRY_DELAYS.slice(0, maximumRetryAttempts);
  return { fn, triggers: s3, asynchronous: { retryDelays, maxEventAge: maximumEventAge } };
}
