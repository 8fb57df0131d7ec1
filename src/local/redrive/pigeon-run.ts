import type { RunResult } from "./redrive.ts";

/** A result of Pigeon and what it has logged, whoever has run it. */
export interface PigeonAnswer {
  readonly functionError: string | undefined;
  readonly payload: string;
  readonly log: string;
}

/** What an invocation of Pigeon came to. A batch of which some messages are to come again has failed. */
export function readPigeonAnswer({ functionError, payload, log }: PigeonAnswer): RunResult {
  const { published } = readSummary(log);
  const answer = parseOrText(payload);
  if (functionError !== undefined) return { failure: String(Object(answer).errorMessage ?? payload), published };
  const { batchItemFailures } = Object(answer) as { readonly batchItemFailures?: unknown };
  if (Array.isArray(batchItemFailures) && batchItemFailures.length > 0)
    return { failure: `${batchItemFailures.length} messages of the batch failed`, published };
  return { published };
}

/** The counts of the line that ends an invocation's log. */
function readSummary(log: string): { readonly published: number } {
  const line = log.split("\n").findLast((text) => text.includes('"msg":"summary:'));
  const { Fields } = Object(line === undefined ? {} : parseOrText(line.slice(line.indexOf("{"))));
  const { published } = Object(Fields) as { readonly published?: unknown };
  return { published: typeof published === "number" ? published : 0 };
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
