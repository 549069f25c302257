// SPDX-License-Identifier: MIT
// page-calls.test.mjs - how many system calls the server makes for a page, from the request to the
// end of its program. Who needs one less writes that down here.
import assert from 'node:assert/strict';
import http from 'node:http';
import { countCalls, whyNoCalls } from '../lib/calls.mjs';
import { IO, program, startServer } from '../lib/server.mjs';
import { describe, test } from '../lib/test.mjs';

const PAGES = 40;

// At most, as the mean of all pages.
const FIXED = {
  clone3: 1,
  pipe2: 2,
  socketpair: 1,
  openat2: 1,
  getrandom: 1,
  kill: 1,
  getpeername: 4,
  getsockname: 1,
  rt_sigprocmask: 2,
};
// With those that depend on who is scheduled when, in the best of so many rounds.
const ALL = 52;
const ROUNDS = 5;

const HELLO = program(`#!/bin/sh
echo 'Content-Type: text/html

<!doctype html><title>A page</title>'
`);

const ask = (url, agent) =>
  new Promise((resolve, reject) => {
    http
      .get(url, { agent }, (response) => response.resume().on('end', resolve))
      .on('error', reject);
  });

const skip = IO.length ? 'the calls are those of epoll' : whyNoCalls();

describe('a page of a program', { skip }, () => {
  test('costs the server no more system calls than are written down', async (t) => {
    const server = await startServer({
      files: { 'page.sh': HELLO },
      args: ['--no-supervisor', '--rate-client', 'off', '--rate-programs', 'off'],
      threads: 1,
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const load = async () => {
      for (let i = 0; i < PAGES; i++) await ask(server.at('page.sh'), agent);
    };
    await load();
    let least = Infinity;
    for (let round = 0; round < ROUNDS && least > ALL; round++) {
      const calls = await countCalls(server.pid, load);
      const of = (name) => (calls[name] ?? 0) / PAGES;
      const all = Object.values(calls).reduce((sum, count) => sum + count, 0) / PAGES;
      t.diagnostic(`${all} calls: ${JSON.stringify(calls)}`);
      for (const [name, most] of Object.entries(FIXED))
        assert.ok(of(name) <= most, `${of(name)} calls of ${name}, not ${most}`);
      least = Math.min(least, all);
    }
    agent.destroy();
    assert.ok(least <= ALL, `${least} calls, not ${ALL}`);
    await server.ends();
  });
});
