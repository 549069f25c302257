// SPDX-License-Identifier: MIT
// HTTP/1.1 connections of the real server: what is refused, what is kept, what times out.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RawHttp, request } from '../lib/http-raw.mjs';
import { makeRoot, resources, startServer } from '../lib/server.mjs';

let files, server, host;

before(async () => {
  files = makeRoot({
    'index.html': '<h1>home</h1>\n',
    'a.txt': 'file a\n',
    'b.txt': 'file b\n',
    'echo.sh': {
      text: '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nexec cat\n',
      mode: 0o755,
    },
    'slurp.sh': {
      text: '#!/bin/sh\nbody=$(cat)\nprintf "Content-Type: text/plain\\r\\n\\r\\n%s" "$body"\n',
      mode: 0o755,
    },
  });
  const args = [
    '--head-timeout',
    '300ms',
    '--body-timeout',
    '300ms',
    '--idle-timeout',
    '600ms',
    '--body-max',
    '1M',
  ];
  server = await startServer({ root: files.root, args });
  host = `Host: 127.0.0.1:${server.port}\r\n`;
});

after(async () => {
  const { code } = await server.stop();
  files.remove();
  assert.equal(code, 0);
});

const get = (path, fields = '') => `GET ${path} HTTP/1.1\r\n${host}${fields}\r\n`;

// Each of these makes two servers disagree about where a request ends, or would if it were taken.
const smuggling = {
  'both lengths': (h) =>
    `POST / HTTP/1.1\r\n${h}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'two equal lengths': (h) =>
    `POST / HTTP/1.1\r\n${h}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`,
  'two lengths': (h) => `POST / HTTP/1.1\r\n${h}Content-Length: 0\r\nContent-Length: 7\r\n\r\n`,
  'a list of lengths': (h) => `POST / HTTP/1.1\r\n${h}Content-Length: 0, 0\r\n\r\n`,
  'a signed length': (h) => `POST / HTTP/1.1\r\n${h}Content-Length: +0\r\n\r\n`,
  'a hexadecimal length': (h) => `POST / HTTP/1.1\r\n${h}Content-Length: 0x0\r\n\r\n`,
  'an empty length': (h) => `POST / HTTP/1.1\r\n${h}Content-Length: \r\n\r\n`,
  'a length that overflows': (h) =>
    `POST / HTTP/1.1\r\n${h}Content-Length: 18446744073709551616\r\n\r\n`,
  'chunked twice': (h) =>
    `POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'chunked not last': (h) =>
    `POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
  'an obfuscated coding': (h) =>
    `POST / HTTP/1.1\r\n${h}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'a coding with a vertical tab': (h) =>
    `POST / HTTP/1.1\r\n${h}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'chunked in HTTP/1.0': (h) =>
    `POST / HTTP/1.0\r\n${h}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a space before the colon': (h) => `POST / HTTP/1.1\r\n${h}Content-Length : 0\r\n\r\n`,
  'a folded line': (h) => `GET / HTTP/1.1\r\n${h}X: a\r\n b\r\n\r\n`,
  'a folded first line': (h) => `GET / HTTP/1.1\r\n ${h}\r\n`,
  'a bare LF': (h) => `GET / HTTP/1.1\n${h}\r\n`,
  'a bare LF between headers': (h) => `GET / HTTP/1.1\r\n${h}X: a\nY: b\r\n\r\n`,
  'a bare LF at the end': (h) => `GET / HTTP/1.1\r\n${h}\n`,
  'a bare CR in a value': (h) => `GET / HTTP/1.1\r\n${h}X: a\rY: b\r\n\r\n`,
  'NUL in a value': (h) => `GET / HTTP/1.1\r\n${h}X: a\0b\r\n\r\n`,
  'a header without a name': (h) => `GET / HTTP/1.1\r\n${h}: x\r\n\r\n`,
  'no Host': () => 'GET / HTTP/1.1\r\n\r\n',
  'two Hosts': (h) => `GET / HTTP/1.1\r\n${h}${h}\r\n`,
  'a Host with a path': () => 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n',
  'a Host with a user': () => 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n',
  'two spaces': (h) => `GET  / HTTP/1.1\r\n${h}\r\n`,
  'a tab for a space': (h) => `GET\t/ HTTP/1.1\r\n${h}\r\n`,
  'a space in the target': (h) => `GET /a b HTTP/1.1\r\n${h}\r\n`,
  'a fragment in the target': (h) => `GET /a#b HTTP/1.1\r\n${h}\r\n`,
  'HTTP/0.9': () => 'GET /\r\n',
  'lower-case http': (h) => `GET / http/1.1\r\n${h}\r\n`,
  'a slash that is hidden': (h) => `GET /a%2fb HTTP/1.1\r\n${h}\r\n`,
  'above the root': (h) => `GET /../../etc/passwd HTTP/1.1\r\n${h}\r\n`,
  'above the root, encoded': (h) => `GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n${h}\r\n`,
  'a backslash': (h) => `GET /..\\..\\etc HTTP/1.1\r\n${h}\r\n`,
  'an encoded NUL': (h) => `GET /a.txt%00.html HTTP/1.1\r\n${h}\r\n`,
  'a bad escape': (h) => `GET /%g0 HTTP/1.1\r\n${h}\r\n`,
};

