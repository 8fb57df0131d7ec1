import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { StackError } from "../../ops/errors.ts";
import type { PigeonAnswer } from "./pigeon-run.ts";

/** A function may take its 15 minutes; ms. */
const ANSWER_LIMIT = 910_000;
const CONNECT_LIMIT = 10_000;

/**
 * Invokes a deployed function with AWS's own configuration: credentials, region and AWS_ENDPOINT_URL as for every program. The
 * run is synchronous, so that its success is known. `name`: the function's name or ARN.
 */
export function makeDeployedFunction(name: string): (payload: string) => Promise<PigeonAnswer> {
  // One attempt: another would run the event once more.
  const limits = { connectionTimeout: CONNECT_LIMIT, requestTimeout: ANSWER_LIMIT, throwOnRequestTimeout: true };
  const client = new LambdaClient({ maxAttempts: 1, requestHandler: limits });
  return async (payload) => {
    try {
      const command = new InvokeCommand({ FunctionName: name, Payload: Buffer.from(payload), LogType: "Tail" });
      const { FunctionError: functionError, Payload, LogResult = "" } = await client.send(command);
      const log = Buffer.from(LogResult, "base64").toString();
      return { functionError, payload: Payload?.transformToString() ?? "null", log };
    } catch (cause) {
      throw new StackError(`function ${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  };
}
