import assert from "node:assert/strict";
import test from "node:test";
import { METRICS, type Metric, makeCount, makeEmbeddedMetrics } from "../../src/ops/metrics.ts";

function counted(env: string, metric: Metric, value?: number): string {
  let text = "";
  makeCount(env, (line) => {
    text += line;
  })(metric, value);
  return text;
}

test("a metric is one line with time, value, name and tag", () => {
  assert.match(counted("test", "accept"), /^MONITORING\|\d{10}\|1\|count\|socorro\.pigeon\.accept\|#env:test\n$/);
  assert.match(counted("", "published", 7), /^MONITORING\|\d{10}\|7\|count\|socorro\.pigeon\.published\|\n$/);
});

test("a name outside the registry throws", () => {
  assert.throws(() => counted("test", "acept" as Metric), /metric acept is not in the registry/);
  assert.throws(() => counted("test", "toString" as Metric), /not in the registry/);
});

test("the registry holds the names that operators know", () => {
  const names = ["accept", "defer", "throttled", "published", "malformed", "publish_error", "unknown_error"];
  assert.deepEqual(Object.keys(METRICS), names);
});

test("the embedded metrics of an invocation are one line of JSON that CloudWatch understands", () => {
  const counts = { accept: 2, defer: 0, throttled: 0, published: 2, malformed: 0, publish_error: 0, unknown_error: 0 };
  const summary = { records: 2, ...counts, connect_ms: 1.5, confirm_ms: 2.5, attempts: 1 };
  const lines: string[] = [];
  for (const env of ["test", ""]) makeEmbeddedMetrics(env, (line) => lines.push(line))(summary);
  assert.ok(lines.every((line) => line.endsWith("}\n") && line.indexOf("\n") === line.length - 1));
  const [tagged, plain] = lines.map((line) => JSON.parse(line));
  const { Timestamp, CloudWatchMetrics } = tagged._aws;
  assert.ok(Math.abs(Timestamp - Date.now()) < 60_000);
  const [{ Namespace, Dimensions, Metrics }] = CloudWatchMetrics;
  assert.deepEqual({ Namespace, Dimensions }, { Namespace: "socorro.pigeon", Dimensions: [["env"]] });
  assert.deepEqual(
    Metrics.map(({ Name }: { Name: string }) => Name),
    Object.keys(summary),
  );
  for (const { Name, Unit } of Metrics) {
    assert.equal(typeof tagged[Name], "number");
    assert.equal(Unit, Name.endsWith("_ms") ? "Milliseconds" : "Count");
  }
  assert.equal(tagged.env, "test");
  assert.deepEqual(plain._aws.CloudWatchMetrics[0].Dimensions, [[]]);
  assert.ok(!("env" in plain));
});
