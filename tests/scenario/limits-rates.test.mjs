// SPDX-License-Identifier: MIT
// Rates hit the client that has used them up, and no other.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { startGuarded, tryHandshake } from '../lib/access.mjs';
import { makeRoot } from '../lib/server.mjs';

const OWN = 'http://b.test:8000';
const LISTEN = '#!/bin/sh\nprintf "\\n"\ncat <&3 >/dev/null\n';
const root = makeRoot({ feed: { text: LISTEN, mode: 0o755 } });

/** A server that lets in pages of a.example beside its own. */
const start = (...args) =>
  startGuarded({
    names: ['b.test'],
    dns: 1,
    root: root.root,
    args: ['--policy', 'config', '--rules', 'allow <a.example>', ...args],
  });
const servers = [];
after(async () => {
  for (const server of servers) await server.stop();
  root.remove();
});

/** Handshakes of so many clients, so many each: how they were answered. */
async function flood(server, clients, each, how) {
  const seen = {};
  const one = async (from) => {
    for (let i = 0; i < each; i++) {
      const answer = await tryHandshake(server, '/nothing', { ...how, from });
      answer.drop?.();
      seen[answer.status] = (seen[answer.status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, i) => one(`127.0.0.${i + 10}`)));
  return seen;
}

async function opens(server, how = {}) {
  const line = await tryHandshake(server, '/feed', { origin: OWN, ...how });
  assert.match((await line.text) ?? '', /^\.welcome/);
  return line;
}

test('a flood of handshakes from 12 addresses leaves a 13th served', async () => {
  const server = await start('--rate-origin', '600,100', '--rate-client', '600,30');
  servers.push(server);
  await flood(server, 12, 40, { origin: OWN });
  (await opens(server, { from: '127.0.0.9' })).drop();
});

test('only allowed pages use up the rate of an origin', async () => {
  const server = await start('--rate-origin', '6,3', '--rate-client', 'off');
  servers.push(server);
  const stranger = { origin: 'https://x.example' };
  assert.deepEqual(await flood(server, 4, 2, stranger), { 403: 8 });
  assert.deepEqual(await flood(server, 4, 2, {}), { 101: 3, 429: 5 });
});

test("attempts of a strange site's page cost its visitor nothing at ours", async () => {
  const server = await start('--rate-client', '6,3');
  servers.push(server);
  const seen = await flood(server, 1, 6, { origin: 'https://x.example' });
  assert.deepEqual(seen, { 403: 3, 429: 3 });
  (await opens(server, { from: '127.0.0.10' })).drop();
});

test('a page that comes back to its session is not counted', async () => {
  const server = await start('--rate-client', '6,2', '--threads', '2');
  servers.push(server);
  const key = 'z'.repeat(24);
  const first = await opens(server, { key });
  const { session: id } = JSON.parse((await first.text).slice('.welcome '.length));
  first.drop();
  for (let i = 0; i < 5; i++) (await opens(server, { key, id })).drop();
});
