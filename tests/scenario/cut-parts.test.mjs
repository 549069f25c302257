// SPDX-License-Identifier: MIT
// cut-parts.test.mjs - large messages of a program on lines that are cut, and cut again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { ServerConnection } from '../../js/src/connection.mjs';
import { Proxy, random } from '../lib/proxy.mjs';
import { startServer, stopAll } from '../lib/server.mjs';
import { after, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

let server;
before(async () => {
  server = await startServer({ args: ['--ping-interval', '500ms', '--rate-client', 'off'] });
});
after(async () => {
  await server.ends();
  await stopAll();
});

const pageOf = (origin) =>
  new ServerConnection(`${origin}/talk`, { WebSocket, webSocketOptions: { origin } });

async function cutLine(t, plan) {
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  proxy.plan(plan);
  return proxy;
}

test('messages larger than what passes between two cuts arrive, once and in order', async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
  t.diagnostic(`SEED=${seed}`);
  const rand = random(seed);
  const proxy = await cutLine(t, () => ({ downAfter: 20_000 + Math.floor(rand() * 100_000) }));
  const page = pageOf(proxy.url);
  t.after(() => page.close());
  const sizes = [300_000, 1, 200_000, 16_385, 16_384, 250_000, 5];
  const heard = [];
  for (const [i, size] of sizes.entries()) {
    if (i % 2) page.send('text', 'x'.repeat(size));
    else page.send('photo', Buffer.alloc(size, i));
  }
  const add = ({ type, data }) => {
    heard.push(type === 'bytes' ? data.byteLength : data[1].length);
    if (heard.length === sizes.length) page.dispatchEvent(new Event('all'));
  };
  page.addEventListener('bytes', add);
  page.addEventListener('echo', add);
  await once(page, 'all');
  assert.deepEqual(heard, sizes);
  assert.ok(proxy.cuts > 5);
});

test('a message goes on at a connection that takes over from one that still sends', async (t) => {
  const proxy = await cutLine(t, () => ({ rate: 300_000 }));
  const page = pageOf(proxy.url);
  t.after(() => page.close());
  let resumed = 0;
  page.addEventListener('resume', () => resumed++);
  const heard = once(page, 'bytes');
  const bytes = Buffer.from(Array.from({ length: 400_000 }, (_, i) => i % 251));
  page.send('photo', bytes);
  for (let i = 0; i < 3; i++) {
    const link = await until(() => [...proxy.links].find((l) => l.down > 60_000 && !l.frozen));
    proxy.freeze((l) => l === link); // the page finds it dead; the server does not know yet
  }
  const [{ data }] = await heard;
  assert.ok(Buffer.from(data).equals(bytes));
  assert.equal(resumed, 3);
});
