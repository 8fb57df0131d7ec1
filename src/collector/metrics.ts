import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Bytes: from a small annotation-only report to the usual limit. */
const SIZE_BUCKETS = [1e3, 1e4, 1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 2.5e7];

/** Seconds. */
const TIME_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Every metric of the collector, in a registry of its own; there are no others. */
export function makeCollectorMetrics() {
  const registers = [new Registry()];
  const name = (short: string): string => `pigeon_collector_${short}`;
  const counter = <L extends string = never>(short: string, help: string, labelNames: readonly L[] = []): Counter<L> =>
    new Counter({ name: name(`${short}_total`), help, labelNames, registers });
  return {
    registry: registers[0] as Registry,
    incoming: counter("incoming", "Reports that were read to their end"),
    refused: counter("refused", "Reports that were refused, by reason", ["reason"]),
    throttle: counter("throttle", "Reports that the throttler has decided on, by result", ["result"]),
    throttle_rule: counter("throttle_rule", "Reports that the throttler has decided on, by rule", ["rule"]),
    saved: counter("saved", "Reports that were saved in S3"),
    spooled: counter("spooled", "Reports that went to the spool"),
    save_retried: counter("save_retried", "Attempts to save that failed and were repeated"),
    save_failed: counter("save_failed", "Reports that S3 did not take within the limits"),
    busy: counter("busy", "Reports that were put off with 503"),
    client_gone: counter("client_gone", "Clients that went before their report was read"),
    failed: counter("failed", "Reports that were answered with 500"),
    in_flight: new Gauge({ name: name("in_flight"), help: "Reports that are being taken", registers }),
    spool_reports: new Gauge({ name: name("spool_reports"), help: "Reports that wait in the spool", registers }),
    payload_bytes: new Histogram({
      name: name("payload_bytes"),
      help: "Bytes of a report as received",
      labelNames: ["compressed"],
      buckets: SIZE_BUCKETS,
      registers,
    }),
    submit_seconds: new Histogram({
      name: name("submit_seconds"),
      help: "Seconds from a report's first byte to its answer",
      buckets: TIME_BUCKETS,
      registers,
    }),
    save_seconds: new Histogram({
      name: name("save_seconds"),
      help: "Seconds to save a report in S3",
      buckets: TIME_BUCKETS,
      registers,
    }),
  };
}

export type CollectorMetrics = ReturnType<typeof makeCollectorMetrics>;
