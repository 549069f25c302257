// SPDX-License-Identifier: MIT
// Files of the real server: which are found, how they are sent, and what is never served.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RawHttp, request } from '../lib/http-raw.mjs';
import { makeRoot, resources, startServer } from '../lib/server.mjs';

let files, outside, server;
const large = crypto.randomBytes(24 << 20);
const sha = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const get = (file, headers) => request(server.port, 'GET', file, headers);

before(async () => {
  files = makeRoot({
    'index.html': '<h1>home</h1>\n',
    'digits.txt': '0123456789',
    'sub/index.html': 'sub\n',
    'empty/file.txt': '',
    '.env': 'SECRET',
    '.git/config': 'SECRET',
    '.well-known/security.txt': 'Contact: us\n',
    'source.py': '#!/usr/bin/python3\nSECRET\n',
    'hello.py': {
      text: '#!/usr/bin/python3\nimport os\nprint("Content-Type: text/plain\\n\\n" + os.environ.get("PATH_INFO", ""), end="")\n',
      mode: 0o755,
    },
    'module.mjs': 'export {}\n',
  });
  outside = makeRoot({ 'secret.txt': 'SECRET' });
  fs.writeFileSync(path.join(files.root, 'large.bin'), large);
  fs.symlinkSync(path.join(outside.root, 'secret.txt'), path.join(files.root, 'absolute.txt'));
  fs.symlinkSync(
    `../${path.basename(outside.root)}/secret.txt`,
    path.join(files.root, 'relative.txt'),
  );
  fs.symlinkSync('..', path.join(files.root, 'up'));
  fs.symlinkSync('digits.txt', path.join(files.root, 'inner.txt'));
  execFileSync('mkfifo', [path.join(files.root, 'pipe')]);
  server = await startServer({ root: files.root, args: ['--write-timeout', '1s'] });
});

after(async () => {
  const { code } = await server.stop();
  files.remove();
  outside.remove();
  assert.equal(code, 0);
});

test('what must not be served is not there', async () => {
  const paths = [
    '/.env',
    '/.git/config',
    '/.git/',
    '/%2eenv',
    '/%2e%67it/config',
    '/absolute.txt',
    '/relative.txt',
    '/up/',
    `/up/${path.basename(outside.root)}/secret.txt`,
    '/pipe',
    '/digits.txt/',
    '/digits.txt/x',
    '/missing',
    '/empty/',
  ];
  for (const name of paths) {
    const answer = await get(name);
    assert.equal(answer.status, 404, name);
    assert.doesNotMatch(answer.body.toString(), /SECRET/);
  }
});

test('the source of a program without its run bit is refused', async () => {
  for (const name of ['/source.py', '/source']) {
    const answer = await get(name);
    assert.equal(answer.status, 403);
    assert.doesNotMatch(answer.body.toString(), /SECRET/);
  }
});

test('files, folders, programs and links are found as documented', async () => {
  assert.equal((await get('/')).body.toString(), '<h1>home</h1>\n');
  assert.equal((await get('/sub/')).body.toString(), 'sub\n');
  assert.equal((await get('/inner.txt')).body.toString(), '0123456789');
  assert.equal((await get('/./sub/../digits.txt')).body.toString(), '0123456789');
  assert.equal((await get('/.well-known/security.txt')).body.toString(), 'Contact: us\n');
  assert.equal((await get('/hello/a/b')).body.toString(), '/a/b');
  assert.equal((await get('/hello.py')).status, 200);
  const moved = await get('/sub?x=1');
  assert.equal(moved.status, 301);
  const resolved = (from, { headers }) =>
    new URL(headers.location, `http://127.0.0.1:${server.port}${from}`).href;
  assert.equal(resolved('/sub?x=1', moved), `http://127.0.0.1:${server.port}/sub/?x=1`);
  const evil = await get('//evil.example/../sub');
  assert.equal(new URL(resolved('//evil.example/../sub', evil)).hostname, '127.0.0.1');
  assert.equal(evil.headers.location, './sub/');
});

