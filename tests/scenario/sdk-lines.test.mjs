// SPDX-License-Identifier: MIT
// sdk-lines.test.mjs - tests/vectors/lines.json against the helpers of sdk/ for Python, Node, PHP
// and sh: what comes from the server, what a program says, and the names that are none. The server
// and the C header run the same rows in tests/unit.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { REPO } from '../lib/server.mjs';

const SDK = path.join(REPO, 'sdk');
const ENVIRONMENT = { ...process.env, HTTPSOCKET_SDK: SDK, PYTHONPATH: path.join(SDK, 'python') };
const vectors = JSON.parse(fs.readFileSync(path.join(REPO, 'tests/vectors/lines.json'), 'utf8'));
const program = (name) => path.join(REPO, 'tests/scenario/sdk', name);
const lineOf = ({ line, base64 }) =>
  base64 === undefined ? Buffer.from(line) : Buffer.from(base64, 'base64');

/**
 * What a helper hears. Wrong JSON is the program's affair: the line is taken, what it says is not.
 */
const heard = vectors.filter(({ from, level }) => from !== 'program' && level !== 'name');
const said = vectors.filter((row) => row.said);
const names = vectors.filter(({ name }) => name !== undefined);

/** `=7 {"a":1}`, without its session: `=7`. */
const headOf = (row) => {
  const { session } = row.parsed;
  const text = lineOf(row).toString('latin1');
  return text.slice(session ? session.length + 2 : 0).split(/[ \n]/, 1)[0];
};

/** What a helper makes of a row that is valid. */
function message({ parsed }) {
  const { kind, name = '', word, call = '0', session = '', json, bytes } = parsed;
  return {
    kind: word === undefined ? kind : 'system',
    name: word === undefined ? name : `.${word}`,
    call: Number(call),
    session,
    bare: json === undefined && bytes === undefined,
    problem: false,
    ...(bytes === undefined ? { data: JSON.parse(json ?? 'null') } : { bytes }),
  };
}

function assertHeard(got, row) {
  const what = `${row.why}: ${JSON.stringify(row.line)}`;
  if (row.valid) assert.deepEqual(got, [message(row)], what);
  else if (row.level !== 'json') assert.deepEqual(got, ['broken'], what);
  else assert.deepEqual([got.length, got[0].problem, got[0].data], [1, true, null], what);
}

const run = (command, args, options) =>
  spawnSync(command, args, { env: ENVIRONMENT, timeout: 20000, ...options });

test('the vectors are all there', () => {
  assert.ok(heard.length > 140 && said.length > 60 && names.length > 20);
});

for (const name of ['lines.py', 'lines.mjs', 'lines.php']) {
  describe(name, () => {
    const asked = {
      read: heard.map((row) => lineOf(row).toString('base64')),
      say: said.map((row) => ({
        head: headOf(row),
        json: row.parsed.json,
        bytes: row.parsed.bytes,
      })),
      names: names.map((row) => row.name),
    };
    const { stdout, stderr } = run(program(name), [], { input: JSON.stringify(asked) });
    const answer = () => {
      assert.equal(stderr.toString(), '');
      return JSON.parse(stdout);
    };

    test('every line of the server is read', () => {
      answer().read.forEach((got, i) => assertHeard(got, heard[i]));
    });

    test('every line of the server is read byte by byte', () => {
      answer().split.forEach((got, i) => assertHeard(got, heard[i]));
    });

    test('every line is said as it stands', () => {
      answer().said.forEach((base64, i) => {
        const { session } = said[i].parsed;
        const lead = Buffer.from(session ? `@${session} ` : '');
        const line = Buffer.concat([lead, Buffer.from(base64, 'base64')]);
        assert.equal(line.toString('latin1'), lineOf(said[i]).toString('latin1'), said[i].why);
      });
    });

    test('no event is sent by a name that is none', () => {
      answer().refused.forEach((refused, i) => assert.ok(refused, names[i].why));
    });
  });
}

/** A helper that has one page, reads no JSON, and runs in a process for each row. */
for (const shell of ['sh', 'bash']) {
  describe(`lines.sh by ${shell}`, () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-lines-'));
    after(() => fs.rmSync(folder, { recursive: true }));

    /** With `input` as descriptor 3, or with what was written there as `output`. */
    function runShell(args, input) {
      const file = path.join(folder, 'fd3');
      fs.writeFileSync(file, input ?? '');
      const fd = fs.openSync(file, input === undefined ? 'w' : 'r');
      const result = run(shell, [program('lines.sh'), ...args], {
        stdio: ['ignore', 'pipe', 'pipe', fd],
        env: { ...ENVIRONMENT, HTTPSOCKET_FD: '3' },
      });
      fs.closeSync(fd);
      return { ...result, output: fs.readFileSync(file) };
    }

    test('every line of the server is read', () => {
      // A shell reads over a NUL, and looks into no JSON.
      const rows = heard.filter((row) => !row.shared && row.level !== 'json');
      for (const row of rows.filter((row) => row.valid || !lineOf(row).includes(0))) {
        const { status, stdout, stderr } = runShell(['read'], lineOf(row));
        const what = `${row.why}: ${JSON.stringify(row.line)}: ${stderr}`;
        assert.equal(status, row.valid ? 0 : 1, what);
        if (!row.valid) continue;
        const { json = headOf(row)[0] === '=' ? '' : 'null', bytes } = row.parsed;
        const body = bytes === undefined ? Buffer.from(json) : Buffer.from(bytes, 'base64');
        const head = `${headOf(row)}\n${bytes === undefined ? 'data' : 'bytes'}\n`;
        assert.ok(stdout.equals(Buffer.concat([Buffer.from(head), body])), `${what}${stdout}`);
      }
    });

    test('every line is said as it stands', () => {
      const file = path.join(folder, 'bytes');
      for (const row of said.filter((row) => !row.shared)) {
        const { json, bytes } = row.parsed;
        if (bytes !== undefined) fs.writeFileSync(file, Buffer.from(bytes, 'base64'));
        const args =
          bytes === undefined ? ['post', headOf(row), json] : ['bytes', headOf(row), file];
        const { output } = runShell(args.filter((word) => word !== undefined));
        assert.ok(output.equals(lineOf(row)), `${row.why}: ${output}`);
      }
    });

    test('no event is sent by a name that is none', () => {
      for (const { name, why } of names.filter((row) => !row.name.includes('\0'))) {
        const { status, output } = runShell(['name', name]);
        assert.deepEqual([status, output.toString()], [1, ''], why);
      }
    });
  });
}