for (const [name, make] of Object.entries(smuggling)) {
  test(`${name}: 400, the connection ends, what is behind it is never answered`, async () => {
    const client = await RawHttp.connect(server.port);
    const answer = await client.ask(make(host) + get('/b.txt'));
    assert.equal(answer.status, 400);
    assert.equal(answer.headers.connection, 'close');
    assert.match(answer.body.toString(), /^[ -~]{7,}\n$/);
    assert.equal((await client.rest()).length, 0);
    client.destroy();
  });
}

// The answer may be there before the fault: then the connection ends without another one.
const brokenChunks = {
  'no size': 'x\r\n\r\n',
  'a size with a sign': '+3\r\nabc\r\n0\r\n\r\n',
  'a size with 0x': '0x3\r\nabc\r\n0\r\n\r\n',
  'a size that overflows': 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n',
  'space after the size': '3 \r\nabc\r\n0\r\n\r\n',
  'a bare LF after the size': '3\nabc\r\n0\r\n\r\n',
  'more data than the size': '3\r\nabcd\r\n0\r\n\r\n',
  'a bare CR after the data': '3\r\nabc\r0\r\n\r\n',
};

for (const [name, chunks] of Object.entries(brokenChunks)) {
  test(`a chunked body with ${name}: nothing behind it is answered`, async () => {
    const client = await RawHttp.connect(server.port);
    await client.send(
      `POST /echo HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunks}${get('/b.txt')}`,
    );
    const all = (await client.rest()).toString();
    assert.doesNotMatch(all, /file b/);
    client.destroy();
  });
}

