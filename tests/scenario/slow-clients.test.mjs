// SPDX-License-Identifier: MIT
// slow-clients.test.mjs - clients that keep what they hold by moving next to nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { request } from '../lib/request.mjs';
import { makeRoot, program, startServer, stopAll } from '../lib/server.mjs';
import { after, afterEach, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const LARGE = 32 << 20;
/** Handshake, version 1.0, 512 bytes to come, ClientHello. */
const HALF_HELLO = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
const CERTIFICATE =
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';

let files;
const file = (name) => `${files.root}/${name}`;

before(() => {
  files = makeRoot({ reads: program('#!/bin/sh\ncat >/dev/null\n') });
  fs.writeFileSync(file('large.bin'), Buffer.alloc(LARGE));
  const made = ['-keyout', file('.key.pem'), '-out', file('.cert.pem')];
  execFileSync('openssl', [...CERTIFICATE.split(' '), ...made], { stdio: 'ignore' });
});
afterEach(stopAll);
after(() => files.remove());

/** A connection that sends this and then does that, ten times a second, until it is given up. */
async function isGivenUp(server, first, again = () => {}) {
  const before = await server.metric('http_timeouts_total');
  const socket = net.connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(first);
  const often = setInterval(() => again(socket), 100);
  await until(async () => (await server.metric('http_timeouts_total')) > before);
  clearInterval(often);
  socket.destroy();
}

const start = (...args) =>
  startServer({
    root: files.root,
    args: ['--admin', '127.0.0.1:0', '--idle-timeout', '1h', ...args],
  });

test('half a TLS handshake is given up in the time of a head', async () => {
  const secure = ['--tls-cert', file('.cert.pem'), '--tls-key', file('.key.pem')];
  const server = await start(...secure, '--head-timeout', '300ms');
  await isGivenUp(server, '');
  await isGivenUp(server, HALF_HELLO);
  await server.ends();
});

/** What a client says first. */
const clientHello = () =>
  new Promise((resolve) => {
    const write = (chunk, encoding, done) => (resolve(chunk), done());
    tls.connect({ socket: new Duplex({ read() {}, write }) }).on('error', () => {});
  });

test('a TLS handshake whose client does not go on is in the memory of its client', async () => {
  const server = await start('--tls-cert', file('.cert.pem'), '--tls-key', file('.key.pem'));
  const socket = net.connect(server.port, '127.0.0.1');
  socket.write(await clientHello());
  await until(async () => (await server.metric('memory_bytes')) >= 48 << 10);
  socket.destroy();
  await server.hasMetric('memory_bytes', 0);
  await server.ends();
});

test('a large file for a client that takes a little now and then is given up', async () => {
  const server = await start('--write-timeout', '1s', '--least-rate', '4M');
  const get = 'GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n';
  await isGivenUp(server, get, (socket) => socket.read(600));
  assert.equal((await request(server.at('large.bin'))).bytes.length, LARGE);
  await server.ends();
});

test('a body that trickles is given up', async () => {
  const server = await start('--body-timeout', '1s');
  const post = 'POST /reads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n';
  await isGivenUp(server, post, (socket) => socket.write('x'));
  await server.ends();
});

/** What a client sends before the server stands still, and after that. */
const HALVES = {
  'a head': ['GET /reads HTTP/1.1\r\nHost: localhost\r\n', '\r\n'],
  'a body': [
    'POST /reads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n',
    'x'.repeat(200000),
  ],
  'a body in chunks': [
    'POST /reads HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n',
    `${'x'.repeat(200000)}\r\n0\r\n\r\n`,
  ],
  'a request on a connection that had none': ['', 'GET /reads HTTP/1.1\r\nHost: localhost\r\n\r\n'],
};

test('what came while the server stood still is not too late', async () => {
  const short = ['--head-timeout', '1s', '--body-timeout', '1s', '--idle-timeout', '1s'];
  const server = await startServer({
    files: { reads: program('#!/bin/sh\ncat >/dev/null\nprintf "Status: 200\\n\\n"\n') },
    args: short,
    threads: 1,
  });
  const sockets = Object.values(HALVES).map(([first]) => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.write(first);
    return socket;
  });
  await request(server.at('reads')); // what came before it was accepted before
  process.kill(server.pid, 'SIGSTOP');
  for (const [i, [, rest]] of Object.values(HALVES).entries()) sockets[i].write(rest);
  await new Promise((resolve) => setTimeout(resolve, 3500));
  process.kill(server.pid, 'SIGCONT');
  for (const [i, what] of Object.keys(HALVES).entries()) {
    const [answer] = await once(sockets[i], 'data');
    assert.equal(`${what}: ${answer.subarray(9, 12)}`, `${what}: 200`);
    sockets[i].destroy();
  }
  await server.ends();
});
