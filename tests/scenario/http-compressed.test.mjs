// SPDX-License-Identifier: MIT
// The server's own compressed copies of files: made beside the loop, kept in a bound, and right
// after each edit.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { RawHttp, request } from '../lib/http-raw.mjs';
import { program, startServer } from '../lib/server.mjs';
import { after, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { startUpgradable } from '../lib/upgrades.mjs';

const text = (word, times = 1000) => `${word} { color: teal }\n`.repeat(times);
/** Text of 3 MB whose copy has some 2 MB. */
const LARGE = crypto.randomBytes(2 << 20).toString('base64');
const DECODED = { br: brotliDecompressSync, gzip: gunzipSync, undefined: (bytes) => bytes };
const ADMIN = ['--admin', '127.0.0.1:0'];

let server;
const get = (file, headers = { 'Accept-Encoding': 'br' }, method = 'GET', to = server) =>
  request(to.port, method, file, headers);
const codingOf = (answer) => answer.headers['content-encoding'];
const textOf = (answer) => String(DECODED[codingOf(answer)](answer.body));
/** Asks until the answer is compressed. */
const compressed = (file, headers, method, to) =>
  until(
    async () => {
      const answer = await get(file, headers, method, to);
      return codingOf(answer) && answer;
    },
    () => `a copy of ${file}`,
  );
const put = (name, bytes) => fs.writeFileSync(path.join(server.root, name), bytes);

before(async () => {
  server = await startServer({
    files: {
      'a.css': text('a'),
      'b.css': text('b'),
      'small.css': 'a { color: red }',
      'noise.txt': { text: crypto.randomBytes(8192) },
      'picture.png': text('no picture'),
      'data.bin': text('data'),
      'large.js': LARGE,
      'edited.css': text('before'),
      'told.sh': program(
        `#!/bin/sh\nprintf 'Content-Type: text/html\\n\\n'\nyes secret | head -n 999\n`,
      ),
      ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`many-${i}.txt`, noise(i)])),
    },
    args: [...ADMIN, '--threads', '2', '--compressed-max', '4M'],
  });
});
after(() => server?.ends());

/** Text that hardly becomes smaller: copies of some 25 KB. */
function noise() {
  return crypto.randomBytes(24 << 10).toString('base64');
}

test('a file is sent as it is until there is a copy, which has a tag of its own', async () => {
  const first = await get('/a.css');
  assert.equal(codingOf(first), undefined);
  assert.match(first.headers.vary, /Accept-Encoding/);
  const tags = new Set([first.headers.etag]);
  for (const name of ['br', 'gzip']) {
    const wish = { 'Accept-Encoding': name };
    const answer = await compressed('/a.css', wish);
    assert.equal(codingOf(answer), name);
    assert.equal(textOf(answer), text('a'));
    assert.equal(answer.headers['content-type'], 'text/css; charset=utf-8');
    assert.match(answer.headers.vary, /Accept-Encoding/);
    tags.add(answer.headers.etag);
    const again = await get('/a.css', { ...wish, 'If-None-Match': answer.headers.etag });
    assert.equal(again.status, 304);
    const head = await get('/a.css', wish, 'HEAD');
    assert.equal(head.headers['content-length'], String(answer.body.length));
  }
  assert.equal(tags.size, 3);
});

test('a client whose best coding is being made gets no other one made for it', async () => {
  const wish = { 'Accept-Encoding': 'gzip, br' };
  assert.equal(codingOf(await compressed('/b.css', wish)), 'br');
  assert.equal(codingOf(await get('/b.css', { 'Accept-Encoding': 'gzip' })), undefined);
});

test('an edit is seen at once, and so is another file under the name', async () => {
  await compressed('/edited.css');
  put('edited.css', text('after.'));
  assert.equal(textOf(await get('/edited.css')), text('after.'));
  assert.equal(textOf(await compressed('/edited.css')), text('after.'));
  put('new.css', text('new'));
  fs.renameSync(path.join(server.root, 'new.css'), path.join(server.root, 'edited.css'));
  assert.equal(textOf(await get('/edited.css')), text('new'));
  fs.rmSync(path.join(server.root, 'edited.css'));
  assert.equal((await get('/edited.css')).status, 404);
});

