// SPDX-License-Identifier: MIT
/** Which nodes may stay when nodes are put into another order. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { longestIncreasingSubsequence } from '../src/dom/arrange.mjs';

/** The length of a longest increasing subsequence that contains `pin`, by trying all. */
function longest(places, pin) {
  let best = 0;
  for (let set = 0; set < 1 << places.length; set++) {
    const run = places.filter((place, i) => set & (1 << i));
    if (pin >= 0 && !(set & (1 << pin))) continue;
    if (run.every((place, i) => place >= 0 && (i === 0 || run[i - 1] < place)))
      best = Math.max(best, run.length);
  }
  return best;
}

test('as many stay as can, and one that has to is among them', () => {
  let seed = 11;
  const next = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 400; round++) {
    const places = Array.from({ length: next(8) }, (_, i) => i).sort(() => next(3) - 1);
    for (let i = next(3); i > 0 && places.length; i--) places[next(places.length)] = -1;
    const pin = next(3) ? -1 : next(places.length + 1) - 1;
    const stay = [...longestIncreasingSubsequence(places, pin)].sort((a, b) => a - b);
    const run = stay.map((i) => places[i]);
    assert.ok(
      run.every((place, i) => place >= 0 && (i === 0 || run[i - 1] < place)),
      `${places}: ${stay}`,
    );
    const bound = pin >= 0 && places[pin] >= 0 ? pin : -1;
    if (bound >= 0) assert.ok(stay.includes(bound), `${places} without ${bound}`);
    assert.equal(stay.length, longest(places, bound), `${places}`);
  }
});

test('a list of ten thousand with its first row put last keeps all others', () => {
  const places = [...Array.from({ length: 9999 }, (_, i) => i + 1), 0];
  assert.equal(longestIncreasingSubsequence(places).size, 9999);
});
