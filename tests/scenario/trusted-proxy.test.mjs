// SPDX-License-Identifier: MIT
// Behind a proxy: who the client is, as X-Forwarded-For says, and only where the proxy is trusted.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { request } from '../lib/http-raw.mjs';
import { BUILD, makeRoot, startServer } from '../lib/server.mjs';

const WHO = `#!/bin/sh
printf 'Status: 200\\n\\n%s %s' "$REMOTE_ADDR" "$REMOTE_PORT"
`;
let files, server;

before(async () => {
  files = makeRoot({ 'who.sh': { text: WHO, mode: 0o755 } });
  server = await startServer({
    root: files.root,
    args: [
      '--trusted-proxy',
      '127.0.0.0/8',
      '--trusted-proxy',
      '2001:db8:7::/48',
      '--trusted-proxy',
      '203.0.113.9',
    ],
  });
});

after(async () => {
  await server.stop();
  files.remove();
});

/** The address that the program is given. */
async function who(port, headers) {
  const { status, body } = await request(port, 'GET', '/who', headers);
  assert.equal(status, 200);
  return String(body).split(' ');
}

const rows = {
  'one entry': ['198.51.100.7', '198.51.100.7'],
  'what the client itself wrote stands before it': ['6.6.6.6, 198.51.100.7', '198.51.100.7'],
  'a chain of proxies of ours': [
    '6.6.6.6, 198.51.100.7, 2001:db8:7::1, 203.0.113.9',
    '198.51.100.7',
  ],
  'proxies all the way': ['203.0.113.9', '203.0.113.9'],
  'with a port': ['198.51.100.7:4711', '198.51.100.7'],
  IPv6: ['2001:db8::1', '2001:db8::1'],
  'IPv6 in brackets': ['[2001:db8::1]', '2001:db8::1'],
  'IPv6 with a port': ['[2001:db8::1]:4711', '2001:db8::1'],
  'unknown: nobody beyond the proxy': ['198.51.100.7, unknown', '127.0.0.1'],
  'a name is not looked up': ['localhost', '127.0.0.1'],
  'any address': ['*', '127.0.0.1'],
  'a socket': ['unix:/tmp/x', '127.0.0.1'],
  'a zone': ['fe80::1%lo', '127.0.0.1'],
  'an open bracket': ['[2001:db8::1', '127.0.0.1'],
  'empty entries': [', ,', '127.0.0.1'],
  'longer than an address': ['1'.repeat(300), '127.0.0.1'],
  'more proxies than are looked at': [`198.51.100.7${', 203.0.113.9'.repeat(16)}`, '203.0.113.9'],
  'as many as are looked at': [`198.51.100.7${', 203.0.113.9'.repeat(15)}`, '198.51.100.7'],
};
for (const [name, [header, address]] of Object.entries(rows))
  test(`X-Forwarded-For: ${name}`, async () => {
    assert.equal((await who(server.port, { 'X-Forwarded-For': header }))[0], address);
  });

test('several headers are one list', async () => {
  const answer = await new Promise((resolve, reject) =>
    http
      .get(
        {
          port: server.port,
          path: '/who',
          headers: {
            Host: `127.0.0.1:${server.port}`,
            'X-Forwarded-For': ['6.6.6.6', '198.51.100.7'],
          },
        },
        (response) => response.on('data', (data) => resolve(String(data))),
      )
      .on('error', reject),
  );
  assert.equal(answer, '198.51.100.7 0');
});

test('without the header the proxy itself is the client, with its port', async () => {
  const [address, port] = await who(server.port, {});
  assert.equal(address, '127.0.0.1');
  assert.ok(Number(port) > 0);
});

test('a peer that is no proxy of ours is not believed', async () => {
  const other = await startServer({ root: files.root, args: ['--trusted-proxy', '10.0.0.0/8'] });
  try {
    assert.equal((await who(other.port, { 'X-Forwarded-For': '198.51.100.7' }))[0], '127.0.0.1');
  } finally {
    await other.stop();
  }
});

test('who comes by a Unix socket is a proxy if that is said', async () => {
  const socketPath = path.join(files.root, '.socket');
  const other = await startServer({
    root: files.root,
    args: [
      '--listen',
      `unix:${socketPath}`,
      '--trusted-proxy',
      'unix',
      '--origin',
      'https://a.example',
    ],
  });
  try {
    const body = await new Promise((resolve, reject) =>
      http
        .get(
          {
            socketPath,
            path: '/who',
            headers: { Host: 'a.example', 'X-Forwarded-For': '198.51.100.7' },
          },
          (response) => response.on('data', (data) => resolve(String(data))),
        )
        .on('error', reject),
    );
    assert.equal(body, '198.51.100.7 0');
  } finally {
    await other.stop();
  }
});

test('a wrong one is refused', () => {
  const { status, stderr } = spawnSync(
    path.join(BUILD, 'httpsocketd'),
    ['--check-config', '--trusted-proxy', '10.0.0.1/8', files.root],
    { encoding: 'utf8' },
  );
  assert.equal(status, 2);
  assert.match(
    stderr,
    /trusted-proxy: expected an address, a range such as 10\.0\.0\.0\/8, or unix; not `10\.0\.0\.1\/8`/,
  );
});
