// SPDX-License-Identifier: MIT
// Programs and sessions whose client is gone give way where there is no room for a newcomer.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { program, startServer, stopAll } from '../lib/server.mjs';
import { newKey, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const listens = program("#!/bin/sh\nprintf '\\n'\nexec >&-\nexec cat <&3 >/dev/null\n");
const page = program(
  "#!/bin/sh\nprintf 'Content-Type: text/html\\n\\n<p>'\nexec >&-\nexec cat <&3 >/dev/null\n",
);

const leaves = program("#!/bin/sh\nprintf '\\n'\nexec >&-\necho 'farewell 1' >&3\n");

const servers = [];
async function start(...args) {
  const files = { listens, page, leaves, shared: program('shared.py') };
  const server = await startServer({ files, args: ['--admin', '127.0.0.1:0', ...args] });
  servers.push(server);
  return server;
}
after(async () => {
  SessionClient.dropAll();
  for (const server of servers) await server.ends();
  await stopAll();
});

/** A handshake from this address; the connection stays. */
const connects = (server, from, where = 'listens') =>
  visitor.connects(server.at(where), { from, protocols: `httpsocket.v1, key.${newKey()}` });

/** Connects, hears `.welcome`, and is gone. */
async function looksIn(server, from, where) {
  const { welcome, socket } = await connects(server, from, where);
  assert.ok(welcome.session);
  socket.destroy();
}

const metric = async (server, name) =>
  Number(new RegExp(`^httpsocket_${name} (\\d+)`, 'm').exec(await server.asksAdmin('metrics'))[1]);

const nobodyIsThere = (server) =>
  until(async () => (await metric(server, 'sessions_attached')) === 0, 'nobody is there');

test('programs of 16 clients that left at once do not keep a newcomer out', async () => {
  const server = await start('--programs-max', '32');
  for (let i = 0; i < 32; i++) await looksIn(server, `127.0.1.${1 + (i % 16)}`);
  await nobodyIsThere(server);
  assert.ok((await connects(server, '127.0.0.9')).welcome);
  assert.equal(await metric(server, 'sessions_given_up_total'), 1);
});

test('a client that has left his whole share unused is served again at once', async () => {
  const server = await start('--programs-per-client', '4');
  await looksIn(server, '127.0.0.3');
  for (let i = 0; i < 4; i++) await looksIn(server, '127.0.0.2');
  await nobodyIsThere(server);
  assert.ok((await connects(server, '127.0.0.2')).welcome);
  await server.logged(/session\.given_up .*client=127\.0\.0\.2/);
  assert.equal(server.lines(/session\.given_up .*client=127\.0\.0\.3/).length, 0);
});

test('pages that nobody connected do not keep their own client out', async () => {
  const server = await start('--programs-per-client', '4');
  for (let i = 0; i < 6; i++) {
    assert.equal((await visitor.asks(server.at('page'))).status, 200);
    await until(async () => (await metric(server, 'programs')) <= 4, 'four programs');
  }
});

test('a crowd behind one address that loads its pages at once is asked back at different times', async () => {
  const server = await start('--rate-programs', '6,4', '--programs-per-client', '4');
  const loads = Array.from({ length: 44 }, () => visitor.asks(server.at('page')));
  const refused = (await Promise.all(loads)).filter(({ status }) => status !== 200);
  assert.ok(refused.length >= 40);
  const times = refused.map(({ headers }) => headers['retry-after']);
  assert.ok(new Set(times).size >= 4, `${times}`);
  for (const { status, headers } of refused) {
    assert.ok(status === 429 || status === 503);
    assert.equal(headers.refresh, headers['retry-after']); // the browser loads the page again
  }
});

test('pages of a shared program whose client left give way to his next', async () => {
  const server = await start('--shared-per-client', '3');
  for (let i = 0; i < 3; i++) await looksIn(server, '127.0.0.2', 'shared');
  await nobodyIsThere(server);
  assert.ok((await connects(server, '127.0.0.2', 'shared')).welcome);
});

test('sessions that nobody uses do not keep a newcomer out', async () => {
  const server = await start('--sessions-max', '6', '--threads', '1');
  for (let i = 0; i < 6; i++) await looksIn(server, `127.0.1.${1 + (i % 3)}`);
  await nobodyIsThere(server);
  assert.ok((await connects(server, '127.0.0.9')).welcome);
});

test('who stays without acknowledging the last words of a program that ended gives way', async () => {
  const server = await start(
    ...['--sessions-max', '4', '--threads', '1', '--goodbye-timeout', '100ms'],
  );
  const options = { acknowledge: false };
  const stays = [];
  for (let i = 0; i < 4; i++) {
    stays.push(await SessionClient.connects(server, 'leaves', options));
    await stays.at(-1).hears('farewell 1');
  }
  await until(
    async () => (await metric(server, 'programs')) === 0,
    () => 'a program',
  );
  await until(
    async () => (await connects(server, '127.0.0.9')).welcome,
    () => 'no newcomer',
  );
  assert.equal((await stays[0].closed).code, 1000);
});

test('who is there does not give way', async () => {
  const server = await start('--programs-max', '2');
  const there = [await connects(server, '127.0.0.2'), await connects(server, '127.0.0.2')];
  const { code, reason } = await connects(server, '127.0.0.3');
  assert.deepEqual({ code, reason: reason.split(' ')[0] }, { code: 1013, reason: 'overload' });
  for (const client of there) client.socket.destroy();
});

test('whoever has said nothing gives way first, and hears why when he comes back', async () => {
  const server = await start('--programs-max', '2');
  const user = await SessionClient.connects(server, 'listens');
  user.says('hello 1');
  await user.isRead();
  await user.cuts();
  const looker = await SessionClient.connects(server, 'listens');
  await looker.cuts();
  await nobodyIsThere(server);
  assert.ok((await connects(server, '127.0.0.9')).welcome);
  await looker.isRefused({ code: 4410, reason: 'given-up' });
  await user.comesBack();
});

test('a limit of sessions that was reached is no failure of the server', async () => {
  const server = await start('--sessions-max', '1', '--threads', '1');
  const there = await connects(server, '127.0.0.2');
  assert.equal((await connects(server, '127.0.0.3')).code, 1013);
  await server.logged(/ warn session\.refused .*client=127\.0\.0\.3/);
  assert.equal(server.lines(/resource\.failed/).length, 0);
  there.socket.destroy();
});
