// SPDX-License-Identifier: MIT
// The same HTTP over TLS: what sendfile does elsewhere is read and encrypted here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { RawHttp } from '../lib/http-raw.mjs';
import { makeRoot, resources, startServer } from '../lib/server.mjs';

let files, keys, server, ca;
const large = crypto.randomBytes(8 << 20);
const sha = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

before(async () => {
  files = makeRoot({
    'a.txt': 'file a\n',
    'echo.sh': {
      text: '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nexec cat\n',
      mode: 0o755,
    },
  });
  fs.writeFileSync(path.join(files.root, 'large.bin'), large);
  keys = makeRoot({});
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(keys.root, name));
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { stdio: 'ignore' },
  );
  ca = fs.readFileSync(cert);
  server = await startServer({
    root: files.root,
    args: ['--tls-cert', cert, '--tls-key', key, '--idle-timeout', '2s'],
  });
});

after(async () => {
  const { code } = await server.stop();
  files.remove();
  keys.remove();
  assert.equal(code, 0);
});

async function connect({ to = server, from } = {}) {
  const socket = tls.connect({
    port: to.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca,
    localAddress: from,
  });
  await once(socket, 'secureConnect');
  return new RawHttp(socket);
}

const get = (file, fields = '') =>
  `GET ${file} HTTP/1.1\r\nHost: localhost:${server.port}\r\n${fields}\r\n`;

test('it says https, and a browser would trust it', async () => {
  assert.match(server.url, /^https:/);
  const client = await connect();
  assert.equal((await client.ask(get('/a.txt'))).body.toString(), 'file a\n');
  client.destroy();
});

test('a large file, a range of it and what is pipelined behind arrive as they are', async () => {
  const client = await connect();
  await client.send(
    get('/large.bin') + get('/large.bin', 'Range: bytes=1000-5000000\r\n') + get('/a.txt'),
  );
  assert.equal(sha((await client.answer()).body), sha(large));
  assert.equal(sha((await client.answer()).body), sha(large.subarray(1000, 5000001)));
  assert.equal((await client.answer()).body.toString(), 'file a\n');
  client.destroy();
});

test('a body goes through a program and back', async () => {
  const client = await connect();
  const body = 'x'.repeat(1 << 20);
  const answer = await client.ask(
    `POST /echo HTTP/1.1\r\nHost: localhost:${server.port}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  assert.equal(sha(answer.body), sha(body));
  client.destroy();
});

test('a refusal can be read, and the connection ends properly', async () => {
  const client = await connect();
  assert.equal((await client.ask('GET / HTTP/1.1\r\n\r\n')).status, 400);
  assert.equal((await client.rest()).length, 0);
  client.destroy();
});

test('an idle connection is closed with close_notify', async () => {
  const client = await connect();
  await client.ask(get('/a.txt'));
  assert.equal((await client.rest()).length, 0);
  assert.equal(await client.closed, undefined);
});

test('plain HTTP on the TLS port is told nothing, and closed', { timeout: 10000 }, async () => {
  const client = await RawHttp.connect(server.port);
  await client.send(get('/a.txt'));
  assert.doesNotMatch((await client.rest()).toString('latin1'), /HTTP\/1\.1 200|file a/);
  client.destroy();
});

test('a client that begins one handshake after the other is cut off, and nobody else', async () => {
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(keys.root, name));
  const strict = await startServer({
    root: files.root,
    args: ['--tls-cert', cert, '--tls-key', key, '--rate-handshakes', '1,3'].concat([
      '--admin',
      '127.0.0.1:0',
      '--trusted-proxy',
      '127.0.0.9',
    ]),
  });
  const shakesHands = async (from) => (await connect({ to: strict, from })).destroy();
  for (let i = 0; i < 3; i++) await shakesHands('127.0.0.2');
  await assert.rejects(shakesHands('127.0.0.2'), { code: 'ECONNRESET' });
  await strict.logged(/http\.refused .*address=127\.0\.0\.2:.*rate-handshakes/);
  await shakesHands('127.0.0.3');
  for (let i = 0; i < 5; i++) await shakesHands('127.0.0.9'); // speaks for many
  const cut = (await strict.metrics())['httpsocket_rate_limited_total{rate="handshakes"}'];
  assert.equal(cut, 1);
  await strict.ends();
});

test('downloads that are broken off leave nothing open', async () => {
  const before = resources(server.pid).descriptors;
  for (let i = 0; i < 20; i++) {
    const client = await connect();
    await client.send(get('/large.bin'));
    await once(client.socket, 'data');
    client.destroy();
    await client.closed;
  }
  while (resources(server.pid).descriptors > before) {
    const client = await connect();
    await client.ask(get('/a.txt', 'Connection: close\r\n'));
    client.destroy();
    await client.closed;
  }
});
