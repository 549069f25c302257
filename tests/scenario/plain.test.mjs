// SPDX-License-Identifier: MIT
// plain.test.mjs - the plain form (docs/protocol.md, section 8): WebSocket clients that have never heard of us.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, test as testOf } from 'node:test';
import { promisify } from 'node:util';
import { visitor } from '../lib/visitor.mjs';
import { openPlain } from '../lib/plain-client.mjs';
import { REPO, resources, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
import { frame, handshake, OP, RawWebSocket, readHead } from '../lib/ws-raw.mjs';

const test = (name, run) => testOf(name, { timeout: 60000 }, run);

let server;
let url;
before(async () => {
  server = await startServer({
    root: path.join(REPO, 'tests/scenario/programs'),
    args: ['--eof-grace', '300ms', '--term-grace', '300ms', '--message-max', '1M'],
  });
  url = `${server.url.replace('http', 'ws')}/plain`;
});
after(async () =>
  assert.deepEqual(
    await server.stop(),
    { code: 0, signal: null },
    server.log.slice(-20).join('\n'),
  ),
);

const open = (protocols, options) => openPlain(url, protocols, options);

test("Python websockets: text, bytes, fragments, the program's events, its end, a foreign Origin", async () => {
  const { stdout } = await promisify(execFile)(
    '/usr/bin/python3',
    [path.join(REPO, 'tests/lib/plain_client.py'), url],
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
  ws.close();
  await ws.closed;
});

test('each connection has a program of its own, which ends with it', async () => {
  await until(() => resources(server.pid).children.length === 0);
  const clients = await Promise.all([open(), open(), open()]);
  await Promise.all(
    clients.map(async (ws, i) => {
      ws.send(`mine ${i}`);
      assert.deepEqual(await ws.next(), { text: `mine ${i}` });
    }),
  );
  assert.equal(resources(server.pid).children.length, 3);
  clients[0].close();
  clients[1].terminate();
  await until(() => resources(server.pid).children.length === 1);
  clients[2].send('still there');
  assert.deepEqual(await clients[2].next(), { text: 'still there' });
  clients[2].close(4321, 'bye');
  assert.equal((await clients[2].closed).code, 4321);
  await until(() => resources(server.pid).children.length === 0);
});

test('an event of another name is an error in the log, and the client goes on', async () => {
  const ws = await open();
  ws.send('other');
  await server.logged(/program\.plain_form .*line=other/);
  ws.send('on');
  assert.deepEqual(await ws.next(), { text: 'on' });
  ws.close();
  await ws.closed;
});

test('its own Origin is welcome; another one is refused with 403, and starts no program', async () => {
  const ws = await open([], { origin: server.url });
  ws.close();
  await ws.closed;
  const started = () => server.log.filter((line) => line.includes('program.started')).length;
  const before = started();
  for (const [origin, token] of [
    ['http://evil.example', 'no-record'],
    ['null', 'origin-opaque'],
    ['nonsense', 'origin-opaque'],
  ]) {
    const { status, headers } = await visitor.connects(`${server.url}/plain`, { origin });
    assert.deepEqual(
      { status, reason: headers['script-access-reason'] },
      { status: 403, reason: token },
      origin,
    );
  }
  assert.equal(started(), before);
});

test('subprotocols of others are not agreed on, and no hindrance', async () => {
  const socket = await RawWebSocket.connect(server.port);
  socket.socket.write(
    handshake(
      { Host: `127.0.0.1:${server.port}`, 'Sec-WebSocket-Protocol': 'chat, superchat' },
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

test('is no page: a program that wants to listen to it has failed', async () => {
  const ws = await open();
  ws.send('listen');
  assert.deepEqual(await ws.closed, { code: 4500, reason: 'program-failed reason=protocol' });
  await server.logged(/error program.protocol_error .*command=listen .*plain form/);
});

test('where there is no program: 404', async () => {
  const { status, headers } = await visitor.connects(`${server.url}/nothing`, { origin: '' });
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
  ws.close();
  await ws.closed;
});
