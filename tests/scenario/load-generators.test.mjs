// SPDX-License-Identifier: MIT
// load-generators.test.mjs - the generators of bench/ notice a server that lies once in ten
// thousand messages: what they count was answered, and right.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { WebSocketServer } from 'ws';
import { BUILD, makeRoot } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';

const LIE_AT = 10_000;
const MESSAGES = 20_000;

/** Runs a generator for so much work: {status, stdout, stderr}. */
async function run(program, args, work) {
  const child = spawn(path.join(BUILD, 'bench', program), args.map(String));
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (text) => (said[name] += text));
  child.stdin.on('error', () => {}); // it may have ended
  child.stdin.end(`${work}\n`);
  const [status] = await once(child, 'close');
  return { status, ...said };
}

/** An echo server; `lie(socket, data, others)` answers one message of ten thousand. */
async function startEcho(lie) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  let count = 0;
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => {
      if (++count === LIE_AT) return lie(socket, data, server);
      socket.send(data);
      if (socket.held) socket.send(socket.held);
      socket.held = null;
    });
  });
  await once(server, 'listening');
  return server;
}

const lies = {
  'tells the truth': (socket, data) => socket.send(data),
  'changes a byte': (socket, data) => {
    data[data.length - 1] ^= 1;
    socket.send(data);
  },
  'drops a message': () => {},
  'sends a message twice': (socket, data) => {
    socket.send(data);
    socket.send(data);
  },
  'sends a message after the next one': (socket, data) => (socket.held = data),
  'cuts a message short': (socket, data) => socket.send(data.subarray(1)),
  'answers another client': (socket, data, server) =>
    [...server.clients].find((other) => other !== socket).send(data),
  'ends a connection': (socket) => socket.terminate(),
};

for (const [what, lie] of Object.entries(lies)) {
  test(`an echo server that once ${what} ${lie === lies['tells the truth'] ? 'passes' : 'is found out'}`, async () => {
    const server = await startEcho(lie);
    const options = ['--kind', 'ws', '--connections', 4, '--depth', 16, '--size', 40];
    const { status, stdout, stderr } = await run(
      'load',
      [...options, server.address().port],
      MESSAGES,
    );
    for (const client of server.clients) client.terminate();
    server.close();
    if (lie === lies['tells the truth']) {
      assert.equal(status, 0, stderr);
      assert.match(stdout, new RegExp(`^ready\n${MESSAGES} `));
    } else {
      assert.equal(status, 1, `it said ${stdout}`);
      assert.match(stderr, /^load: /);
    }
  });
}

test('a message that a server holds back is charged to all that were to be sent meanwhile', async () => {
  const HOLD_MS = 300;
  let held = false;
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) =>
    socket.on('message', (data) => {
      if (!held) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HOLD_MS);
      held = true;
      socket.send(data);
    }),
  );
  await once(server, 'listening');
  const args = ['--kind', 'ws', '--connections', 2, '--rate', 1000, server.address().port];
  const { status, stdout, stderr } = await run('load', args, 600);
  server.close();
  assert.equal(status, 0, stderr);
  const [count, , median, , , most] = stdout.split('\n')[1].split(' ').map(Number);
  assert.equal(count, 600);
  assert.ok(most >= HOLD_MS * 1000, `the slowest took ${most} us`);
  // One message in 600 was held, and 300 were to be sent meanwhile. Who waits for answers sees one.
  assert.ok(median >= 1000, `the median is ${median} us`);
});

describe('an HTTP server', () => {
  let server;
  let site;
  let answer;
  before(async () => {
    site = makeRoot({ body: 'the right body' });
    server = http.createServer((request, response) => answer(response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    site.remove();
  });

  const ask = () =>
    run('requests', ['--body', path.join(site.root, 'body'), server.address().port], 100);

  test('that answers with the file passes', async () => {
    answer = (response) => response.setHeader('Content-Length', 14).end('the right body');
    assert.match((await ask()).stdout, /^ready\n100 /);
  });

  for (const [what, lie] of Object.entries({
    'answers with a wrong byte': (response) =>
      response.setHeader('Content-Length', 14).end('the wrong body'),
    'answers with another length': (response) =>
      response.setHeader('Content-Length', 15).end('the right body.'),
    'answers with another status': (response) => response.writeHead(404).end('the right body'),
    'ends the connection': (response) => response.destroy(),
  })) {
    test(`that once ${what} is found out`, async () => {
      let count = 0;
      answer = (response) =>
        ++count === 50
          ? lie(response)
          : response.setHeader('Content-Length', 14).end('the right body');
      const { status, stderr } = await ask();
      assert.equal(status, 1);
      assert.match(stderr, /^load: /);
    });
  }
});
