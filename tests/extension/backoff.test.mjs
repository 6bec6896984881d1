import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../extension/lib/backoff.js";

test("waits double from half a second to fifteen, and stay there", () => {
  const backoff = new Backoff(() => 1);
  const waits = Array.from({ length: 8 }, () => backoff.next());
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
});

test("chance has the upper half of each wait", () => {
  const backoff = new Backoff(() => 0);
  assert.deepEqual([backoff.next(), backoff.next()], [250, 500]);
});

test("it begins anew when it worked, and is slow where hurrying is no use", () => {
  const backoff = new Backoff(() => 1);
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 500);
  backoff.slow();
  assert.equal(backoff.next(), 15000);
});
