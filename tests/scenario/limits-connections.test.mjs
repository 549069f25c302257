// SPDX-License-Identifier: MIT
// Connections: those of one client give way to other clients'.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';

import { program, startServer, stopAll } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
import { RawWebSocket } from '../lib/ws-raw.mjs';

const servers = [];
const files = { 'file.txt': 'text', slow: program('#!/bin/sh\nexec sleep 60\n') };
const start = async (...args) => {
  const server = await startServer({ files, threads: 1, args });
  servers.push(server);
  return server;
};
after(async () => {
  for (const server of servers) await server.ends();
  await stopAll();
});

/** A connection from this address that says nothing. */
const isSilent = (server, from) => RawWebSocket.connect(server.port, { from });

/** A connection from this address whose request is not answered yet. */
async function isBusy(server, from) {
  const socket = await isSilent(server, from);
  socket.socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return socket;
}

/** The status of a request from this address. */
async function asks(server, from) {
  const socket = await isSilent(server, from);
  socket.socket.write('GET /file.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const head = await socket.until(
    (inbox) => (inbox.includes('\r\n\r\n') ? `${inbox}` : null),
    'a head',
  );
  socket.destroy();
  return Number(head.split(' ')[1]);
}

test('silent connections of one client keep nobody else waiting', async () => {
  const server = await start('--connections-max', '30');
  const silent = [];
  for (let i = 0; i < 40; i++) silent.push(await isSilent(server, '127.0.0.2'));
  const oldest = once(silent[0].socket, 'end');
  assert.equal(await asks(server, '127.0.0.3'), 200);
  await oldest;
  for (const socket of silent) socket.destroy();
});

test('a client at its limit loses its own oldest idle connection', async () => {
  const server = await start('--connections-per-client', '5');
  const silent = [];
  for (let i = 0; i < 5; i++) silent.push(await isSilent(server, '127.0.0.2'));
  const oldest = once(silent[0].socket, 'end');
  assert.equal(await asks(server, '127.0.0.2'), 200);
  await oldest;
  for (const socket of silent) socket.destroy();
});

test('a client whose connections are all busy gets 503, and nobody else', async () => {
  const server = await start('--connections-per-client', '5');
  const busy = [];
  for (let i = 0; i < 5; i++) busy.push(await isBusy(server, '127.0.0.2'));
  await until(() => server.lines(/program\.started/).length === 5, 'five programs');
  assert.equal(await asks(server, '127.0.0.2'), 503);
  assert.equal(await asks(server, '127.0.0.3'), 200);
  for (const socket of busy) socket.destroy();
});

test('silent connections at the limit of descriptors keep nobody else waiting', async () => {
  const server = await startServer({
    files,
    threads: 1,
    by: ['sh', '-c', 'ulimit -n 256; exec "$0" "$@"'],
  });
  servers.push(server);
  const silent = [];
  for (let i = 0; i < 330; i++) silent.push(await isSilent(server, '127.0.0.2'));
  assert.equal(await asks(server, '127.0.0.3'), 200);
  for (const socket of silent) socket.destroy();
});

test('pages that take all descriptors leave some for other clients', async () => {
  const server = await startServer({
    files,
    threads: 1,
    by: ['sh', '-c', 'ulimit -n 256; exec "$0" "$@"'],
  });
  servers.push(server);
  const busy = [];
  for (let i = 0; i < 80; i++) busy.push(await isBusy(server, `127.0.1.${1 + (i % 20)}`));
  assert.equal(await asks(server, '127.0.0.3'), 200);
  for (const socket of busy) socket.destroy();
});
