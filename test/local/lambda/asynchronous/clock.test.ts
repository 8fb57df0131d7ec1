import assert from "node:assert/strict";
import test from "node:test";
import { Clock } from "../../../../src/local/lambda/asynchronous/clock.ts";

const NEVER = new AbortController().signal;

test("it passes by itself, and wakes who has slept enough when it is put forward", async () => {
  const clock = new Clock();
  assert.equal(await clock.sleep(5, NEVER), true);
  assert.equal(await clock.sleep(-1, NEVER), true);
  const before = clock.now();
  const [minute, hour] = [clock.sleep(60_000, NEVER), clock.sleep(3_600_000, NEVER)];
  clock.advance(59_000);
  assert.equal(await Promise.race([minute, clock.sleep(20, NEVER).then(() => "still asleep")]), "still asleep");
  clock.advance(1000);
  assert.equal(await minute, true);
  clock.advance(3_600_000);
  assert.equal(await hour, true);
  assert.ok(clock.now() - before >= 3_660_000);
});

test("a sleep ends with its signal, also one that came before", async () => {
  const stopping = new AbortController();
  const clock = new Clock();
  const sleeping = clock.sleep(60_000, stopping.signal);
  stopping.abort();
  assert.equal(await sleeping, false);
  assert.equal(await clock.sleep(1, stopping.signal), false);
});