test('of what is small, no text, or no smaller, there is no copy', async () => {
  await compressed('/a.css'); // the files are old enough
  const made = await server.metric('compressed_total');
  for (let i = 0; i < 3; i++)
    for (const name of ['small.css', 'picture.png', 'data.bin', 'noise.txt'])
      assert.equal(codingOf(await get(`/${name}`)), undefined, name);
  await get('/told');
  assert.equal(codingOf(await get('/told')), undefined);
  assert.equal(await server.metric('compressed_total'), made);
});

test('who resumes a download gets the bytes that it knows', async () => {
  const { headers, body } = await compressed('/a.css');
  const range = { 'Accept-Encoding': 'br', Range: 'bytes=2-9' };
  const plain = await get('/a.css', range);
  assert.equal(String(plain.body), text('a').slice(2, 10));
  const part = await get('/a.css', { ...range, 'If-Range': headers.etag });
  assert.equal(part.status, 206);
  assert.deepEqual(part.body, body.subarray(2, 10));
  assert.equal(codingOf(part), 'br');
});

test('a large copy arrives whole, at several that take it slowly', async () => {
  await compressed('/large.js', { 'Accept-Encoding': 'gzip' });
  const clients = await Promise.all(Array.from({ length: 4 }, () => RawHttp.connect(server.port)));
  const before = await server.metric('http_requests_total');
  const ask = `GET /large.js HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAccept-Encoding: gzip\r\n`;
  for (const client of clients) {
    client.socket.pause();
    await client.send(`${ask}Content-Length: 3\r\n\r\nabc`);
  }
  await until(async () => (await server.metric('http_requests_total')) === before + 4);
  clients.pop().destroy();
  put('large.js', LARGE.toLowerCase()); // what is under way stays what it is
  for (const client of clients) {
    client.socket.resume();
    const answer = await client.answer();
    assert.equal(codingOf(answer), 'gzip');
    assert.equal(textOf(answer), LARGE);
    client.destroy();
  }
});

test('copies keep to compressed-max, and those that were asked for longest ago go', async () => {
  const names = Array.from({ length: 40 }, (_, i) => `many-${i}.txt`);
  const other = await startServer({
    files: Object.fromEntries(names.map((name) => [name, noise()])),
    args: [...ADMIN, '--compressed-max', '256K'],
  });
  for (const name of names) await compressed(`/${name}`, undefined, 'GET', other);
  assert.equal(codingOf(await get('/many-39.txt', undefined, 'GET', other)), 'br');
  assert.equal(codingOf(await get('/many-0.txt', undefined, 'GET', other)), undefined);
  assert.ok((await other.metric('compressed_bytes')) <= 256 << 10);
  assert.ok((await other.metric('compressed_forgotten_total')) > 20);
  await other.ends();
});

test('compressed-max 0: nothing is compressed', async () => {
  const other = await startServer({
    files: { 'a.css': text('a') },
    args: [...ADMIN, '--compressed-max', '0'],
  });
  for (let i = 0; i < 3; i++)
    assert.equal(codingOf(await get('/a.css', undefined, 'GET', other)), undefined);
  assert.equal(await other.metric('compressed_bytes'), 0);
  await other.ends();
});

test('after a take-over in the midst of it a tag is still known, and copies are made anew', async () => {
  const upgraded = await startUpgradable({ root: server.root, args: ADMIN });
  const { headers } = await compressed('/a.css', undefined, 'GET', upgraded);
  for (let i = 0; i < 16; i++) await get(`/many-${i}.txt`, undefined, 'GET', upgraded);
  await upgraded.upgrades();
  const known = { 'Accept-Encoding': 'br', 'If-None-Match': headers.etag };
  assert.equal((await get('/a.css', known, 'GET', upgraded)).status, 304);
  assert.equal(textOf(await compressed('/a.css', undefined, 'GET', upgraded)), text('a'));
  await upgraded.ends();
});

test('a server that has much to compress ends at once', async () => {
  const other = await startServer({ files: { 'large.js': LARGE, 'a.css': text('a') } });
  await compressed('/a.css', undefined, 'GET', other);
  await get('/large.js', undefined, 'GET', other);
  await other.ends();
});
