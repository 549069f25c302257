// SPDX-License-Identifier: MIT
// Who may knock at the admin listener: no name that somebody else's DNS points at it, and no page.
import assert from 'node:assert/strict';
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from '../lib/test.mjs';
import { request } from '../lib/http-raw.mjs';
import { adminOf, makeRoot, startServer } from '../lib/server.mjs';

let server, port;
before(async () => {
  server = await startServer({
    files: { 'a.txt': 'a' },
    args: [
      ...['--admin', '127.0.0.1:0', '--admin-host', 'metrics', '--origin', 'https://a.example'],
      ...['--rate-client', '6,1', '--trusted-proxy', '203.0.113.9', '--policy', 'config'],
      ...['--rules', 'allow <*>'],
    ],
  });
  port = Number(new URL(await adminOf(server)).port);
});
after(() => server.ends());

const status = async (headers, where = '/metrics') =>
  (await request(port, 'GET', where, headers)).status;

test('a Host that is nobody of ours is refused', async () => {
  for (const Host of ['evil.example', `evil.example:${port}`, 'xmetrics', 'localhost.evil.example'])
    for (const where of ['/metrics', '/sessions', '/healthz', '/publish'])
      assert.equal(await status({ Host }, where), 421, Host + where);
});

test('loopback names, addresses, the names of origins and those of admin-host are let in', async () => {
  for (const Host of [
    'localhost:1',
    '127.0.0.1',
    '[::1]:9',
    '10.1.2.3:9100',
    'a.example',
    'METRICS:9100',
  ])
    assert.equal(await status({ Host }), 200, Host);
});

test("a page's request is refused, the user's own is not", async () => {
  for (const headers of [
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    { Origin: 'https://a.example' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-origin' },
  ])
    assert.equal(await status(headers), 403, JSON.stringify(headers));
  assert.equal(await status({ 'Sec-Fetch-Site': 'none' }), 200);
});

/** What `authorize` says of a page's request that came from these addresses, line by line. */
const asks = (...lines) =>
  new Promise((resolve, reject) => {
    const headers = {
      Host: 'a.example',
      Origin: 'https://b.example',
      'Sec-Fetch-Site': 'cross-site',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Uri': '/',
      'X-Forwarded-For': lines,
    };
    http
      .get({ port, path: '/.httpsocket/authorize', headers, agent: false }, (response) =>
        resolve(response.resume().statusCode),
      )
      .on('error', reject);
  });

test('authorize reads X-Forwarded-For from the end of its last line, through trusted proxies', async () => {
  assert.equal(await asks('198.51.100.1', '198.51.100.2'), 204);
  assert.equal(await asks('198.51.100.3', '198.51.100.2'), 429, 'the same client');
  assert.equal(await asks('198.51.100.2', '198.51.100.4'), 204, 'another client');
  assert.equal(await asks('198.51.100.5, 198.51.100.6', '203.0.113.9'), 204);
  assert.equal(await asks('198.51.100.7, 198.51.100.6', '203.0.113.9'), 429, 'behind our proxy');
  assert.equal(await asks('198.51.100.8', 'somebody'), 400);
});

test('the admin listener may be a Unix socket', async () => {
  const folder = makeRoot({ 'a.txt': 'a' });
  const socketPath = path.join(folder.root, '.admin');
  const other = await startServer({
    root: folder.root,
    args: ['--admin', `unix:${socketPath}`],
  });
  await other.logged(/admin\.listening address=unix:/);
  const answer = await new Promise((resolve, reject) =>
    http
      .get({ socketPath, path: '/healthz', headers: { Host: 'any.name' } }, resolve)
      .on('error', reject),
  );
  assert.equal(answer.resume().statusCode, 200);
  await other.ends();
  assert.ok(!fs.existsSync(socketPath), 'it is removed at the end');
  folder.remove();
});
