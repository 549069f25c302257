// SPDX-License-Identifier: MIT
// How often: by client address, by origin, for programs and for look-ups; each
// is answered 429 with the time to wait.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { host, tryHandshake, metrics, startGuarded, startZones } from '../lib/access.mjs';
import { request } from '../lib/http-raw.mjs';
import { BUILD, adminOf, makeRoot } from '../lib/server.mjs';

let zones, root;
const servers = [];
before(async () => {
  zones = await startZones({ 'b.test': { records: '_script-access TXT "v=sa1; allow=*"' } });
  root = makeRoot({ feed: { text: '#!/bin/sh\nprintf "\\n"\n', mode: 0o755 }, 'file.txt': 'text' });
});
after(async () => {
  for (const server of servers) await server.stop();
  await zones?.stop();
  root?.remove();
});

async function start(...args) {
  const server = await startGuarded({
    names: ['b.test'],
    dns: zones.relay.port,
    root: root.root,
    args: ['--admin', '127.0.0.1:0', ...args],
  });
  servers.push(server);
  return {
    server,
    limited: async () => {
      const all = await metrics(new URL(await adminOf(server)).port);
      return (rate) => all[`httpsocket_rate_limited_total{rate="${rate}"}`];
    },
  };
}

/** So many handshakes one after the other: how each was answered. */
async function tryHandshakes(server, n, options = () => ({})) {
  const seen = [];
  for (let i = 0; i < n; i++) {
    const answer = await tryHandshake(server, '/feed', options(i));
    answer.drop?.();
    seen.push(answer);
  }
  return seen;
}
const statuses = (answers) => answers.map(({ status }) => status).join(' ');

test('by client address: beyond the burst 429, with the time until one is free again', async () => {
  const { server, limited } = await start('--rate-client', '6,3');
  const answers = await tryHandshakes(server, 4);
  assert.equal(statuses(answers), '101 101 101 429');
  assert.equal(answers[3].headers['script-access-reason'], 'rate-limited');
  assert.ok(
    answers[3].headers['retry-after'] >= 8 && answers[3].headers['retry-after'] <= 10,
    answers[3].headers['retry-after'],
  );
  assert.equal(statuses(await tryHandshakes(server, 1, () => ({ from: '127.0.0.2' }))), '101');
  const own = await tryHandshake(server, '/feed', { origin: 'http://b.test:8000' });
  assert.equal((await own.close).code, 4429); // our own pages count too, and see it
  assert.equal((await tryHandshake(server, '/feed', { origin: null, session: false })).status, 429);
  assert.equal((await limited())('client'), 3);
});

test('by origin, whatever the address', async () => {
  const { server, limited } = await start('--rate-origin', '6,3');
  assert.equal(
    statuses(await tryHandshakes(server, 4, (i) => ({ from: `127.0.0.${i + 1}` }))),
    '101 101 101 429',
  );
  assert.equal(
    statuses(await tryHandshakes(server, 1, () => ({ origin: 'https://c.example' }))),
    '101',
  );
  assert.equal((await limited())('origin'), 1);
});

test('programs, by pages and by connections', async () => {
  const { server, limited } = await start('--rate-programs', '6,3');
  const page = () => request(server.port, 'GET', '/feed', host('b.test'));
  assert.equal((await page()).status, 200);
  assert.equal(statuses(await tryHandshakes(server, 2)), '101 101');
  const refused = await page();
  assert.equal(refused.status, 429);
  assert.ok(refused.headers['retry-after'] >= 8);
  // It has been let in, so it may see the code.
  assert.equal((await (await tryHandshake(server, '/feed')).close).code, 4429);
  assert.equal((await request(server.port, 'GET', '/file.txt', host('b.test'))).status, 200);
  assert.equal((await limited())('programs'), 2);
});

test('look-ups, by client address: what is known already is free', async () => {
  const { server, limited } = await start('--rate-lookups', '6,2', '--threads', '1');
  const from = (i) => ({ origin: `https://o${i}.example` });
  assert.equal(statuses(await tryHandshakes(server, 3, from)), '101 101 429');
  assert.equal(statuses(await tryHandshakes(server, 2, (i) => from(i % 2))), '101 101');
  assert.equal((await limited())('lookups'), 1);
});

test('many tabs that reconnect at once never meet the defaults', async () => {
  const { server } = await start();
  const answers = await tryHandshakes(server, 250);
  assert.equal(answers.filter(({ status }) => status !== 101).length, 0);
});

test('a wrong value is refused at the start, with what was expected', () => {
  const run = (...args) =>
    spawnSync(path.join(BUILD, 'httpsocketd'), [...args, '--check-config', root.root], {
      encoding: 'utf8',
    });
  for (const [args, why] of [
    [['--rate-client', '0'], /rate-client: expected a rate PER_MINUTE/],
    [['--private', '10.0.0.1/8'], /private: expected a range such as 10\.0\.0\.0\/8/],
    [['--rules', 'alow <*>'], /rules: expected rules such as/],
    [['--consent', 'perhaps'], /consent: expected one of: strict veto off/],
    [['--dns', 'nowhere'], /dns: /],
    [['--dns-anchor', '/nonexistent'], /dns: /],
    [['--dns-anchor', '/'], /dns: /],
    [['--vouch', 'b.example'], /vouch: expected HOST:PORT/],
  ]) {
    const { status, stderr } = run(...args);
    assert.match(stderr, why);
    assert.equal(status, 2, args.join(' '));
  }
  assert.equal(
    run(
      '--consent',
      'veto',
      '--self-ports',
      '7000-7010',
      '--block',
      '*.b.example',
      '--unblock',
      '25',
      '--dnssec',
      'policy',
    ).status,
    0,
  );
});

test('consent other than strict is logged as open', async () => {
  const { server } = await start('--consent', 'veto');
  assert.match(await server.logged(/access\.open/), /consent=veto/);
});
