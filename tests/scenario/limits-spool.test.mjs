// SPDX-License-Identifier: MIT
// Bodies without Content-Length are kept in files until their programs have ended: how much, by
// client and in all. The clients come through a trusted proxy.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { makeRoot, program, startServer, stopAll } from '../lib/server.mjs';
import { visitor } from '../lib/visitor.mjs';

const KIB = 1024;
/** Answers at once, reads nothing, and stays. */
const DEAF = '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nbegun\\n"\nexec sleep 600\n';
/** Counts what it reads. */
const COUNTS = '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"\nwc -c\n';
const BODY_MAX = ['--body-max', '100K', '--trusted-proxy', '127.0.0.1'];
let server;

async function start(...args) {
  const files = { deaf: program(DEAF), counts: program(COUNTS) };
  args.push('--term-grace', '100ms', '--eof-grace', '100ms', '--admin', '127.0.0.1:0');
  server = await startServer({ files, args: [...BODY_MAX, ...args] });
}

afterEach(stopAll);

/** A client at this address sends a body in chunks; resolves with what visitor.begins() gives. */
const uploads = (from, { to = 'deaf', headers = { 'Transfer-Encoding': 'chunked' } } = {}) =>
  visitor.begins(server.at(to), {
    method: 'POST',
    headers: { 'X-Forwarded-For': from, ...headers },
    body: Buffer.alloc(100 * KIB, 'x'),
  });

const all = async (response) => (await response.toArray()).join('');
const leaves = ({ request }) => request.destroy();

/** One after the other, until one is refused. */
async function uploadsUntilRefused(from) {
  const begun = [];
  while (begun.length < 20) {
    const upload = await uploads(from);
    if (upload.response.statusCode !== 200) return { begun, refused: upload.response };
    begun.push(upload);
  }
  return { begun };
}

test('bodies in chunks for programs that read nothing fill no disk: a client has four at a time', async () => {
  await start();
  const { begun, refused } = await uploadsUntilRefused('192.0.2.1');
  assert.equal(begun.length, 4);
  assert.equal(refused.statusCode, 503);
  assert.match(refused.headers['retry-after'], /^\d+$/);
  assert.match(await all(refused), /kept for your address: send it with Content-Length, or try/);
  await server.logged(/page\.spool_refused .*client=192\.0\.2\.1 .*spool-per-client/);
  assert.equal(await server.metric('spooled_bytes'), 400 * KIB);
  assert.equal(await server.metric('spool_refused_total{bound="client"}'), 1);
});

test('a client that is at its bound for kept bodies costs no other client anything', async () => {
  await start();
  await uploadsUntilRefused('192.0.2.1');
  const other = await uploads('192.0.2.2', { to: 'counts' });
  assert.equal(await all(other.response), `${100 * KIB}\n`);
  const known = { 'Content-Length': 100 * KIB };
  const same = await uploads('192.0.2.1', { to: 'counts', headers: known });
  assert.equal(await all(same.response), `${100 * KIB}\n`, 'nor is a body of known length kept');
});

test('a kept body counts until its program has ended, or its upload has broken off', async () => {
  await start();
  const { begun } = await uploadsUntilRefused('192.0.2.1');
  begun.forEach(leaves);
  await server.hasMetric('spooled_bytes', 0);
  const headers = { 'Transfer-Encoding': 'chunked' };
  const upload = http.request(server.at('deaf'), { method: 'POST', headers, agent: false });
  upload.on('error', () => {}).write(Buffer.alloc(50 * KIB));
  await server.hasMetric('spooled_bytes', 52 * KIB);
  upload.destroy();
  await server.hasMetric('spooled_bytes', 0);
  assert.equal((await uploadsUntilRefused('192.0.2.1')).begun.length, 4);
});

test('all clients together keep no more than spool-max', async () => {
  await start('--spool-max', '250K', '--spool-per-client', '200K');
  for (const from of ['192.0.2.1', '192.0.2.2'])
    assert.equal((await uploads(from)).response.statusCode, 200);
  const { response } = await uploads('192.0.2.3');
  assert.equal(response.statusCode, 503);
  assert.match(await all(response), /without Content-Length is kept: send it with/);
  assert.equal(await server.metric('spool_refused_total{bound="whole"}'), 1);
  assert.equal(await server.metric('spooled_bytes'), 200 * KIB);
});

test('the many addresses of an IPv6 net keep four times as much as one', async () => {
  await start('--spool-per-client', '100K');
  const statuses = [];
  for (let i = 0; i < 6; i++)
    statuses.push((await uploads(`2001:db8:1:${i}::1`)).response.statusCode);
  assert.deepEqual(statuses, [200, 200, 200, 200, 503, 503]);
});

test('a body that may be longer than spool-per-client is kept, alone', async () => {
  await start('--spool-per-client', '4K', '--spool-max', '4K');
  assert.equal((await uploadsUntilRefused('192.0.2.1')).begun.length, 1);
});

test('a reload that lowers spool-per-client takes nothing from what is kept', async () => {
  const folder = makeRoot({ 'httpsocketd.conf': '' });
  const settings = path.join(folder.root, 'httpsocketd.conf');
  await start('--config', settings);
  const first = await uploads('192.0.2.1');
  const second = await uploads('192.0.2.1');
  fs.writeFileSync(settings, 'spool-per-client = 100K\n');
  server.child.kill('SIGHUP');
  await server.logged(/config\.reloaded/);
  assert.equal((await uploads('192.0.2.1')).response.statusCode, 503);
  assert.equal(first.response.statusCode + second.response.statusCode, 400);
  leaves(first);
  leaves(second);
  await server.hasMetric('spooled_bytes', 0);
  assert.equal((await uploads('192.0.2.1')).response.statusCode, 200);
  folder.remove();
});
