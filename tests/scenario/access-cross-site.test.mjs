// SPDX-License-Identifier: MIT
// What scripts of other origins may read of our files and pages: CORS by script access.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { PAGE, host, startGuarded, startZones } from '../lib/access.mjs';
import { RawHttp, request } from '../lib/http-raw.mjs';
import { makeRoot } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const PROGRAM =
  '#!/bin/sh\nprintf "Content-Type: text/plain\\n"\n[ "$QUERY_STRING" ] && printf "%s\\n" "$QUERY_STRING" | tr + " "\nprintf "\\n"\ncat\n';

let zones, root, server;
before(async () => {
  zones = await startZones({
    'b.test': { records: '_script-access TXT "v=sa1; allow=a.example"' },
    'none.test': { records: '' },
    'late.test': { records: '_script-access TXT "v=sa1; allow=a.example"' },
  });
  root = makeRoot({ page: { text: PROGRAM, mode: 0o755 }, 'file.txt': 'text' });
  server = await startGuarded({
    names: ['b.test', 'none.test', 'late.test'],
    dns: zones.relay.port,
    root: root.root,
  });
});
after(async () => {
  await server?.stop();
  await zones?.stop();
  root?.remove();
});

const get = (path, { method = 'GET', name = 'b.test', origin = PAGE, headers = {}, body } = {}) =>
  request(
    server.port,
    method,
    path,
    { ...host(name), ...(origin && { Origin: origin }), ...headers },
    body,
  );
const cors = ({ headers }) => `${headers['access-control-allow-origin']} ${headers.vary}`;

test('a script that the record lets in may read files, pages and the client', async () => {
  for (const path of ['/file.txt', '/page', '/nothing'])
    assert.equal(cors(await get(path)), `${PAGE} Origin`, path);
  assert.equal(cors(await get('/.httpsocket/client.js')), `${PAGE} Accept-Encoding, Origin`);
});

test('another one gets the same answer, and its browser keeps it from it', async () => {
  const answer = await get('/file.txt', { origin: 'https://c.example' });
  assert.equal(answer.body.toString(), 'text');
  assert.equal(cors(answer), 'undefined Origin');
  assert.equal(cors(await get('/file.txt', { name: 'none.test' })), 'undefined Origin');
  assert.equal(cors(await get('/file.txt', { origin: 'null' })), 'undefined Origin');
});

test('without an Origin, or with our own, nothing is asked', async () => {
  zones.relay.take();
  for (const path of ['/file.txt', '/.httpsocket/client.js']) {
    const answer = await get(path, { name: 'none.test', origin: null });
    assert.equal(answer.status, 200);
    // A cache may not give it to a page of another origin.
    assert.match(cors(answer), /^undefined (Accept-Encoding, )?Origin$/);
  }
  const own = await get('/page', {
    name: 'none.test',
    origin: 'http://none.test:8000',
    method: 'POST',
    body: 'x',
    headers: { 'Content-Length': '1' },
  });
  assert.equal(own.body.toString(), 'x');
  assert.equal(cors(own), 'undefined undefined');
  assert.deepEqual(zones.relay.take(), {});
});

test('the body of a request waits for the verdict and comes whole', async () => {
  const text = 'x'.repeat(300000);
  const answer = await get('/page', {
    method: 'POST',
    body: text,
    headers: { 'Content-Length': String(text.length), 'Content-Type': 'text/plain' },
  });
  assert.equal(answer.body.toString(), text);
  assert.equal(cors(answer), `${PAGE} Origin`);
  const chunked = await get('/page', {
    method: 'POST',
    body: '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    headers: { 'Transfer-Encoding': 'chunked' },
  });
  assert.equal(chunked.body.toString(), 'abcde');
});

test('a program that gives leave itself is not contradicted, and its Vary stands', async () => {
  const { headers } = await get('/page?Access-Control-Allow-Origin:+*');
  assert.equal(headers['access-control-allow-origin'], '*');
  const varied = await get('/page?Vary:+Cookie');
  assert.equal(varied.headers.vary, 'Cookie, Origin');
});

const preflight = (more) =>
  get('/page', {
    method: 'OPTIONS',
    headers: {
      'Access-Control-Request-Method': 'PUT',
      'Access-Control-Request-Headers': 'x-one, x-two',
    },
    ...more,
  });

test('a preflight is answered for whom the record lets in', async () => {
  const { status, headers } = await preflight();
  assert.equal(status, 204);
  assert.equal(headers['access-control-allow-origin'], PAGE);
  assert.equal(headers['access-control-allow-methods'], 'PUT');
  assert.equal(headers['access-control-allow-headers'], 'x-one, x-two');
  assert.match(headers['access-control-max-age'], /^\d+$/);
  assert.equal(headers['access-control-allow-credentials'], undefined);
});

test('for others it is no more than a request: their browser goes no further', async () => {
  const { headers } = await preflight({ origin: 'https://c.example' });
  assert.equal(headers['access-control-allow-origin'], undefined);
  assert.equal(headers['access-control-allow-methods'], undefined);
});

test('a client that leaves while its record is looked up leaves nothing behind, and the next one is answered', async () => {
  zones.relay.take();
  zones.relay.silent = true;
  const lost = await Promise.all([0, 1, 2].map(() => RawHttp.connect(server.port)));
  const lines = (more) =>
    `GET /file.txt HTTP/1.1\r\nHost: late.test:8000\r\nOrigin: ${PAGE}\r\n${more}\r\n`;
  await lost[0].send(lines(''));
  await lost[1].send(lines('Accept: application/httpsocket-refusal\r\n'));
  await lost[2].send(
    lines(
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
    ),
  );
  await until(() =>
    zones.relay.questions.some(({ question }) => question === 'TXT _script-access.late.test'),
  );
  for (const client of lost) client.destroy();
  await Promise.all(lost.map(({ closed }) => closed));
  zones.relay.silent = false;
  assert.equal(cors(await get('/file.txt', { name: 'late.test' })), `${PAGE} Origin`);
});
