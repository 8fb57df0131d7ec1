import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { type CrashId, parseCrashId } from "../../src/crash/crash-id.ts";
import { passesThrottle, type ThrottledQueue } from "../../src/pigeon/throttle.ts";

const COUNT = 1_000_000;

/** The n-th of a million crash ids. */
function makeId(n: number): CrashId {
  const hex = Math.imul(n, 0x9e3779b1).toString(16).replace("-", "f").padStart(8, "0").slice(0, 8);
  const id = parseCrashId(`${hex}-2d1c-4865-af09-${n.toString(16).padStart(5, "0")}0180313`);
  assert.ok(id !== undefined, hex);
  return id;
}

const queues: readonly ThrottledQueue[] = [
  { name: "socorrodev.normal", throttle: 1 },
  { name: "socorro.stage", throttle: 15 },
  { name: "socorro.other", throttle: 50 },
  { name: "socorro.last", throttle: 99 },
];

/** A bit for each queue that the id goes to, lowest first. */
function decideAll(id: CrashId): number {
  return queues.reduce((bits, queue, n) => (passesThrottle(id, queue) ? bits | (1 << n) : bits), 0);
}

function countPasses(decisions: Uint8Array, mask: number): number {
  return decisions.reduce((count, bits) => ((bits & mask) === mask ? count + 1 : count), 0);
}

function assertShare(got: number, p: number, what: string): void {
  const deviation = Math.sqrt(COUNT * p * (1 - p));
  assert.ok(Math.abs(got - COUNT * p) < 4 * deviation, `${what}: expected ${COUNT * p}, got ${got}`);
}

test("a million crash ids: shares, independence, and the same answer for ever", () => {
  const decisions = Uint8Array.from({ length: COUNT }, (_, n) => decideAll(makeId(n)));
  for (const [n, { throttle }] of queues.entries())
    assertShare(countPasses(decisions, 1 << n), throttle / 100, `${throttle} %`);
  for (const [n, one] of queues.entries())
    for (const [m, other] of queues.slice(0, n).entries()) {
      const both = (one.throttle * other.throttle) / 10_000;
      assertShare(countPasses(decisions, (1 << n) | (1 << m)), both, `${one.throttle} % and ${other.throttle} %`);
    }
  // A retry may come to another process, another machine and a later version: the answers are recorded.
  const digest = createHash("sha256").update(decisions).digest("hex");
  assert.equal(digest, "4fc1284111ddcbe272362c64a73863056f0c170d81ec63a407c1ddec28790ced");
});

test("0 lets nothing pass, 100 everything", () => {
  for (let n = 0; n < 20_000; n++) {
    assert.equal(passesThrottle(makeId(n), { name: "a", throttle: 0 }), false);
    assert.equal(passesThrottle(makeId(n), { name: "a", throttle: 100 }), true);
  }
});

test("a crash that passes a throttle passes every higher one", () => {
  for (let n = 0; n < 200; n++) {
    const passes = Array.from({ length: 101 }, (_, throttle) => passesThrottle(makeId(n), { name: "a", throttle }));
    const first = passes.indexOf(true);
    assert.ok(passes.slice(first).every(Boolean), `id ${n} passes from ${first} % on`);
  }
});
