// SPDX-License-Identifier: MIT
// Files in another coding: what lies beside a file as NAME.br or NAME.gz is sent in its place.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { request } from '../lib/http-raw.mjs';
import { makeRoot, startServer } from '../lib/server.mjs';
import { after, before, test } from '../lib/test.mjs';

const TEXT = 'body { color: teal }\n'.repeat(2000);
const BR = brotliCompressSync(TEXT);
const GZ = gzipSync(TEXT);
const BROWSER = { 'Accept-Encoding': 'gzip, deflate, br' };
const OLD = new Date('2020-01-01T00:00:00Z');

let server, outside;
const get = (file, headers = {}, method = 'GET') => request(server.port, method, file, headers);
const coding = async (file, headers = BROWSER) =>
  (await get(file, headers)).headers['content-encoding'];
const at = (name) => path.join(server.root, name);
const put = (name, bytes, options) => fs.writeFileSync(at(name), bytes, options);
/** `name` with both codings beside it. */
const putAll = (name) => [put(name, TEXT), put(`${name}.gz`, GZ), put(`${name}.br`, BR)];

before(async () => {
  outside = makeRoot({ 'secret.gz': { text: gzipSync('SECRET') } });
  server = await startServer({ files: { 'index.html': TEXT } });
  putAll('page.css');
});
after(async () => {
  await server?.ends();
  outside?.remove();
});

test('what lies beside a file is sent to who accepts it', async () => {
  const answers = await Promise.all(
    ['br', 'gzip', 'identity'].map((name) => get('/page.css', { 'Accept-Encoding': name })),
  );
  const texts = [brotliDecompressSync, gunzipSync, String].map((decoded, i) =>
    String(decoded(answers[i].body)),
  );
  assert.deepEqual(texts, [TEXT, TEXT, TEXT]);
  assert.deepEqual(
    answers.map(({ headers }) => headers['content-encoding']),
    ['br', 'gzip', undefined],
  );
  for (const { headers } of answers) {
    assert.equal(headers['content-type'], 'text/css; charset=utf-8');
    assert.match(headers.vary, /Accept-Encoding/);
    assert.match(headers.etag, /^"[^"]+"$/);
  }
  assert.equal(new Set(answers.map(({ headers }) => headers.etag)).size, 3);
});

test('a small file varies only while there is something beside it', async () => {
  put('small.txt', 'small');
  for (const headers of [BROWSER, {}])
    assert.equal((await get('/small.txt', headers)).headers.vary, 'Origin');
  put('little.txt', 'little');
  put('little.txt.gz', gzipSync('little'));
  assert.match((await get('/little.txt')).headers.vary, /Accept-Encoding/);
  assert.equal(await coding('/little.txt'), 'gzip');
});

test('the client has the choice, whatever it writes', async () => {
  const wishes = {
    'gzip, deflate, br': 'br',
    'br;q=0.5, gzip': 'gzip',
    'br;q=0, gzip;q=0': undefined,
    'identity, gzip;q=0.5': undefined,
    '*': undefined,
    'identity;q=0, *': 'br',
    '*;q=0': undefined,
    'identity;q=0, br;q=0, gzip;q=0': undefined,
    [`${'x,'.repeat(5000)}gzip`]: 'gzip',
    [`${',;q=;='.repeat(1600)}`]: undefined,
  };
  for (const [wish, expected] of Object.entries(wishes))
    assert.equal(await coding('/page.css', { 'Accept-Encoding': wish }), expected, wish);
  assert.equal(await coding('/page.css', {}), undefined);
});

test('conditions, ranges and HEAD are of what is sent', async () => {
  const { headers, body } = await get('/page.css', BROWSER);
  const plain = (await get('/page.css')).headers.etag;
  const again = await get('/page.css', { ...BROWSER, 'If-None-Match': headers.etag });
  assert.equal(again.status, 304);
  assert.match(again.headers.vary, /Accept-Encoding/);
  assert.equal((await get('/page.css', { ...BROWSER, 'If-None-Match': plain })).status, 200);
  assert.equal((await get('/page.css', { 'If-None-Match': headers.etag })).status, 200);
  const range = { ...BROWSER, Range: 'bytes=3-9' };
  const part = await get('/page.css', { ...range, 'If-Range': headers.etag });
  assert.equal(part.status, 206);
  assert.deepEqual(part.body, body.subarray(3, 10));
  assert.equal(part.headers['content-range'], `bytes 3-9/${BR.length}`);
  assert.equal((await get('/page.css', { ...range, 'If-Range': plain })).status, 200);
  const client = await get('/page.css', BROWSER, 'HEAD');
  assert.equal(client.headers['content-length'], String(BR.length));
  assert.equal(client.headers['content-encoding'], 'br');
});

test('under its own name it is a file like others', async () => {
  const { headers, body } = await get('/page.css.gz', BROWSER);
  assert.equal(headers['content-encoding'], undefined);
  assert.equal(headers['content-type'], 'application/gzip');
  assert.deepEqual(body, GZ);
});

test('a folder has its index.html from beside it, too', async () => {
  put('index.html.gz', GZ);
  assert.equal(await coding('/'), 'gzip');
});

test('what is older than the file, or is none, is not sent', async () => {
  putAll('old.css');
  for (const ending of ['br', 'gz']) fs.utimesSync(at(`old.css.${ending}`), OLD, OLD);
  assert.equal(await coding('/old.css'), undefined);
  fs.utimesSync(at('old.css'), OLD, OLD);
  assert.equal(await coding('/old.css'), 'br');
  fs.rmSync(at('old.css.br'));
  assert.equal(await coding('/old.css'), 'gzip');
  put('old.css.gz', 'no gzip');
  assert.equal(await coding('/old.css'), undefined);
});

test('a time that a tool has cut to whole seconds is not older', async () => {
  putAll('cut.css');
  const now = new Date(Math.floor(fs.statSync(at('cut.css')).mtimeMs / 1000) * 1000);
  fs.utimesSync(at('cut.css.br'), now, now);
  assert.equal(await coding('/cut.css'), 'br');
});

test('a program, a source, a folder or what is outside is not sent from beside a file', async () => {
  const beside = {
    program: (name) => put(name, '#!/bin/sh\necho SECRET\n', { mode: 0o755 }),
    source: (name) => put(name, '#!/bin/sh\necho SECRET\n'),
    binary: (name) => fs.copyFileSync('/bin/true', at(name)),
    folder: (name) => fs.mkdirSync(at(name)),
    absolute: (name) => fs.symlinkSync(path.join(outside.root, 'secret.gz'), at(name)),
    relative: (name) => fs.symlinkSync(`../${path.basename(outside.root)}/secret.gz`, at(name)),
  };
  for (const [kind, make] of Object.entries(beside)) {
    put(`${kind}.css`, TEXT);
    make(`${kind}.css.gz`);
    const { headers, body } = await get(`/${kind}.css`, BROWSER);
    assert.equal(headers['content-encoding'], undefined, kind);
    assert.equal(String(body), TEXT);
  }
});

test('what is withheld is withheld with and without a .gz beside it', async () => {
  put('settings.py.gz', GZ);
  put('settings.py', 'SECRET');
  put('.page.css.gz', GZ);
  assert.equal((await get('/settings.py', BROWSER)).status, 403);
  assert.equal((await get('/.page.css', BROWSER)).status, 404);
});

test('of pictures and archives nothing is looked for beside them', async () => {
  putAll('picture.png');
  const { headers } = await get('/picture.png', BROWSER);
  assert.equal(headers['content-encoding'], undefined);
  assert.doesNotMatch(headers.vary, /Accept-Encoding/);
});
