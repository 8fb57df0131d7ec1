import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { type CrashId, parseCrashId } from "../../src/crash/crash-id.ts";
import { passesThrottle } from "../../src/pigeon/throttle.ts";

const COUNT = 20_000;

function makeIds(): CrashId[] {
  return Array.from({ length: COUNT }, (_, index) => {
    const hex = createHash("md5").update(String(index)).digest("hex");
    const text = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 25)}0180313`;
    const id = parseCrashId(text);
    assert.ok(id !== undefined, text);
    return id;
  });
}

const ids = makeIds();
const share = (name: string, throttle: number): number =>
  ids.filter((id) => passesThrottle(id, { name, throttle })).length / COUNT;

test("the share is the throttle, within four standard deviations", () => {
  for (const throttle of [1, 15, 50, 99]) {
    const p = throttle / 100;
    const deviation = Math.sqrt((p * (1 - p)) / COUNT);
    const got = share("socorrodev.normal", throttle);
    assert.ok(Math.abs(got - p) < 4 * deviation, `${throttle} %: got ${got}`);
  }
});

test("0 lets nothing pass, 100 everything", () => {
  assert.equal(share("a", 0), 0);
  assert.equal(share("a", 100), 1);
});

test("a crash gets the same answer every time, and two queues decide independently", () => {
  const pass = (id: CrashId, name: string): boolean => passesThrottle(id, { name, throttle: 50 });
  for (const id of ids.slice(0, 100)) assert.equal(pass(id, "a"), pass(id, "a"));
  const both = ids.filter((id) => pass(id, "a") && pass(id, "b")).length / COUNT;
  assert.ok(Math.abs(both - 0.25) < 4 * Math.sqrt(0.1875 / COUNT), `got ${both}`);
});

test("a crash that passes a throttle passes every higher one", () => {
  for (const id of ids.slice(0, 200)) {
    const answers = [0, 10, 30, 60, 90, 100].map((throttle) => passesThrottle(id, { name: "a", throttle }));
    assert.deepEqual(answers, [...answers].sort());
  }
});
