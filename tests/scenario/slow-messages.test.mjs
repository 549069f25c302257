// SPDX-License-Identifier: MIT
// slow-messages.test.mjs - clients that begin a WebSocket message, and let it trickle.
import assert from 'node:assert/strict';
import { startServer, stopAll } from '../lib/server.mjs';
import { newKey } from '../lib/session-client.mjs';
import { after, before, test } from '../lib/test.mjs';
import { frame, handshake, OP, RawWebSocket, readHead } from '../lib/ws-raw.mjs';

let server;
before(async () => {
  server = await startServer({
    args: ['--body-timeout', '1s', '--admin', '127.0.0.1:0', '--rate-client', 'off'],
  });
});
after(async () => {
  await server.ends();
  await stopAll();
});

/** A WebSocket to `where`, as a session or in the plain form. */
async function opens(where, form) {
  const raw = await RawWebSocket.connect(server.port);
  const offer = form === 'session' && `httpsocket.v1, key.${newKey()}`;
  const headers = { Origin: server.url, ...(offer && { 'Sec-WebSocket-Protocol': offer }) };
  raw.socket.write(
    handshake({ Host: `127.0.0.1:${server.port}`, ...headers }, { line: `GET /${where} HTTP/1.1` }),
  );
  assert.equal((await readHead(raw)).status, 101);
  return raw;
}

/** Sends this, then that ten times a second: the code and the reason of the close frame. */
async function isClosed(raw, first, again) {
  raw.socket.write(first);
  const often = again && setInterval(() => raw.socket.write(again), 100);
  for (let got; ;) {
    got = await raw.next();
    if (got.op !== OP.CLOSE) continue;
    clearInterval(often);
    raw.destroy();
    return `${got.payload.readUInt16BE(0)} ${got.payload.subarray(2)}`;
  }
}

const begun = frame(OP.BINARY, 'photo\nx', { length: 4_000_000 });
const openFrame = Buffer.concat([Buffer.from([3, 0, 0, 0, 1]), Buffer.from('x')]);

for (const form of ['session', 'plain'])
  for (const [what, first, again] of [
    ['a message', begun, 'x'],
    [
      'fragments without bytes',
      frame(OP.TEXT, 'a', { fin: false }),
      frame(OP.CONTINUATION, '', { fin: false }),
    ],
    ['a message between pings', begun.subarray(0, 20), null],
    ['half a header', begun.subarray(0, 3), null],
    ['a frame of a stream', frame(OP.BINARY, openFrame, { length: 60_000 }), 'x'],
  ])
    test(`${what} that trickles is closed: ${form}`, async () => {
      const before = await server.metric('websocket_slow_peers_total');
      const raw = await opens('talk', form);
      assert.equal(await isClosed(raw, first, again), '1008 too-slow');
      assert.ok((await server.metric('websocket_slow_peers_total')) > before);
    });

test('a message that comes just above the least rate has to be whole in its time', async () => {
  const patient = server;
  server = await startServer({
    args: ['--message-timeout', '2s', '--admin', '127.0.0.1:0', '--rate-client', 'off'],
  });
  const raw = await opens('talk', 'session');
  assert.equal(await isClosed(raw, begun, Buffer.alloc(4096)), '1008 too-slow');
  await server.hasMetric('websocket_slow_peers_total', 1);
  await server.ends();
  server = patient;
});

test('where no messages are wanted a large one is refused when it begins', async () => {
  const raw = await opens('.httpsocket/connect', 'session');
  assert.equal(await isClosed(raw, begun), '1009 more than maxMessage');
  const other = await opens('.httpsocket/connect', 'session');
  const small = frame(OP.BINARY, openFrame, { length: 60_000 });
  assert.equal(await isClosed(other, small, 'x'), '1008 too-slow');
});
