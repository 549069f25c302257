// SPDX-License-Identifier: MIT
// Small files that are kept in memory: who asks sees each change at once.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { RawHttp, request } from '../lib/http-raw.mjs';
import { startServer } from '../lib/server.mjs';
import { after, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

let server;
const GZIP = { 'Accept-Encoding': 'gzip' };
const at = (name) => path.join(server.root, name);
const get = (file, headers = {}, method = 'GET') => request(server.port, method, file, headers);
const body = async (file) => String((await get(file)).body);
/** Asks until `name` and all before it are kept. */
const kept = (name) =>
  until(async () => {
    const before = await server.metric('file_cache_bytes');
    for (let i = 0; i < 8; i++) await get(`/${name}`); // both workers
    return before > 0 && (await server.metric('file_cache_bytes')) === before;
  });

before(async () => {
  server = await startServer({
    files: {
      'a.html': 'first',
      'b.css': 'b'.repeat(900),
      'digits.txt': '0123456789',
      'gone.txt': 'here',
    },
    args: ['--admin', '127.0.0.1:0', '--threads', '2'],
  });
  await kept('a.html');
});
after(() => server?.ends());

test('a kept file has all that a file has: tags, conditions, ranges, HEAD', async () => {
  await kept('digits.txt');
  const { headers } = await get('/digits.txt');
  assert.equal((await get('/digits.txt', { 'If-None-Match': headers.etag })).status, 304);
  assert.equal(String((await get('/digits.txt', { Range: 'bytes=2-4' })).body), '234');
  const several = await get('/digits.txt', { Range: 'bytes=0-0,9-9' });
  assert.match(String(several.body), /\r\n\r\n0\r\n[^]*\r\n\r\n9\r\n/);
  const head = await get('/digits.txt', {}, 'HEAD');
  assert.equal(head.headers['content-length'], '10');
  assert.equal(head.headers.etag, headers.etag);
});

test('an edit, another file by the name, and the end of it are seen at once', async () => {
  for (let i = 0; i < 20; i++) {
    fs.writeFileSync(at('a.html'), `text ${i}`);
    assert.equal(await body('/a.html'), `text ${i}`);
  }
  await kept('gone.txt');
  fs.writeFileSync(at('new.txt'), 'there');
  fs.renameSync(at('new.txt'), at('gone.txt'));
  assert.equal(await body('/gone.txt'), 'there');
  fs.rmSync(at('gone.txt'));
  assert.equal((await get('/gone.txt')).status, 404);
});

test('requests in a row see the file as it is at each', async () => {
  await kept('digits.txt');
  const client = await RawHttp.connect(server.port);
  const ask = `GET /digits.txt HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`;
  await client.send(ask.repeat(200));
  for (let i = 0; i < 200; i++) assert.equal(String((await client.answer()).body), '0123456789');
  client.destroy();
});

test('what comes to lie beside a kept file is found, and what goes is not missed', async () => {
  await kept('b.css');
  assert.equal((await get('/b.css', GZIP)).headers['content-encoding'], undefined);
  fs.writeFileSync(at('b.css.gz'), gzipSync('b'.repeat(900)));
  await until(async () => (await get('/b.css', GZIP)).headers['content-encoding'] === 'gzip');
  fs.rmSync(at('b.css.gz'));
  assert.equal((await get('/b.css', GZIP)).headers['content-encoding'], undefined);
});