test('a file says what it is', async () => {
  const answer = await get('/module.mjs');
  assert.equal(answer.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  assert.equal(answer.headers['accept-ranges'], 'bytes');
  assert.match(answer.headers.etag, /^"[0-9a-f-]+"$/);
  assert.equal(new Date(answer.headers['last-modified']).getTime() % 1000, 0);
  assert.ok(Math.abs(new Date(answer.headers.date) - Date.now()) < 5000);
});

test('what a client has is not sent again', async () => {
  const { headers } = await get('/digits.txt');
  for (const condition of [
    { 'If-None-Match': headers.etag },
    { 'If-None-Match': `W/${headers.etag}` },
    { 'If-Modified-Since': headers['last-modified'] },
  ]) {
    const answer = await get('/digits.txt', condition);
    assert.equal(answer.status, 304);
    assert.equal(answer.headers.etag, headers.etag);
  }
  assert.equal(
    (
      await get('/digits.txt', {
        'If-None-Match': '"other"',
        'If-Modified-Since': headers['last-modified'],
      })
    ).status,
    200,
  );
  assert.equal((await get('/digits.txt', { 'If-Match': '"other"' })).status, 412);
  assert.equal(
    (await get('/digits.txt', { 'If-Unmodified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).status,
    412,
  );
});

test('ranges: one, several, none that fits, one that is out of date', async () => {
  const one = await get('/digits.txt', { Range: 'bytes=2-4' });
  assert.equal(one.status, 206);
  assert.equal(one.headers['content-range'], 'bytes 2-4/10');
  assert.equal(one.body.toString(), '234');
  const none = await get('/digits.txt', { Range: 'bytes=10-' });
  assert.equal(none.status, 416);
  assert.equal(none.headers['content-range'], 'bytes */10');
  const several = await get('/large.bin', { Range: 'bytes=0-9,1000000-1999999,-10' });
  assert.equal(several.status, 206);
  const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(
    several.headers['content-type'],
  )[1];
  const parts = several.body.toString('latin1').split(`\r\n--${boundary}`);
  assert.equal(parts.length, 5);
  assert.equal(parts[4], '--\r\n');
  const expected = [
    [0, 10],
    [1000000, 2000000],
    [large.length - 10, large.length],
  ];
  for (const [i, [from, to]] of expected.entries()) {
    const [head, ...body] = parts[i + 1].split('\r\n\r\n');
    assert.match(head, new RegExp(`Content-Range: bytes ${from}-${to - 1}/${large.length}$`));
    assert.equal(sha(Buffer.from(body.join('\r\n\r\n'), 'latin1')), sha(large.subarray(from, to)));
  }
  const stale = await get('/digits.txt', { Range: 'bytes=2-4', 'If-Range': '"old"' });
  assert.equal(stale.status, 200);
  assert.equal(
    (await get('/digits.txt', { Range: 'bytes=2-4', 'If-Range': stale.headers.etag })).status,
    206,
  );
});

test('a large file arrives as it is, to several at once', async () => {
  const answers = await Promise.all(Array.from({ length: 4 }, () => get('/large.bin')));
  for (const answer of answers) assert.equal(sha(answer.body), sha(large));
});

test('a client that pauses for less than the time-out gets everything', async () => {
  const client = await RawHttp.connect(server.port);
  await client.send(`GET /large.bin HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
  for (let i = 0; i < 4; i++) {
    client.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 600)); // the pause is what is tested
    client.socket.resume();
    await new Promise((resolve) => client.socket.once('data', resolve));
  }
  assert.equal(sha((await client.answer()).body), sha(large));
  client.destroy();
});

test('a client that reads nothing is given up, and its file closed', async () => {
  const before = resources(server.pid).descriptors;
  const client = await RawHttp.connect(server.port);
  client.socket.pause();
  await client.send(`GET /large.bin HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
  while (resources(server.pid).descriptors < before + 2) await get('/digits.txt');
  while (resources(server.pid).descriptors > before) await get('/digits.txt');
  client.socket.resume();
  const answer = await client.answer();
  assert.equal(answer.whole, false);
  client.destroy();
});

test('downloads that are broken off leave nothing open', async () => {
  const before = resources(server.pid).descriptors;
  for (let i = 0; i < 100; i++) {
    const client = await RawHttp.connect(server.port);
    await client.send(`GET /large.bin HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
    await new Promise((resolve) => client.socket.once('data', resolve));
    i % 2 ? client.socket.resetAndDestroy() : client.destroy();
    await client.closed;
  }
  while (resources(server.pid).descriptors > before) await get('/digits.txt');
});

test('a file that is cut while it is sent: the client sees that it is not whole', async () => {
  const name = path.join(files.root, 'shrinks.bin');
  fs.writeFileSync(name, large);
  const client = await RawHttp.connect(server.port);
  client.socket.pause();
  await client.send(
    `GET /shrinks.bin HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\nGET /digits.txt HTTP/1.1\r\nHost: a\r\n\r\n`,
  );
  client.socket.resume();
  await new Promise((resolve) => client.socket.once('data', resolve));
  client.socket.pause();
  fs.truncateSync(name, 1000);
  client.socket.resume();
  const answer = await client.answer();
  assert.equal(answer.whole, false);
  // What was in the kernel's hands when it was cut may be zeros: sendfile copies nothing.
  assert.ok(answer.body.length < large.length);
  assert.equal((await client.rest()).length, 0);
});

test('SIGTERM lets a running download finish', async () => {
  const own = await startServer({ root: files.root });
  const client = await RawHttp.connect(own.port);
  const idle = await RawHttp.connect(own.port);
  client.socket.pause();
  await client.send(`GET /large.bin HTTP/1.1\r\nHost: 127.0.0.1:${own.port}\r\n\r\n`);
  client.socket.resume();
  await new Promise((resolve) => client.socket.once('data', resolve));
  client.socket.pause();
  const stopped = own.stop();
  assert.equal((await idle.rest()).length, 0);
  client.socket.resume();
  const answer = await client.answer();
  assert.equal(sha(answer.body), sha(large));
  idle.destroy();
  client.destroy();
  assert.equal((await stopped).code, 0);
});
