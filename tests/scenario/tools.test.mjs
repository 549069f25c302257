// SPDX-License-Identifier: MIT
// The tools that tests depend on: tools/contain ends what a test leaves, tools/tap.py counts,
// tools/install-deps says what it wants.
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

/**
 * What tools/check-form says of a repository that has these files ({name:
 * text}), one offence a line.
 */
function formOf(files) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-form-'));
  try {
    for (const name of FORM_FILES) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.cpSync(path.join(REPO, name), path.join(folder, name));
    }
    fs.symlinkSync(path.join(REPO, 'node_modules'), path.join(folder, 'node_modules'));
    for (const [name, text] of Object.entries(files))
      fs.writeFileSync(path.join(folder, name), text);
    spawnSync('git', ['init', '-q', folder]);
    spawnSync('git', ['-C', folder, 'add', '--', ...Object.keys(files)]);
    const { status, stdout, stderr } = spawnSync(path.join(folder, 'tools/check-form'), {
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    assert.equal(status, stdout.startsWith('form: ') ? 0 : 1);
    return stdout.trimEnd().split('\n');
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

const FORM_FILES = [
  'tools/check-form',
  '.clang-format',
  '.editorconfig',
  '.flake8',
  '.prettierignore',
  '.prettierrc.json',
  '.shellcheckrc',
  'pyproject.toml',
];
const SPDX = 'SPDX-License-Identifier: MIT';
const WIDE = 'word '.repeat(25).trimEnd();
const LONG = `'${'word '.repeat(25)}'`;

const OFFENCES = {
  'C that clang-format would change': [
    { 'a.c': `/* ${SPDX} */\nint a;\nint  b;\n` },
    [/^a\.c:3: clang-format: /],
  ],
  'JavaScript that prettier would change': [
    { 'a.mjs': `// ${SPDX}\nexport let a = 1;\nexport let b = "2";\n` },
    ['a.mjs:3: prettier would change it'],
  ],
  "JavaScript that prettier can't read": [
    { tool: `#!/usr/bin/env node\n// ${SPDX}\nlet a =;\n` },
    ["tool:3: prettier can't read it"],
  ],
  'Python that black would change, and what flake8 finds': [
    { tool: `#!/usr/bin/python3\n# ${SPDX}\nimport os\n\na = '1'\n` },
    [/^tool:3: flake8: F401 /, 'tool:5: black would change it'],
  ],
  'sh that shfmt would change, and what shellcheck finds': [
    { 'a.sh': `#!/bin/sh\n# ${SPDX}\nif true; then\n  echo $1\nfi\n` },
    [/^a\.sh:4: shellcheck: .*SC2086/, 'a.sh:4: shfmt would change it'],
  ],
  "PHP that can't be read": [{ 'a.php': `<?php\n// ${SPDX}\nfoo(;\n` }, [/^a\.php:3: Parse error/]],
  'a source that does not name its licence': [
    { 'a.mjs': 'export {};\n', Makefile: 'all:\n' },
    [/^Makefile:1: no 'SPDX/, /^a\.mjs:1: no 'SPDX/],
  ],
  'a blank at the end of a line, and a file without its last line end': [
    { 'a.md': 'a \nb' },
    ['a.md:1: a blank at the end of the line', 'a.md:2: the file does not end with one line end'],
  ],
  'a line of more than 100 columns: a comment, prose, a docstring': [
    {
      'a.mjs': `// ${SPDX}\n// ${WIDE}\nexport let a; // it's ${WIDE}'s\n`,
      'b.md': `a\n\n${WIDE}\n`,
      'c.py': `# ${SPDX}\n"""Text.\n\n'${WIDE}'\n"""\n`,
    },
    [/^a\.mjs:2: 127 columns/, /^a\.mjs:3: /, /^b\.md:3: 124 columns/, /^c\.py:4: 126 columns/],
  ],
};

for (const [what, [files, expected]] of Object.entries(OFFENCES))
  test(`check-form: ${what}`, () => {
    const said = formOf(files);
    assert.equal(said.length, expected.length, said.join('\n'));
    expected.forEach((one, i) =>
      one instanceof RegExp ? assert.match(said[i], one) : assert.equal(said[i], one),
    );
  });

test('check-form: what is in form, long strings, tables, code and links among it', () => {
  const files = {
    'a.c': `/* ${SPDX} */\nint a;\n`,
    'a.mjs': `// ${SPDX}\nexport let a =\n  ${LONG};\nexport let b =\n  /${WIDE}/;\n`,
    'a.py': `# ${SPDX}\na = "${WIDE}"\n`,
    'a.sh': `#!/bin/sh\n# ${SPDX}\necho ${LONG}\n`,
    'a.php': `<?php\n// ${SPDX}\necho ${LONG};\n`,
    'a.md': `| ${WIDE} |\n\n\`\`\`\n${WIDE}\n\`\`\`\n\n    ${WIDE}\n\n[a](${'b'.repeat(120)})\n`,
    'data.json': '{}',
  };
  assert.deepEqual(formOf(files), ['form: 6 sources are in form']);
});
