// SPDX-License-Identifier: MIT
// Clients that others wrote: npm `ws` and Python's websockets, against the echo example.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import WebSocket from 'ws';

import { BUILD, REPO, startProgram } from '../lib/server.mjs';

let server;
before(
  async () =>
    (server = await startProgram(path.join(BUILD, 'examples/echo'), ['--threads', '2', '0'])),
);
after(async () => assert.deepEqual(await server.stop(), { code: 0, signal: null }));

async function open(options) {
  const client = new WebSocket(server.url, options);
  await once(client, 'open');
  return client;
}

async function back(client, data, options) {
  client.send(data, options);
  const [bytes, binary] = await once(client, 'message');
  return { bytes, binary };
}

test('npm ws: text as text, binary as binary, in fragments, with pings', async () => {
  const client = await open();
  assert.equal(client.extensions, '', 'permessage-deflate is offered, and not agreed on');
  assert.deepEqual(await back(client, 'grüße 😀'), {
    bytes: Buffer.from('grüße 😀'),
    binary: false,
  });
  assert.deepEqual(await back(client, Buffer.from([0, 255, 128])), {
    bytes: Buffer.from([0, 255, 128]),
    binary: true,
  });
  client.send('one ', { fin: false });
  client.ping('between');
  assert.equal(
    (
      await Promise.all([once(client, 'pong'), back(client, 'two', { fin: true })])
    )[1].bytes.toString(),
    'one two',
  );
  client.close(4321, 'enough');
  const [closeCode] = await once(client, 'close');
  assert.equal(closeCode, 4321);
});

test('npm ws: 16 MiB, and one byte more is 1009', async () => {
  const client = await open({ maxPayload: 0 });
  const big = Buffer.alloc(16 * 1024 * 1024, 'abcdefg');
  assert.ok((await back(client, big)).bytes.equals(big));
  client.on('error', () => {}); // the server may close while we are still sending
  client.send(Buffer.alloc(big.length + 1));
  const [closeCode, reason] = await once(client, 'close');
  assert.equal(closeCode, 1009);
  assert.match(reason.toString(), /limit/);
});

test('npm ws: a hundred clients at once on two threads, each hears its own', async () => {
  const clients = await Promise.all(Array.from({ length: 100 }, () => open()));
  await Promise.all(
    clients.map(async (client, i) => {
      for (let round = 0; round < 20; round++)
        assert.equal((await back(client, `${i}/${round}`)).bytes.toString(), `${i}/${round}`);
      client.close();
      await once(client, 'close');
    }),
  );
});

test('Python websockets: text, bytes, fragments, 16 MiB, ping, close', async () => {
  const script = path.join(REPO, 'tests/lib/ws_client.py');
  const { stdout } = await promisify(execFile)('/usr/bin/python3', [script, server.url], {
    timeout: 60000,
  });
  assert.deepEqual(JSON.parse(stdout), {
    text: 'grüße 😀',
    binary: Array.from({ length: 256 }, (_, i) => i),
    fragments: 'one two three',
    big: true,
    latency: true,
    close: 4321,
    again: 'again',
    extensions: [],
  });
});

test('when the server stops, clients are told 1001', async () => {
  const other = await startProgram(path.join(BUILD, 'examples/echo'), ['0']);
  const client = new WebSocket(other.url);
  await once(client, 'open');
  const closed = once(client, 'close');
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  assert.equal((await closed)[0], 1001);
});
