import { writeLine } from "./output.ts";

/** Every metric there is, with its meaning; accept x queues = published + throttled + publish_error. */
export const METRICS = {
  accept: "crash ids that are to be processed",
  defer: "crash ids that the collector marked as not to be processed",
  throttled: "pairs of an accepted crash id and a queue that the queue's throttle left out",
  published: "pairs of an accepted crash id and a queue that the broker confirmed",
  malformed: "records that are no S3 event record",
  publish_error: "pairs of an accepted crash id and a queue that the broker did not confirm",
  unknown_error: "invocations that failed for a reason nobody foresaw",
} as const;

export type Metric = keyof typeof METRICS;

/** Counts `value` more; a name outside the registry throws. */
export type Count = (metric: Metric, value?: number) => void;

/**
 * Metric lines on stdout as the original Pigeon wrote them, one write a line:
 * `MONITORING|<unix seconds>|<value>|count|socorro.pigeon.<name>|#env:<env>`.
 * @param env the tag; empty for none
 */
export function makeCount(env: string, write: (line: string) => void = writeStdout): Count {
  const tag = env === "" ? "" : `#env:${env}`;
  return (metric, value = 1) => {
    if (!Object.hasOwn(METRICS, metric)) throw new TypeError(`metric ${metric} is not in the registry`);
    write(`MONITORING|${Math.floor(Date.now() / 1000)}|${value}|count|socorro.pigeon.${metric}|${tag}\n`);
  };
}

/** What an invocation came to: its counts, and times in milliseconds, whose names end in `_ms`. */
export type Summary = Readonly<Record<Metric | "records" | "attempts" | "connect_ms" | "confirm_ms", number>>;

/**
 * One line on stdout for each invocation in CloudWatch's embedded metric format, from which CloudWatch makes metrics of the
 * namespace `socorro.pigeon` with the dimension `env`, if there is one.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 * @param env the dimension's value; empty for none
 */
export function makeEmbeddedMetrics(
  env: string,
  write: (line: string) => void = writeStdout,
): (summary: Summary) => void {
  const dimension = env === "" ? {} : { env };
  return (summary) => {
    const Metrics = Object.keys(summary).map((Name) => ({
      Name,
      Unit: Name.endsWith("_ms") ? "Milliseconds" : "Count",
    }));
    const directive = { Namespace: "socorro.pigeon", Dimensions: [Object.keys(dimension)], Metrics };
    const _aws = { Timestamp: Date.now(), CloudWatchMetrics: [directive] };
    write(`${JSON.stringify({ _aws, ...dimension, ...summary })}\n`);
  };
}

function writeStdout(line: string): void {
  writeLine(process.stdout, line);
}
