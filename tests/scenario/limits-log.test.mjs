// SPDX-License-Identifier: MIT
// Lines of the log that a client can cause: bounded, and counted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startServer, stopAll } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';
import { RawWebSocket } from '../lib/ws-raw.mjs';

let server;
before(async () => {
  server = await startServer({ args: ['--admin', '127.0.0.1:0'], files: {} });
});
after(async () => {
  SessionClient.dropAll();
  await server?.ends();
  await stopAll();
});

const WRONG = { kind: 'tcp', host: 'not a name', port: 1 };

/** A request that is none, and the answer. */
async function breaks(from) {
  const socket = await RawWebSocket.connect(server.port, { from });
  socket.socket.write('no request\r\n\r\n');
  await socket.until((inbox) => inbox.includes('400 ') || null, 'a 400');
  socket.destroy();
}

test('a page that opens wrong targets in a loop loses its session and fills no log', async () => {
  const client = await SessionClient.connects(server, '.httpsocket/connect');
  const streams = new Streams(client);
  streams.kept = client.welcome.streamWindow;
  const over = client.closed.then(() => 'over');
  let last;
  for (let i = 0; i < 1000 && last !== 'over'; i++)
    last = await Promise.race([streams.open(WRONG).closed, over]);
  assert.equal(last, 'over');
  await client.isClosed(4429, 'rate-limited retry=10');
  const logged = server.lines(/tcp\.closed/).length;
  assert.ok(logged >= 50 && logged < 150, `${logged} lines`);
  const [, lines] = /event=tcp\.closed lines=(\d+)/.exec(await server.logged(/log\.left_out/));
  assert.ok((await server.metric('log_left_out_total')) >= Number(lines));
});

test('a client that floods the log hides no line of another', async () => {
  for (let i = 0; i < 120; i++) await breaks('127.0.0.2');
  await breaks('127.0.0.3');
  await server.logged(/http\.refused address=127\.0\.0\.3:/);
  assert.ok(server.lines(/http\.refused address=127\.0\.0\.2:/).length < 110);
});
