// SPDX-License-Identifier: MIT
// io.test.mjs - the setting `io`: what an operator sees of it where io_uring works, and where not.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { request } from '../lib/request.mjs';
import { BUILD, REPO, startServer, stopAll } from '../lib/server.mjs';
import { afterEach, describe, test } from '../lib/test.mjs';

const WITHOUT = path.join(REPO, 'tests/lib/without_io_uring.py');

/** The rings of the process that serves. */
const rings = ({ pid }) =>
  fs
    .readdirSync(`/proc/${pid}/fd`)
    .map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`))
    .filter((name) => name === 'anon_inode:[io_uring]').length;

/** What of io_uring this kernel has is not known to tests: they ask the server. */
const startsWith = (args) => startServer({ files, threads: 2, args }).catch(() => null);

const serves = async (server) => {
  const answer = await request(server.at('plain.txt'));
  assert.equal(answer.body, 'here');
};
const files = { 'plain.txt': 'here' };

afterEach(stopAll);

describe('the setting io', () => {
  test('each worker has a ring of its own with io_uring', async (t) => {
    const server = await startsWith(['--io', 'io_uring']);
    if (!server) return t.skip('this kernel has no io_uring, or an old one');
    assert.equal(rings(server), 2);
    await serves(server);
    await server.ends();
  });

  test('nobody has one with epoll', async () => {
    const server = await startServer({ files, args: ['--io', 'epoll'] });
    assert.equal(rings(server), 0);
    await serves(server);
    await server.ends();
  });

  test('a server that may have none does not start if it shall have one, and says why', () => {
    const daemon = path.join(BUILD, 'httpsocketd');
    const args = ['--no-supervisor', '--io', 'io_uring', '-l', '127.0.0.1:0'];
    const { status, stderr } = spawnSync(WITHOUT, [daemon, ...args], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, / io\.failed why="forbidden: by kernel\.io_uring_disabled, or by the sec/);
  });

  test('a server that may have none serves by epoll if it may choose', async () => {
    const server = await startServer({ files, by: [WITHOUT], args: ['--io', 'auto'] });
    assert.equal(rings(server), 0);
    await serves(server);
    await server.ends();
  });
});
