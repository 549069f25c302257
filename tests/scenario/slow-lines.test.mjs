// SPDX-License-Identifier: MIT
// slow-lines.test.mjs - lines that are slow, and processes that are paused, are not dead.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import WebSocket from 'ws';
import { ServerConnection } from '../../js/src/connection.mjs';
import { Command } from '../lib/command.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { startServer, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

/** A message that takes longer than a dead peer may be silent: 6 s for the server. */
const BYTES = 640_000;
const RATE = 80_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let server;
before(async () => {
  server = await startServer({ args: ['--ping-interval', '500ms', '--admin', '127.0.0.1:0'] });
});
after(async () => {
  SessionClient.dropAll();
  Command.killAll();
  await server.ends();
  await stopAll();
});

const pageOf = (origin) =>
  new ServerConnection(`${origin}/talk`, { WebSocket, webSocketOptions: { origin } });

async function slowLine(t) {
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  proxy.plan(() => ({ rate: RATE }));
  return proxy;
}

test('a large message on a slow line arrives, both ways: the C client', async (t) => {
  const proxy = await slowLine(t);
  const command = Command.starts('connect', `${proxy.url}/talk`);
  await command.hears(/^started/);
  const bytes = randomBytes(BYTES);
  command.child.stdin.write(`photo @${BYTES}\n`);
  command.child.stdin.end(Buffer.concat([bytes, Buffer.from('\n')]));
  const { status, out, err } = await command.ended;
  assert.equal(err.replace('httpsocket: connected\n', ''), '');
  assert.equal(status, 0);
  assert.ok(out.includes(bytes));
});

test('a large message on a slow line arrives, both ways: the browser side', async (t) => {
  const proxy = await slowLine(t);
  const page = pageOf(proxy.url);
  t.after(() => page.close());
  const suspended = [];
  page.addEventListener('suspend', ({ data }) => suspended.push(data));
  const came = once(page, 'bytes');
  const bytes = randomBytes(BYTES);
  page.send('photo', bytes);
  const [{ data }] = await came;
  assert.ok(Buffer.from(data).equals(bytes));
  assert.deepEqual(suspended, []);
});

test('events behind a large one come after it, and a call is answered', async (t) => {
  const page = pageOf(server.url);
  t.after(() => page.close());
  const sizes = [];
  page.addEventListener('echo', ({ data }) => sizes.push(data[1].length));
  for (const size of [16_000, 16_384, 16_385, 100, 2_000_000, 1, 40_000])
    page.send('text', 'å'.repeat(size / 2) + 'x'.repeat(size % 2));
  assert.equal(await page.call('add', [1, 2]), 3);
  const lengths = [16_000, 16_384, 16_385, 100, 2_000_000, 1, 40_000];
  assert.deepEqual(
    sizes,
    lengths.map((size) => Math.floor(size / 2) + (size % 2)),
  );
});

for (const who of ['server', 'client'])
  test(`a ${who} that was paused for longer than the other may be silent reads first`, async () => {
    const own = await startServer({ args: ['--ping-interval', '100ms', '--admin', '127.0.0.1:0'] });
    const page = await Page.opens(own, 'talk');
    const command = Command.starts('connect', own.at('talk'));
    await command.hears(/^started/);
    const child = who === 'server' ? own.child : command.child;
    const before = await own.metric('session_attaches_total');
    child.kill('SIGSTOP');
    await sleep(who === 'server' ? 7000 : 3000);
    child.kill('SIGCONT');
    page.says('hello 1');
    await page.hears('echo ["hello", 1]');
    command.says('hello 2');
    await command.hears(/^echo \["hello", 2\]$/);
    if (who === 'server') assert.equal(await own.metric('websocket_dead_peers_total'), 0);
    else assert.equal(await own.metric('session_attaches_total'), before);
    await page.closes();
    command.child.kill();
    await own.ends();
  });

test('a client that hangs is noticed, though its kernel takes every ping', async () => {
  const command = Command.starts('connect', server.at('talk'));
  await command.hears(/^started/);
  const before = await server.metric('websocket_dead_peers_total');
  command.child.kill('SIGSTOP');
  await until(async () => (await server.metric('websocket_dead_peers_total')) > before);
  command.child.kill('SIGCONT');
  command.says('hello 3');
  await command.hears(/^echo \["hello", 3\]$/);
});
