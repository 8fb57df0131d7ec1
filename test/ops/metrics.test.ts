import assert from "node:assert/strict";
import test from "node:test";
import { METRICS, type Metric, makeCount } from "../../src/ops/metrics.ts";

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
