// SPDX-License-Identifier: MIT
// The tools that tests depend on: tools/contain ends what a test leaves, tools/tap.py counts, tools/install-deps says what it wants.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { REPO } from '../lib/server.mjs';

const tool = (name) => path.join(REPO, 'tools', name);
const contain = (seconds, script) =>
  spawnSync(tool('contain'), [String(seconds), 'sh', '-c', script], { encoding: 'utf8' });

test("contain: the command's status is its own", () => {
  assert.equal(contain(20, 'exit 7').status, 7);
  assert.equal(contain(20, 'kill -SEGV $$').status, 128 + 11);
  assert.deepEqual([contain(20, 'echo well').stdout, contain(20, 'exit 0').status], ['well\n', 0]);
});

test('contain: a process that went into a session of its own is ended and named', () => {
  const { status, stdout } = contain(
    20,
    'setsid sleep 1000 & until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done; echo $!',
  );
  const [pid, left] = stdout.split('\n');
  assert.equal(status, 0);
  assert.equal(left, '# left behind: sleep');
  assert.ok(!fs.existsSync(`/proc/${pid}`));
});

test('contain: when its time is up a command ends, although it ignores SIGTERM', () => {
  const { status, stdout } = contain(1, 'trap "" TERM; echo $$; while :; do sleep 1; done');
  assert.equal(status, 124);
  assert.ok(!fs.existsSync(`/proc/${stdout.split('\n')[0]}`));
});

/** [passed, names of the failed with what they said, skipped] as tools/tap.py reads it. */
function read(tap) {
  const program =
    'import json,sys,tap; r=tap.read(sys.stdin.read()); print(json.dumps([r.passed, r.failures, r.skipped]))';
  const { stdout, stderr } = spawnSync('python3', ['-c', program], {
    input: tap,
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: tool('') },
  });
  assert.equal(stderr, '');
  return JSON.parse(stdout);
}

test('tap: a test with tests of its own counts by those; a failure says where and why, and nothing of the others', () => {
  const tap = `TAP version 13
# Subtest: group
    # Subtest: good
    ok 1 - good
      ---
      duration_ms: 1
      ...
    # Subtest: bad
    not ok 2 - bad
      ---
      duration_ms: 2
      error: 'it is three'
      ...
    1..2
not ok 1 - group
  ---
  error: '1 subtest failed'
  ...
# Subtest: alone
ok 2 - alone
# Subtest: left out
ok 3 - left out # SKIP no browser
1..3
# tests 4
`;
  assert.deepEqual(read(tap), [
    2,
    ["    not ok: group > bad\n      error: 'it is three'"],
    ['left out: no browser'],
  ]);
});

test('tap: a group whose tests pass but that fails itself has failed', () => {
  const tap = `# Subtest: group
    # Subtest: good
    ok 1 - good
    1..1
not ok 1 - group
  ---
  error: 'after() threw'
  ...
`;
  assert.deepEqual(read(tap), [1, ["    not ok: group\n  error: 'after() threw'"], []]);
});

test('tap: as cmocka writes it', () => {
  const tap =
    '1..3\nok 1 - a\nnot ok 2 - b\n# 1 != 2\n# here.c:7: error: Failure!\nnot ok 3 # SKIP c\n# ok - tests\n';
  assert.deepEqual(read(tap), [1, ['    not ok: b\n# 1 != 2\n# here.c:7: error: Failure!'], ['c']]);
});

test('install-deps: on another system than Debian it lists what is needed, and fails', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-path-'));
  try {
    for (const name of ['sh', 'dirname', 'sort', 'sed', 'id']) {
      const file = process.env.PATH.split(':')
        .map((dir) => path.join(dir, name))
        .find((candidate) => fs.existsSync(candidate));
      fs.symlinkSync(file, path.join(folder, name));
    }
    const { status, stderr, stdout } = spawnSync(tool('install-deps'), ['test'], {
      encoding: 'utf8',
      env: { PATH: folder },
    });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    for (const name of ['gcc', 'meson', 'libunbound-dev', 'chromium', 'nodejs'])
      assert.match(stderr, new RegExp(`^    ${name}$`, 'm'));
    assert.equal(
      spawnSync(tool('install-deps'), ['test'], { env: { PATH: folder, DEPS: 'no' } }).status,
      0,
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
