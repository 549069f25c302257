// SPDX-License-Identifier: MIT
// departures.test.mjs - a client that has left in the middle of an answer is noticed, also if
// nothing is sent to it; one that has only ended its side gets its answer.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, test as testOf } from 'node:test';
import { RawHttp } from '../lib/http-raw.mjs';
import { startServer } from '../lib/server.mjs';

const test = (name, run, seconds = 60) => testOf(name, { timeout: seconds * 1000 }, run);

/** Answers with half a page, and says what it is told. */
const SHARED = {
  mode: 0o755,
  text: `#!/usr/bin/env python3
import json, socket, sys
fd = socket.socket(fileno=3)
for line in fd.makefile():
    session, word, *rest = line[1:].rstrip("\\n").split(" ", 2)
    if word == ".join" and json.loads(rest[0])["query"] == "half":
        half = json.dumps("Content-Type: text/html\\n\\n<title>half")
        fd.sendall(f"@{session} .answer {half}\\n".encode())
    print(word, *rest, file=sys.stderr, flush=True)
`,
};

/** Answers with half a page, and says when its session has ended. */
const OWN = {
  mode: 0o755,
  text: `#!/bin/sh
printf 'Content-Type: text/html\\n\\n<title>half'
cat <&3 >/dev/null
echo let go >&2
`,
};

/** Goes on with its answer for each line that a FIFO brings. */
const SLOW = {
  mode: 0o755,
  text: `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
while read line; do echo "$line"; done <more
`,
};

const GRACES = ['--goodbye-timeout', '500ms', '--eof-grace', '100ms', '--drain-timeout', '1h'];
let server;

async function start(files, args = []) {
  server = await startServer({ files, args: [...GRACES, '--admin', '127.0.0.1:0', ...args] });
}

async function asks(where, { body = '', length = body.length } = {}) {
  const client = await RawHttp.connect(server.port);
  const head = length
    ? `POST /${where} HTTP/1.1\r\nContent-Length: ${length}`
    : `GET /${where} HTTP/1.1`;
  await client.send(`${head}\r\nHost: 127.0.0.1\r\n\r\n${body}`);
  return client;
}

afterEach(async () => {
  await server?.stop('SIGKILL'); // of a test that failed
});

describe('a client that leaves', () => {
  test('in the middle of an answer of a shared program: its page leaves', async () => {
    await start({ 'shared.py': SHARED }, ['--shared', '/shared.py']);
    const client = await asks('shared?half');
    assert.equal((await client.answer({ head: true })).status, 200);
    client.end();
    await server.logged(/program\.stderr.*\.leave .*page-left/);
    await server.hasMetric('shared_pages', 0);
    await server.hasMetric('sessions', 0);
    await server.ends();
  });

  test('before a shared program has begun its answer: its page leaves', async () => {
    await start({ 'shared.py': SHARED }, ['--shared', '/shared.py']);
    const client = await asks('shared?nothing');
    await server.logged(/program\.stderr.*\.join/);
    client.end();
    await server.logged(/program\.stderr.*\.leave .*page-left/);
    await server.ends();
  });

  test('in the middle of an answer does not hold up a drain', async () => {
    await start({ 'shared.py': SHARED }, ['--shared', '/shared.py']);
    const client = await asks('shared?half');
    await client.answer({ head: true });
    client.end();
    await server.ends();
  });

  test('in the middle of an answer of a process of its own: the program is let go', async () => {
    await start({ 'own.sh': OWN });
    const client = await asks('own');
    await client.answer({ head: true });
    client.end();
    await server.logged(/program\.stderr.*let go/);
    await server.hasChildren(0);
    await server.hasMetric('connections', 0);
    await server.ends();
  });

  test('an upload that its program does not read: the program is let go', async () => {
    await start({ 'own.sh': OWN });
    const client = await asks('own', { body: 'x'.repeat(150000), length: 300000 });
    await client.answer({ head: true });
    client.end();
    await server.logged(/program\.stderr.*let go/);
    await server.hasChildren(0);
    await server.ends();
  });
});

test('a client that has only ended its side gets all of an answer that goes on', async () => {
  const files = {
    'slow.sh': SLOW,
    'more.sh': { mode: 0o755, text: '#!/bin/sh\nmkfifo more\necho\n' },
  };
  await start(files, ['--goodbye-timeout', '2s']);
  await (await asks('more')).answer({ head: true });
  const client = await asks('slow');
  client.end();
  const more = fs.openSync(path.join(server.root, 'more'), 'w');
  for (let i = 0; i < 10; i++) {
    fs.writeSync(more, `${i}\n`);
    await new Promise((resolve) => setTimeout(resolve, 300)); // more than goodbye-timeout in all
  }
  fs.closeSync(more);
  assert.equal((await client.answer()).body.toString(), '0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n');
  await server.ends();
});
