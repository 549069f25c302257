// SPDX-License-Identifier: MIT
// client.js and its parts over HTTP: their codings, tags and addresses.
import assert from 'node:assert/strict';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { request } from '../lib/http-raw.mjs';
import { makeRoot, startServer } from '../lib/server.mjs';
import { after, before, test } from '../lib/test.mjs';

let server, site, client;
const get = (path, headers = {}, method = 'GET') =>
  request(server.port, method, `/.httpsocket/${path}`, {
    Host: `127.0.0.1:${server.port}`,
    ...headers,
  });

before(async () => {
  site = makeRoot({});
  server = await startServer({ root: site.root });
  client = (await get('client.js')).body.toString();
});
after(async () => {
  await server?.stop();
  site?.remove();
});

/** The addresses of the parts, from client.js. */
const parts = () =>
  [...client.matchAll(/(\w+):\{hash:"(\w+)"/g)].map(
    ([, name, hash]) => `client.js?${name}.${hash}`,
  );

test('client.js is sent by brotli, gzip or as it is, each with a tag of its own', async () => {
  const codings = { br: brotliDecompressSync, gzip: gunzipSync };
  const tags = new Set([(await get('client.js')).headers.etag]);
  for (const [name, decoded] of Object.entries(codings)) {
    const { headers, body } = await get('client.js', { 'Accept-Encoding': name });
    assert.equal(headers['content-encoding'], name);
    assert.equal(decoded(body).toString(), client);
    tags.add(headers.etag);
    const again = { 'Accept-Encoding': name, 'If-None-Match': headers.etag };
    assert.equal((await get('client.js', again)).status, 304);
  }
  assert.equal(tags.size, 3);
  const { headers, body } = await get('client.js', { 'Accept-Encoding': 'gzip, br' });
  assert.equal(headers['content-encoding'], 'br');
  assert.ok(body.length < 23_000, `${body.length} bytes`);
});

test('a part is at the address that client.js has for it, and may be kept for ever', async () => {
  assert.equal(parts().length, 7);
  for (const address of parts()) {
    const { status, headers, body } = await get(address);
    assert.equal(status, 200);
    assert.match(headers['cache-control'], /immutable/);
    assert.ok(body.includes(`("${/\?(\w+)/.exec(address)[1]}",`), address);
    // A module that has failed once has to be asked for by another address.
    assert.deepEqual((await get(`${address}&3`)).body, body);
  }
  assert.doesNotMatch((await get('client.js')).headers['cache-control'] ?? '', /immutable/);
});

test('the part of another version is answered by a script that says so, and is not kept', async () => {
  const { status, headers, body } = await get('client.js?dom.0000000000000000');
  assert.equal(status, 200);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(body.toString(), "globalThis[Symbol.for('httpsocket.part')]?.();\n");
  assert.equal((await get('client.js?dom.0000000000000000', {}, 'HEAD')).body.length, 0);
});

test('any other query is that of client.js itself', async () => {
  for (const query of ['?', '?v=5', '?dom', '?domino.1', '?.', '?&'])
    assert.equal((await get(`client.js${query}`)).body.toString(), client, query);
});

test('the whole forms are there', async () => {
  for (const name of ['client.all.js', 'client.src.js', 'client.mjs'])
    assert.match((await get(name)).body.toString(), /serverConnection/, name);
  for (const name of ['client-dom.js', 'client.all.mjs', 'client.js/'])
    assert.equal((await get(name)).status, 404, name);
});
