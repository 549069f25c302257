// SPDX-License-Identifier: MIT
// rights.test.mjs - a server that begins as root and serves as somebody else: `user` and `group`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { alive } from '../lib/program.mjs';
import { BUILD, makeRoot, program, startServer, stopAll } from '../lib/server.mjs';
import { after, afterEach, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const isRoot = process.getuid() === 0;
const NOBODY = Number(fs.readFileSync('/etc/passwd', 'utf8').match(/^nobody:[^:]*:(\d+)/m)[1]);
const ID = `#!/bin/sh\nprintf 'Content-Type: text/plain\n\n'; id -u; id -G; ls -l /proc/self/fd\n`;

const files = makeRoot({ 'hello.txt': 'hello', id: program(ID), key: 'a-token-of-many-letters\n' });
const file = (name) => path.join(files.root, name);
fs.chmodSync(files.root, 0o755);
fs.chmodSync(file('key'), 0o600);

afterEach(stopAll);
after(() => files.remove());

const start = (args, more) => startServer({ root: files.root, args, ...more });
const run = (...args) =>
  spawnSync(path.join(BUILD, 'httpsocketd'), args, { encoding: 'utf8', timeout: 60000 });

/** A row of /proc/PID/status, as words. */
const status = (pid, row) =>
  new RegExp(`^${row}:\\s+(.*)$`, 'm')
    .exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]
    .trim()
    .split(/\s+/);

const asks = async (server) =>
  assert.equal((await visitor.asks(server.at('hello.txt'))).body, 'hello');

describe('--user, as root', { skip: !isRoot && 'needs root' }, () => {
  test('the serving process has nothing of root any more, nor have programs; its supervisor is root', async () => {
    const server = await start(['--user', 'nobody']);
    for (const row of ['Uid', 'Gid'])
      assert.deepEqual(new Set(status(server.pid, row).map(Number)), new Set([NOBODY]));
    for (const row of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb'])
      assert.match(status(server.pid, row)[0], /^0+$/);
    assert.deepEqual(status(server.child.pid, 'Uid')[0], '0');
    const [uid, groups] = (await visitor.asks(server.at('id'))).body.split('\n');
    assert.deepEqual([uid, groups], [String(NOBODY), String(NOBODY)]);
    await server.ends();
  });

  test('--group is its only group', async () => {
    const server = await start(['--user', 'nobody', '--group', 'daemon']);
    const [, groups] = (await visitor.asks(server.at('id'))).body.split('\n');
    assert.match(groups, /^\d+$/);
    assert.notEqual(groups, String(NOBODY));
    await server.ends();
  });

  test('its programs have descriptors 0 to 3 and no other', async () => {
    const server = await start(['--user', 'nobody', '--admin', '127.0.0.1:0']);
    const { body } = await visitor.asks(server.at('id'));
    const numbers = [...body.matchAll(/ (\d+) -> /g)].map((m) => Number(m[1]));
    assert.deepEqual(numbers.slice(0, 4), [0, 1, 2, 3]);
    assert.ok(numbers.length <= 5, body); // ls itself has the folder open
    await server.ends();
  });

  test('a crash and a killed supervisor: as with root', async () => {
    const server = await start(['--user', 'nobody']);
    server.mayCrash = true;
    process.kill(server.pid, 'SIGKILL');
    await server.logged(/server\.restarted/);
    await asks(server);
    const { pid } = server;
    assert.equal(status(pid, 'Uid')[0], String(NOBODY));
    await server.stop('SIGKILL');
    await until(() => !alive(pid));
  });

  test('SIGHUP: a port that only root may bind is added, by the supervisor', async () => {
    const settings = (more) =>
      fs.writeFileSync(file('settings'), `user = nobody\nlisten = {"127.0.0.1:0"${more}}\n`);
    const socket = path.join(fs.mkdtempSync(path.join(files.root, 'of-root-')), 'socket');
    settings('');
    const server = await start(['--config', file('settings')], { listen: false });
    settings(`, "unix:${socket}"`); // in a folder where nobody else may write
    server.child.kill('SIGHUP');
    await server.logged(/config\.reloaded/);
    assert.equal(fs.statSync(socket).uid, NOBODY);
    await asks(server);
    await server.ends();
    assert.ok(!fs.existsSync(socket));
  });

  test('a file that is read later and that the user may not read is named, with the user', () => {
    const { status, stderr } = run(
      ...['--user', 'nobody', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
      ...['--publish-token', file('key'), files.root],
    );
    assert.equal(status, 1, stderr);
    assert.match(
      stderr,
      /rights\.failed why="publish-token: `.*key`: Permission denied, .*`nobody`/,
    );
  });

  test('an access log belongs to the user, who opens it anew', async () => {
    const folder = fs.mkdtempSync(path.join(files.root, 'log-'));
    fs.chownSync(folder, NOBODY, NOBODY);
    const server = await start(['--user', 'nobody', '--access-log', `${folder}/access`]);
    await asks(server);
    assert.equal(fs.statSync(`${folder}/access`).uid, NOBODY);
    await server.ends();
  });
});

test('a user or group that is not there is wrong settings: status 2', () => {
  for (const [option, name] of [
    ['user', 'nobody-at-all'],
    ['group', 'no-such-group'],
  ]) {
    const { status, stderr } = run(`--${option}`, name, '--check-config', files.root);
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`${option}: there is no ${option} .${name}.`));
  }
});
