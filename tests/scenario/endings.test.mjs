// SPDX-License-Identifier: MIT
// endings.test.mjs - what has ended leaves nothing behind, and how it ended is told.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { afterEach, describe, test as testOf } from 'node:test';
import { promisify } from 'node:util';
import { RawHttp } from '../lib/http-raw.mjs';
import { openPlain } from '../lib/plain-client.mjs';
import { request } from '../lib/request.mjs';
import { startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const test = (name, run, seconds = 60) => testOf(name, { timeout: seconds * 1000 }, run);
const program = (text) => ({ mode: 0o755, text: `#!/bin/sh\n${text}` });
let server;

async function start(files, args = []) {
  server = await startServer({
    files,
    args: ['--admin', '127.0.0.1:0', '--eof-grace', '100ms', ...args],
    threads: 1,
  });
}

afterEach(async () => {
  SessionClient.dropAll();
  await server?.stop('SIGKILL'); // of a test that failed
});

describe('a session whose id nobody was told ends with its request', () => {
  const answers = async (status) => {
    assert.equal((await request(server.at('page'))).status, status);
    await server.hasMetric('sessions', 0);
    await server.ends();
  };

  test('that the program did not answer', async () => {
    await start({ 'page.sh': program('exec sleep 600') }, ['--answer-timeout', '200ms']);
    await answers(504);
  });

  test('that the program answered with a fault', async () => {
    await start({ 'page.sh': program('echo no header') });
    await answers(502);
  });

  test('that was refused, though the program has spoken to a page', async () => {
    await start({ 'page.sh': program("echo hello >&3; printf 'Status: 404\\n\\nno'") });
    await answers(404);
  });
});

describe('a program that is killed within a line', () => {
  const CUT = `printf 'Content-Type: text/html\\n\\n<title>page'
exec >&-
read line <&3
printf 'half of a li' >&3
kill -9 $$`;

  test('has broken no rule: its page hears of the signal', async () => {
    await start({ 'page.sh': program(CUT) });
    const { client } = await openPage(server.at('page'));
    await client.connect();
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed signal=9' });
    assert.deepEqual(server.lines(/protocol_error/), []);
    await server.ends();
  });

  test('and its page comes back later: it hears of the signal', async () => {
    await start({ 'page.sh': program(CUT.replace('read line', 'read attach <&3\nread line')) });
    const { client } = await openPage(server.at('page'));
    await client.connect();
    await client.cut();
    await server.logged(/program\.exited/);
    await assert.rejects(
      client.connect().then(() => client.closed.then((end) => Promise.reject(end))),
      { code: 4500, reason: 'program-failed signal=9' },
    );
    await server.ends();
  });
});

/** The last bytes of an answer, and how its stream ends. Node takes a reset for an end. */
async function endOf(asked) {
  const client = `import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(sys.argv[2].encode())
got, how = b"", "end"
try:
    while part := s.recv(65536):
        got += part
except OSError as error:
    how = error.strerror
print(got[-4:].decode() + ", " + how)`;
  const told = promisify(execFile)('python3', ['-c', client, String(server.port), asked]);
  return (await told).stdout;
}

describe('an answer whose program is killed before its end', () => {
  const HEAD = "printf 'Content-Type: text/plain\\n\\nhalf'";
  const THREADS = `import os, signal, sys, threading, time
sys.stdout.write("Content-Type: text/plain\\n\\nhalf")
sys.stdout.flush()
for i in range(8):
    threading.Thread(target=time.sleep, args=(600,)).start()
os.kill(os.getpid(), signal.SIGKILL)
`;
  const files = {
    'page.sh': program(`${HEAD}; kill -9 $$`),
    'threads.py': { mode: 0o755, text: `#!/usr/bin/env python3\n${THREADS}` },
    'fails.sh': program(`${HEAD}; exit 7`),
    'events.sh': program(`${HEAD.replace('plain', 'event-stream')}; kill -9 $$`),
    'empty.sh': program(`printf 'Status: 204\\n\\n'; kill -9 $$`),
    'length.sh': program(`${HEAD.replace('Con', 'Content-Length: 4\\nCon')}; kill -9 $$`),
    'closes.sh': program(`${HEAD}; exec >&-; read line <&3; kill -9 $$`),
  };
  const asks = async (line) => {
    const client = await RawHttp.connect(server.port);
    await client.send(`${line}\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
    return client;
  };
  const isCut = async (where) => {
    for (let i = 0; i < 10; i++)
      await assert.rejects((await asks(`GET /${where} HTTP/1.1`)).answer(), /no chunk size/);
  };

  test('has no last chunk', async () => {
    await start(files);
    await isCut('page');
    await isCut('threads');
    assert.match(await server.logged(/answer_short/), /why="the program was killed"/);
    await server.hasMetric('programs_answer_failures_total', 20);
    await server.ends();
  });

  test('is reset in HTTP/1.0', async () => {
    await start(files);
    for (let i = 0; i < 10; i++)
      assert.equal(await endOf(`GET /page HTTP/1.0\r\n\r\n`), 'half, Connection reset by peer\n');
    await server.ends();
  });

  const whole = { fails: 'half', events: 'half', empty: '', length: 'half', closes: 'half' };
  for (const [name, body] of Object.entries(whole))
    test(`is whole nevertheless: ${name}`, async () => {
      await start(files);
      const client = await asks(`GET /${name} HTTP/1.1`);
      assert.equal((await client.answer()).body.toString(), body);
      await server.hasMetric('programs_answer_failures_total', 0);
      await server.ends();
    });

  test('is whole nevertheless: of a HEAD', async () => {
    await start(files);
    const client = await asks('HEAD /page HTTP/1.1');
    await client.answer({ head: true });
    await client.send('GET /fails HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    assert.equal((await client.answer()).body.toString(), 'half');
    await server.ends();
  });

  test('is told to its page as the end of the program', async () => {
    const page = "printf 'Content-Type: text/html\\n\\n<title>page'";
    await start({ 'page.sh': program(`${page}; read attach <&3; read line <&3; kill -9 $$`) });
    const client = await asks('GET /page HTTP/1.1');
    const { headers } = await client.answer({ head: true });
    const session = new SessionClient(server.at('page'), { session: headers['session-id'] });
    await session.connect();
    session.says('die');
    await session.isClosed(4500, 'program-failed signal=9');
    assert.doesNotMatch((await client.rest()).toString(), /\r\n0\r\n/);
    await server.ends();
  });
});

/** Answers with half a page; stops itself, or goes on to wait; the rest comes when it runs on. */
const HALF = {
  mode: 0o755,
  text: `#!/usr/bin/env python3
import json, os, signal, socket
fd = socket.socket(fileno=3)
for line in fd.makefile():
    session, word, *rest = line[1:].rstrip("\\n").split(" ", 2)
    if word == ".join":
        half = json.dumps("Content-Type: text/html\\n\\n<title>half")
        fd.sendall(f"@{session} .answer {half}\\n".encode())
        if json.loads(rest[0])["query"] == "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
            fd.sendall(f'@{session} .answer "whole"\\n@{session} .answer\\n'.encode())
`,
};

describe('a drain', () => {
  const files = { 'file.txt': 'whole' };
  const get = 'GET /file.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

  test('answers the connections that wait to be accepted', async () => {
    await start(files);
    server.child.kill('SIGSTOP');
    const clients = await Promise.all(
      Array.from({ length: 400 }, () => RawHttp.connect(server.port)),
    );
    await Promise.all(clients.map((client) => client.send(get)));
    server.child.kill('SIGTERM');
    server.child.kill('SIGCONT');
    for (const client of clients) assert.equal((await client.answer()).body.toString(), 'whole');
    await server.ends();
  });

  test('answers a request that has come on an idle connection', async () => {
    await start(files);
    const idle = await RawHttp.connect(server.port);
    await idle.send(get);
    await idle.answer();
    server.child.kill('SIGSTOP');
    await idle.send(get);
    server.child.kill('SIGTERM');
    server.child.kill('SIGCONT');
    assert.equal((await idle.answer()).status, 200);
    await server.ends();
  });

  const LONG = ['--shared', '/half.py', '--drain-timeout', '1h', '--goodbye-timeout', '300ms'];
  const half = async (query) => {
    await start({ 'half.py': HALF }, LONG);
    const client = await RawHttp.connect(server.port);
    await client.send(`GET /half?${query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await server.logged(/program\.joined/);
    return client;
  };
  const isStopped = (pid) => /^State:\s+T/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));

  test('has a stopped process run on, which finishes its answer', async () => {
    const client = await half('stops');
    const pid = Number(/pid=(\d+)/.exec(await server.logged(/program\.joined/))[1]);
    await until(() => isStopped(pid));
    const ended = server.ends();
    assert.match((await client.answer()).body.toString(), /halfwhole$/);
    await ended;
  });

  const SAYS = `echo; exec >&-; echo 'hello 1' >&3; exec cat <&3 >/dev/null`;
  const FLOODS = `echo; exec >&-; exec yes 'message "${'x'.repeat(1000)}"' >&3`;
  const talking = (text) => start({ 'page.sh': program(text) }, LONG);

  test('waits for goodbye-timeout for a page that acknowledges nothing', async () => {
    await talking(SAYS);
    const page = await SessionClient.connects(server, 'page', { acknowledge: false });
    await page.hears('hello 1');
    await server.ends();
    await page.isClosed(1012, 'draining retry=5');
  });

  test('waits no longer for a page that does not read', async () => {
    await talking(FLOODS);
    const page = await SessionClient.connects(server, 'page');
    page.ws.pause();
    await server.ends();
  });

  test('nor for a plain client that does not read', async () => {
    await talking(FLOODS);
    const client = await openPlain(server.at('page'));
    client.pause();
    await server.ends();
  });

  test('and says its last messages to a page that acknowledges in that time', async () => {
    await start({ 'page.sh': program(SAYS) }, [...LONG, '--goodbye-timeout', '30s']);
    const page = await SessionClient.connects(server, 'page', { acknowledge: false });
    await page.hears('hello 1');
    server.child.kill('SIGTERM');
    await server.logged(/server\.draining/);
    page.says('.ack 1');
    await page.isClosed(1012, 'draining retry=5');
    await server.ends();
  });

  test('does not wait for an answer of a shared program that stands still', async () => {
    const client = await half('waits');
    assert.equal((await client.answer({ head: true })).status, 200);
    await server.ends();
  });
});
