// SPDX-License-Identifier: MIT
// counts.test.mjs - what a message costs in instructions, system calls and allocations, beside what
// tests/counts/record.json says. Who makes it cheaper, or dearer for a good reason, records that:
// bench/counts --record.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { REPO } from '../lib/server.mjs';
import { before, describe, test } from '../lib/test.mjs';

const GROWTH = 1.05;
const record = JSON.parse(fs.readFileSync(path.join(REPO, 'tests/counts/record.json'), 'utf8'));
let now;
let whyNot; // nothing can be compared

const count = async () => {
  const command = path.join(REPO, 'bench/counts');
  const { stdout } = await promisify(execFile)(command, ['--json'], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
};

const compare = (name) => {
  const was = record.rows[name];
  const is = now.rows[name];
  assert.ok(is, `${name} is recorded, and tests/counts does not know it`);
  const most = was.instructions * GROWTH;
  assert.ok(is.instructions <= most, `${is.instructions} instructions, not ${was.instructions}`);
  assert.ok(is.calls <= was.calls, `${is.calls} system calls, not ${was.calls}`);
  assert.ok(is.allocations <= was.allocations, `${is.allocations} allocations`);
};

describe('what is recorded of a message', () => {
  before(async () => {
    try {
      now = await count();
    } catch (error) {
      if (!/valgrind is not installed/.test(error.stderr)) throw error;
      whyNot = 'valgrind is not installed';
      return;
    }
    if (now.machine !== record.machine)
      whyNot = `recorded with ${record.machine}, here is ${now.machine}`;
  });

  for (const name of Object.keys(record.rows)) {
    test(`${name} takes no call or allocation more, and at most 5 % more instructions`, (t) => {
      if (whyNot) return t.skip(whyNot);
      compare(name);
    });
  }

  test('every row of tests/counts is recorded', (t) => {
    if (whyNot) return t.skip(whyNot);
    assert.deepEqual(Object.keys(now.rows).sort(), Object.keys(record.rows).sort());
  });
});
