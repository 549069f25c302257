// SPDX-License-Identifier: MIT
// plain.test.mjs - the plain form (docs/protocol.md, section 8): WebSocket clients that have never
// heard of us.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { openPlain } from '../lib/plain-client.mjs';
import { REPO, startServer, stopAll } from '../lib/server.mjs';
import { after, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';
import { frame, handshake, OP, RawWebSocket, readHead } from '../lib/ws-raw.mjs';

let server;
before(async () => {
  const args = '--eof-grace 300ms --term-grace 300ms --message-max 1M'.split(' ');
  server = await startServer({ args });
});
after(async () => (await server.ends(), stopAll()));

const open = (protocols, options) => openPlain(server.at('plain'), protocols, options);

test("Python websockets: text, bytes, fragments, the program's events, its end, a foreign Origin", async () => {
  const { stdout } = await promisify(execFile)(
    '/usr/bin/python3',
    [path.join(REPO, 'tests/lib/plain_client.py'), server.at('plain').replace('http', 'ws')],
    { timeout: 50000 },
  );
  assert.deepEqual(JSON.parse(stdout), {
    subprotocol: null,
    texts: true,
    bytes: true,
    fragments: 'a fragmented message',
    numbers: '[1,2]',
    exit: [1000, 'program-exit'],
    fail: [4500, 'program-failed status=1'],
    foreign: [403, 'no-record'],
  });
});

test('npm ws: a thousand messages of both kinds, mixed, come back in order and as what they were', async () => {
  const ws = await open();
  const sent = Array.from({ length: 1000 }, (_, i) =>
    i % 3 ? { text: `${i} "\\\n\u2028 😀` } : { bytes: Buffer.alloc(i, i) },
  );
  for (const { text, bytes } of sent) ws.send(text ?? bytes);
  for (const [i, message] of sent.entries()) assert.deepEqual(await ws.next(), message, String(i));
  await ws.closes();
});

test('each connection has a program of its own, which ends with it', async () => {
  await server.hasChildren(0);
  const clients = await Promise.all([open(), open(), open()]);
  const answers = await Promise.all(clients.map((ws, i) => ws.asks(`mine ${i}`)));
  assert.deepEqual(answers, ['mine 0', 'mine 1', 'mine 2']);
  await server.hasChildren(3);
  clients[0].close();
  clients[1].terminate();
  await server.hasChildren(1);
  assert.equal(await clients[2].asks('still there'), 'still there');
  clients[2].close(4321, 'bye');
  assert.equal((await clients[2].closed).code, 4321);
  await server.hasChildren(0);
});

test('an event of another name is an error in the log, and the client goes on', async () => {
  const ws = await open();
  ws.send('other');
  await server.logged(/program\.plain_form .*line=other/);
  ws.send('on');
  assert.deepEqual(await ws.next(), { text: 'on' });
  await ws.closes();
});

test('its own Origin is welcome; another one is refused with 403, and starts no program', async () => {
  const ws = await open([], { origin: server.url });
  await ws.closes();
  const started = server.lines(/program\.started/).length;
  for (const [origin, token] of [
    ['http://evil.example', 'no-record'],
    ['null', 'origin-opaque'],
    ['nonsense', 'origin-opaque'],
  ]) {
    const { status, headers } = await visitor.connects(server.at('plain'), {
      origin,
    });
    assert.deepEqual([status, headers['script-access-reason']], [403, token], origin);
  }
  assert.equal(server.lines(/program\.started/).length, started);
});

test('subprotocols of others are not agreed on, and no hindrance', async () => {
  const socket = await RawWebSocket.connect(server.port);
  socket.socket.write(
    handshake(
      {
        Host: `127.0.0.1:${server.port}`,
        'Sec-WebSocket-Protocol': 'chat, superchat',
      },
      { line: 'GET /plain HTTP/1.1' },
    ),
  );
  const { status, headers } = await readHead(socket);
  assert.equal(status, 101);
  assert.ok(!('sec-websocket-protocol' in headers));
  await socket.send(frame(OP.TEXT, 'hello'));
  assert.equal((await socket.next()).payload.toString(), 'hello');
  socket.destroy();
});

test('a message above message-max is 1009', async () => {
  const ws = await open();
  ws.on('error', () => {});
  ws.send('x'.repeat((1 << 20) + 1));
  assert.equal((await ws.closed).code, 1009);
});

for (const [what, message] of [
  ['of a thousand thousand letters', { text: 'x'.repeat(1 << 20) }],
  ['that JSON writes twice as long', { text: '"'.repeat(600_000) }],
  ['that JSON writes six times as long', { text: '\u0001'.repeat(1 << 20) }],
  ['of as many bytes', { bytes: Buffer.alloc(1 << 20, 0xff) }],
])
  test(`what is let in can be sent back by the program: a message ${what}`, async () => {
    const ws = await open();
    ws.send(message.text ?? message.bytes);
    assert.deepEqual(await ws.next(), message);
    await ws.closes();
  });

test('a text in fragments that becomes long by its escapes comes whole', async () => {
  const ws = await open();
  const text = '"\\'.repeat(30_000);
  ws.send(text.slice(0, 20_000), { fin: false });
  ws.send(text.slice(20_000));
  assert.equal((await ws.next()).text, text);
  await ws.closes();
});

test('a program may say no more than message-max to a plain client, without the escapes', async () => {
  const ws = await open();
  ws.send('much');
  await ws.isClosed(4500, 'program-failed reason=protocol');
  await server.logged(/program\.protocol_error .*too long/);
});

test('is no page: a program that wants to listen to it has failed', async () => {
  const ws = await open();
  ws.send('listen');
  await ws.isClosed(4500, 'program-failed reason=protocol');
  await server.logged(/error program.protocol_error .*command=listen .*plain form/);
});

test('where there is no program: 404', async () => {
  const { status, headers } = await visitor.connects(server.at('nothing'), {
    origin: '',
  });
  assert.deepEqual([status, headers['script-access-reason']], [404, 'no-program']);
});

test('a client that reads nothing makes its program wait, and gets everything in the end', async () => {
  const ws = await open();
  const piece = 'y'.repeat(100_000);
  const COUNT = 300;
  ws.pause();
  for (let i = 0; i < COUNT; i++) ws.send(`${i} ${piece}`);
  await until(() => ws.bufferedAmount < COUNT * piece.length - (1 << 20)); // some of it has gone in
  ws.resume();
  for (let i = 0; i < COUNT; i++) assert.equal((await ws.next()).text, `${i} ${piece}`);
  await ws.closes();
});
