// SPDX-License-Identifier: MIT
// stdio-commands.test.mjs - what docs/page-programs/stdio-commands.md says of each command, if that
// is installed here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { openPlain } from '../lib/plain-client.mjs';
import { REPO, startServer, stopAll } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';

const PAGE = fs.readFileSync(path.join(REPO, 'docs/page-programs/stdio-commands.md'), 'utf8');
const code = (cell) => [...cell.matchAll(/`([^`]*)`/g)].map(([, text]) => text);

/** The rows of the table below this heading: the cells, `\|` as `|`. */
function table(heading) {
  const part = PAGE.split('\n## ').find((text) => text.startsWith(heading));
  const rows = part.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .slice(2, -2)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  );
}

const isThere = (command) => spawnSync('which', [command.split(' ')[0]]).status === 0;
const directly = (command) =>
  spawnSync('sh', ['-c', command], { cwd: REPO, encoding: 'utf8', timeout: 20_000 });
/** The messages of a client, as lines of a pipe. */
const asLines = (text) => text.replace(/\r?\n$/, '').split(/\r?\n/);

const tables = {
  answers: table('Answers each line'),
  ends: table('Says something and ends'),
  goes: table('Goes on and on'),
};
const commands = Object.values(tables).flatMap((rows) => rows.map(([first]) => code(first)[0]));
const there = commands.filter(isThere);
const row = (rows, check) => {
  for (const [first, ...cells] of rows) {
    const command = code(first)[0];
    const isHere = there.includes(command);
    test(command, (t) => (isHere ? check(command, cells, t) : t.skip('is not installed')));
  }
};

let server;
before(async () => {
  const stdio = there.flatMap((command, i) => ['--stdio', `/${i}=${command}`]);
  server = await startServer({
    files: {},
    args: ['--rate-programs', 'off', '--term-grace', '200ms', '--eof-grace', '200ms', ...stdio],
    cwd: REPO,
  });
});
after(stopAll);
const open = (command) => openPlain(server.at(String(there.indexOf(command))));

test('the page names at least 60 commands', () => assert.ok(new Set(commands).size >= 60));

describe('answers each line before the next', () => {
  row(tables.answers, async (command, [conversation]) => {
    const client = await open(command);
    const lines = code(conversation);
    for (let i = 0; i < lines.length; i += 2)
      assert.equal(await client.asks(lines[i]), lines[i + 1]);
    await client.closes();
  });
});

/** All messages until the end. */
async function hearsAll(client) {
  const { code } = await client.closed;
  const heard = [];
  for (let m; (m = await Promise.race([client.next(), undefined]));)
    heard.push((m.text ?? m.bytes).toString());
  return { heard, code };
}

describe('says all that it says in a pipe', () => {
  row(tables.ends, async (command, cells, t) => {
    const expected = directly(command);
    if (expected.error) return t.skip(expected.error.message);
    const { heard, code } = await hearsAll(await open(command));
    assert.deepEqual(heard, expected.stdout ? asLines(expected.stdout) : []);
    assert.equal(code, expected.status === 0 ? 1000 : 4500);
  });
});

describe('goes on and on', () => {
  row(tables.goes, async (command, [pattern], t) => {
    const client = await open(command);
    const again = new RegExp(code(pattern)[0]);
    for (let seen = 0; seen < 2;) {
      const said = await Promise.race([client.next(), client.closed]);
      if (said.code) return t.skip(`it ended with ${said.reason}`);
      if (again.test(said.text)) seen++;
    }
    client.terminate();
  });
});
