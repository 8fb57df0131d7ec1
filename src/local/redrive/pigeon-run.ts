import { parseOrText } from "../../ops/json.ts";
import type { RunResult } from "./redrive.ts";

/** A result of Pigeon and what it has logged, whoever has run it. */
export interface PigeonAnswer {
  readonly functionError: string | undefined;
  readonly payload: string;
  readonly log: string;
}

/**
 * What an invocation of Pigeon came to. A batch of which some messages are to come again has failed, and so has a function that
 * does not say what it has published: it is another one.
 */
export function readPigeonAnswer({ functionError, payload, log }: PigeonAnswer): RunResult {
  const published = readPublished(log);
  const answer = parseOrText(payload);
  if (functionError !== undefined)
    return { failure: String(Object(answer).errorMessage ?? payload), published: published ?? 0 };
  if (published === undefined)
    return { failure: "expected Pigeon's summary at the end of the function's log, found none", published: 0 };
  const { batchItemFailures } = Object(answer) as { readonly batchItemFailures?: unknown };
  if (Array.isArray(batchItemFailures) && batchItemFailures.length > 0)
    return { failure: `${batchItemFailures.length} messages of the batch failed`, published };
  return { published };
}

/** From the line that ends an invocation's log. */
function readPublished(log: string): number | undefined {
  const line = log.split("\n").findLast((text) => text.includes('"msg":"summary:'));
  const { Fields } = Object(line === undefined ? {} : parseOrText(line.slice(line.indexOf("{"))));
  const { published } = Object(Fields) as { readonly published?: unknown };
  return typeof published === "number" ? published : undefined;
}
