/** A short soak of each kind; `npm run soak` is the long one. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import test from "node:test";
import { soak } from "./soak.ts";

for (const nodes of [1, 3] as const)
  test(`nothing is lost whatever happens to a broker of ${nodes === 1 ? "one node" : "three nodes"}`, async (t) => {
    const seed = randomInt(10 ** 9);
    t.diagnostic(`seed ${seed}`);
    const result = await soak(t, { events: 1000, seed, nodes, say: (line) => t.diagnostic(line) });
    t.diagnostic(JSON.stringify(result));
    assert.deepEqual(result.lost, []);
    assert.deepEqual(result.strangers, []);
    assert.ok(result.balanced, "accept x queues = published + throttled + publish_error");
    assert.ok(result.messages > 1000 && result.events >= 1000, "there was something to lose");
  });
