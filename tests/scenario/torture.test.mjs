// SPDX-License-Identifier: MIT
// torture.test.mjs - a sample of `make torture`: of each scenario some allocations and some system
// calls fail, others in each run of the tests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, SCENARIOS, Torture } from '../lib/torture.mjs';

const EACH = 4;
const seed = Number(process.env.TORTURE_SEED ?? Math.floor(Math.random() * 1e6));

/** Every so many, from one that the seed chooses. */
function sample(count) {
  const step = Math.ceil(count / EACH);
  const first = 1 + (seed % step);
  return Array.from({ length: EACH }, (_, i) => first + i * step).filter((n) => n <= count);
}

const LONG = { timeout: 300000 };

for (const scenario of Object.keys(SCENARIOS))
  test(`${scenario}: what fails is told, and nothing is left over`, LONG, async (t) => {
    t.diagnostic(`TORTURE_SEED=${seed}`);
    for (const kind of Object.keys(KINDS)) {
      const torture = new Torture(scenario);
      for (const n of sample(await torture.counts(kind)))
        assert.equal((await torture.fails(kind, n)).fault, undefined, `TORTURE_SEED=${seed}`);
      await torture.done();
    }
  });