test('other refusals have their own status', async () => {
  for (const [bytes, status] of [
    [`GET / HTTP/2.0\r\n${host}\r\n`, 505],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    [`FROB / HTTP/1.1\r\n${host}\r\n`, 501],
    [`CONNECT 127.0.0.1:80 HTTP/1.1\r\n${host}\r\n`, 501],
    [`TRACE / HTTP/1.1\r\n${host}\r\n`, 405],
    [`POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
    [`POST / HTTP/1.1\r\n${host}Content-Length: 1048577\r\n\r\n`, 413],
    [`POST / HTTP/1.1\r\n${host}Expect: something\r\nContent-Length: 1\r\n\r\n`, 417],
    [`GET /${'x'.repeat(20000)} HTTP/1.1\r\n${host}\r\n`, 414],
    [`GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(20000)}\r\n\r\n`, 431],
    [`GET / HTTP/1.1\r\n${host}${'X: y\r\n'.repeat(200)}\r\n`, 431],
    [`GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n`, 421],
  ]) {
    const client = await RawHttp.connect(server.port);
    const answer = await client.ask(bytes);
    assert.equal(answer.status, status, bytes.slice(0, 60));
    client.destroy();
  }
});

test('a head of ten thousand bytes is fine', async () => {
  const answer = await request(server.port, 'GET', '/a.txt', { 'X-Long': 'x'.repeat(10000) });
  assert.equal(answer.status, 200);
});

test('pipelined requests in one packet are answered in order', async () => {
  const client = await RawHttp.connect(server.port);
  const paths = Array.from({ length: 50 }, (_, i) => (i % 2 ? '/a.txt' : '/b.txt'));
  await client.send(paths.map((path) => get(path)).join(''));
  for (const path of paths) {
    const answer = await client.answer();
    assert.equal(answer.body.toString(), `file ${path[1]}\n`);
  }
  client.destroy();
});

test('requests that come byte by byte are answered all the same', async () => {
  const client = await RawHttp.connect(server.port);
  for (const byte of get('/a.txt') + get('/b.txt')) await client.send(byte);
  assert.equal((await client.answer()).body.toString(), 'file a\n');
  assert.equal((await client.answer()).body.toString(), 'file b\n');
  client.destroy();
});

test('a program between two files: the answers keep their order', async () => {
  const client = await RawHttp.connect(server.port);
  await client.send(
    get('/a.txt') +
      `POST /echo HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n` +
      get('/b.txt'),
  );
  assert.equal((await client.answer()).body.toString(), 'file a\n');
  assert.equal((await client.answer()).body.toString(), 'one two');
  assert.equal((await client.answer()).body.toString(), 'file b\n');
  client.destroy();
});

test('HEAD and OPTIONS leave the connection in step', async () => {
  const client = await RawHttp.connect(server.port);
  const head = await client.ask(`HEAD /a.txt HTTP/1.1\r\n${host}\r\n`, { head: true });
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-length'], '7');
  const star = await client.ask(`OPTIONS * HTTP/1.1\r\n${host}\r\n`);
  assert.equal(star.status, 204);
  assert.match(star.headers.allow, /GET/);
  assert.equal(
    (await client.ask(`OPTIONS /a.txt HTTP/1.1\r\n${host}\r\n`)).headers.allow,
    'GET, HEAD, OPTIONS',
  );
  assert.equal(
    (await client.ask(`PUT /a.txt HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`)).status,
    405,
  );
  assert.equal((await client.ask(get('/b.txt'))).body.toString(), 'file b\n');
  client.destroy();
});

test('a client that ends its side gets the answers of all that it has asked', async () => {
  const client = await RawHttp.connect(server.port);
  const paths = ['/echo.sh', '/slurp.sh', '/a.txt'];
  await client.send(paths.map((path) => get(path)).join(''));
  client.end();
  for (const path of paths) assert.equal((await client.answer()).status, 200, path);
  await client.closed;
});

test('a client that waits for 100 Continue gets it, and sends its body', async () => {
  const client = await RawHttp.connect(server.port);
  const go = await client.ask(
    `POST /echo HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  );
  assert.equal(go.status, 100);
  assert.equal((await client.ask('hello')).body.toString(), 'hello');
  client.destroy();
});

test('a body of a megabyte goes through a program', async () => {
  const body = 'x'.repeat(1 << 20);
  const answer = await request(
    server.port,
    'POST',
    '/echo',
    { 'Content-Length': body.length },
    body,
  );
  assert.equal(answer.body.toString(), body);
});

test('a chunked body that grows too large is refused', async () => {
  const client = await RawHttp.connect(server.port);
  await client.send(`POST /a.txt HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${'x'.repeat(65536)}\r\n`;
  for (let i = 0; i < 20 && !client.ended; i++) await client.send(chunk);
  const all = (await client.rest()).toString();
  assert.match(all, /^HTTP\/1\.1 (413|405) /); // a file answers before the body has come
  assert.equal(all.match(/HTTP\/1\.1/g).length, 1);
  client.destroy();
});

test('a slow head gets 408', async () => {
  const client = await RawHttp.connect(server.port);
  await client.send('GET / HTTP/1.1\r\nHo');
  assert.equal((await client.answer()).status, 408);
  assert.equal((await client.rest()).length, 0);
  client.destroy();
});

test('a head that trickles in gets 408 too: a byte now and then buys no time', async () => {
  const client = await RawHttp.connect(server.port);
  const trickle = setInterval(() => client.send('x'), 50);
  await client.send('GET /');
  assert.equal((await client.answer()).status, 408);
  clearInterval(trickle);
  client.destroy();
});

test('a body that stops coming gets 408', async () => {
  const client = await RawHttp.connect(server.port);
  await client.send(`POST /slurp HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nabc`);
  const all = (await client.rest()).toString();
  assert.match(all, /^HTTP\/1\.1 408 /);
  client.destroy();
});

test('an idle connection is closed without a word', async () => {
  const client = await RawHttp.connect(server.port);
  await client.ask(get('/a.txt'));
  assert.equal((await client.rest()).length, 0);
  assert.equal(await client.closed, undefined);
});

test('one connection carries a thousand requests', async () => {
  const client = await RawHttp.connect(server.port);
  for (let i = 0; i < 1000; i++) assert.equal((await client.ask(get('/a.txt'))).status, 200);
  client.destroy();
});

test('HTTP/1.0 clients are answered and closed, or kept if they ask', async () => {
  const once = await RawHttp.connect(server.port);
  const answer = await once.ask(`GET /a.txt HTTP/1.0\r\n${host}\r\n`);
  assert.equal(answer.headers.connection, 'close');
  assert.equal((await once.rest()).length, 0);
  once.destroy();
  const kept = await RawHttp.connect(server.port);
  for (let i = 0; i < 2; i++)
    assert.equal(
      (await kept.ask(`GET /a.txt HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\n`)).headers
        .connection,
      'keep-alive',
    );
  kept.destroy();
});

test('a client that ends its side still gets its answer', async () => {
  const client = await RawHttp.connect(server.port);
  await client.send(get('/a.txt'));
  client.end();
  assert.equal((await client.answer()).body.toString(), 'file a\n');
  assert.equal((await client.rest()).length, 0);
});

test('500 clients that go in the middle of something leave nothing behind', async () => {
  const before = resources(server.pid);
  const beginnings = [
    '',
    'GE',
    get('/a.txt').slice(0, -2),
    `POST /a.txt HTTP/1.1\r\n${host}Content-Length: 99\r\n\r\nabc`,
  ];
  for (let round = 0; round < 5; round++) {
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => RawHttp.connect(server.port)),
    );
    await Promise.all(clients.map((client, i) => client.send(beginnings[i % 4])));
    for (const [i, client] of clients.entries())
      i % 3 ? client.socket.resetAndDestroy() : client.destroy();
    await Promise.all(clients.map((client) => client.closed));
  }
  // What lingers is over within its time-outs.
  while (resources(server.pid).descriptors > before.descriptors)
    await request(server.port, 'GET', '/a.txt');
});
