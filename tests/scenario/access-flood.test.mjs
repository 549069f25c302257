// SPDX-License-Identifier: MIT
// A flood of refused handshakes from many addresses: no program is started, memory stays where it
// was, and others are served meanwhile. bench/flood has the large one.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import { tryHandshake, metrics, startGuarded } from '../lib/access.mjs';
import { adminOf, makeRoot } from '../lib/server.mjs';

const REFUSE = '#!/bin/sh\nprintf "Status: 401\\nAccess-Control-Max-Age: 3600\\n\\n"\n';
const LISTEN = '#!/bin/sh\nprintf "\\n"\nread line <&3\n';
const CLIENTS = 60;

let root, server, admin;
before(async () => {
  root = makeRoot({ no: { text: REFUSE, mode: 0o755 }, yes: { text: LISTEN, mode: 0o755 } });
  server = await startGuarded({
    names: ['b.test'],
    dns: 1,
    root: root.root,
    args: [
      '--admin',
      '127.0.0.1:0',
      '--policy',
      'config',
      '--rules',
      'allow <a.example>',
      '--bans-max',
      '1024',
      '--rates-max',
      '1024',
      '--rate-origin',
      'off',
    ],
    env: {
      ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1:thread_local_quarantine_size_kb=64`,
    },
  });
  admin = new URL(await adminOf(server)).port;
});
after(async () => {
  await server?.stop();
  root?.remove();
});

const address = (n) => `127.0.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`;
const resident = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) * 1024;

/** So many attempts, 16 at a time: how often each status came. */
async function flood(count, attempt) {
  const seen = {};
  let next = 0;
  const one = async () => {
    while (next < count) {
      const { status } = await attempt(next++);
      seen[status] = (seen[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 16 }, one));
  return seen;
}

test('banned clients that try again and again', async () => {
  assert.deepEqual(await flood(CLIENTS, (n) => tryHandshake(server, '/no', { from: address(n) })), {
    401: CLIENTS,
  });
  const again = (n) => tryHandshake(server, '/no', { from: address(n % CLIENTS) });
  assert.deepEqual(await flood(600, again), { 429: 600 });
  const before = { memory: resident(), metrics: await metrics(admin) };
  const other = await tryHandshake(server, '/yes', { from: '127.0.0.9' });
  assert.deepEqual(await flood(3000, again), { 429: 3000 });
  assert.match(await other.text, /^\.welcome/);
  other.drop();
  const grown = resident() - before.memory;
  const now = await metrics(admin);
  assert.equal(
    now.httpsocket_programs_started_total - before.metrics.httpsocket_programs_started_total,
    1,
  ); // the one that was let in
  assert.equal(now['httpsocket_access_verdicts_total{reason="banned"}'], 3600);
  assert.ok(grown < 4 << 20, `${grown} bytes more after 3000 attempts`);
});

test('more clients and origins than the tables have room for', async () => {
  const before = { memory: resident(), metrics: await metrics(admin) };
  const stranger = (n) =>
    tryHandshake(server, '/yes', { from: address(n), origin: `https://o${n}.example` });
  assert.deepEqual(await flood(3000, stranger), { 403: 3000 });
  const now = await metrics(admin);
  for (const table of ['bans', 'rates']) {
    const name = `httpsocket_access_table_bytes{table="${table}"}`;
    assert.equal(now[name], before.metrics[name]);
  }
  assert.ok(resident() - before.memory < 4 << 20, `${resident() - before.memory} bytes more`);
});

test("a flood from one address meets the rate, others don't", async () => {
  const seen = await flood(400, () =>
    tryHandshake(server, '/nothing', { from: '127.0.0.77', origin: 'https://c.example' }),
  );
  assert.ok(seen[429] > 50 && seen[403] >= 300, JSON.stringify(seen));
  assert.equal(
    (await tryHandshake(server, '/nothing', { from: '127.0.0.78', origin: 'https://c.example' }))
      .status,
    403,
  );
});
