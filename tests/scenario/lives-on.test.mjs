// SPDX-License-Identifier: MIT
// lives-on.test.mjs - what one client or one program does wrong, or a reload in the middle, ends
// its own exchange or session, never the server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, test as testOf } from 'node:test';
import { RawHttp } from '../lib/http-raw.mjs';
import { visitor } from '../lib/visitor.mjs';
import { begin, request } from '../lib/request.mjs';
import { adminOf, makeRoot, startServer } from '../lib/server.mjs';
import { newKey, openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';
import { frame, handshake, OP, RawWebSocket, readHead } from '../lib/ws-raw.mjs';

const test = (name, run, seconds = 60) => testOf(name, { timeout: seconds * 1000 }, run);

/** Answers each request as its query says, and reads its descriptor 3 to the end. */
const SHARED = {
  mode: 0o755,
  text: `#!/usr/bin/env python3
import json, os, socket, sys, time
fd = socket.socket(fileno=3)
def say(session, word, *data):
    fd.sendall(f"@{session} {word}{''.join(' ' + json.dumps(d) for d in data)}\\n".encode())
for line in fd.makefile():
    session, word, *rest = line[1:].rstrip("\\n").split(" ", 2)
    data = json.loads(rest[0]) if rest else None
    if word == ".join":
        query = data["query"]
        if query == "whole":
            say(session, ".answer", "Content-Type: text/html\\n\\n<title>whole</title>")
            say(session, ".answer")
        elif query == "soon":
            time.sleep(0.3)
            say(session, ".answer")
        elif query == "":
            say(session, ".answer")
        elif query in ("half", "half-and-exit"):
            say(session, ".answer", "Content-Type: text/html\\n\\n<title>half")
            if query == "half-and-exit":
                sys.exit(0)
        elif query == "flood":
            say(session, ".answer", "Content-Type: text/plain\\n\\n")
            for i in range(512):
                fd.sendall(f"@{session} .answer @65536\\n".encode() + b"x" * 65536 + b"\\n")
    elif word == ".leave":
        print("left", session, data["reason"], file=sys.stderr, flush=True)
        if data["reason"] == "never-attached":
            say(session, ".answer")
    elif word == "echo":
        say(session, "echo", data)
`,
};

/** The same, once its folder says so, and says itself that it is shared. */
const SELFISH = {
  mode: 0o755,
  text: SHARED.text.replace(
    'def say',
    "while not os.path.exists('answer'): time.sleep(0.02)\nfd.sendall(b'.shared\\n')\ndef say",
  ),
};

const PLAIN = {
  mode: 0o755,
  text: `#!/bin/sh
echo
exec >&-
cat <&3 >/dev/null
`,
};

/** Begins a page and goes on with that for ever; it does not read its body. */
const ENDLESS = {
  mode: 0o755,
  text: `#!/bin/sh
printf 'Content-Type: text/html\\n\\n<title>endless</title>'
exec sleep 600
`,
};

/** Is started when its folder says so, and answers when it is told to by a file there. */
const SLOW = {
  mode: 0o755,
  text: `#!/bin/sh
echo $$ >>started
until [ -e answer ]; do sleep 0.02; done
cat answer
exec >&-
echo answered >&2
echo "pid $$" >&3
cat <&3 >/dev/null
`,
};

const OPEN = ['--rate-programs', 'off', '--rate-client', 'off', '--rate-origin', 'off'];
let server;

/** A server with these options whose settings are in a file: `set(text)` has it read them again. */
async function start(args = []) {
  const folder = makeRoot({
    'shared.py': SHARED,
    'plain.sh': PLAIN,
    'endless.sh': ENDLESS,
    'slow.sh': SLOW,
    'selfish.py': SELFISH,
    '.conf': '',
  });
  const conf = path.join(folder.root, '.conf');
  server = await startServer({
    root: folder.root,
    args: [...OPEN, '--config', conf, '--admin', '127.0.0.1:0', ...args],
    threads: 1,
  });
  server.root = folder.root;
  server.remove = folder.remove;
  let reloads = 0;
  server.set = async (text) => {
    fs.writeFileSync(conf, text);
    server.child.kill('SIGHUP');
    reloads++;
    await until(
      () => server.log.filter((line) => line.includes('config.reloaded')).length === reloads,
    );
  };
}

/** It is the same process, which ends as it should. */
async function livesOn() {
  assert.equal((await fetch(`${await adminOf(server)}/healthz`)).status, 200);
  SessionClient.dropAll();
  const log = () => server.log.slice(-40).join('\n');
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, log());
}

afterEach(async () => {
  SessionClient.dropAll();
  await server?.stop('SIGKILL'); // of a test that failed
  server?.remove();
});

describe('a limit is lowered by a reload', () => {
  test('below what has come of a head: 431', async () => {
    await start();
    const client = await RawHttp.connect(server.port);
    await client.send(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'x'.repeat(8000)}`);
    await request(`${server.url}/nothing`); // what came before it has been read
    await server.set('head-max = 600\n');
    const answer = await client.ask('x');
    assert.equal(answer.status, 431);
    client.destroy();
    await livesOn();
  });

  test('below what has come of a request line: 414', async () => {
    await start();
    const client = await RawHttp.connect(server.port);
    await client.send(`GET /${'x'.repeat(8000)}`);
    await request(`${server.url}/nothing`);
    await server.set('head-max = 600\n');
    assert.equal((await client.ask('x')).status, 414);
    client.destroy();
    await livesOn();
  });

  const openPlain = async () => {
    const socket = await RawWebSocket.connect(server.port);
    const change = { Host: `127.0.0.1:${server.port}`, Origin: server.url };
    await socket.send(handshake(change, { line: 'GET /plain HTTP/1.1' }));
    assert.equal((await readHead(socket)).status, 101);
    return socket;
  };
  const isTooLong = async (socket) => {
    const { op, payload } = await socket.next();
    assert.deepEqual([op, payload.readUInt16BE(0)], [OP.CLOSE, 1009]);
    socket.destroy();
  };

  test('below what has come of a message in fragments: 1009', async () => {
    await start();
    const socket = await openPlain();
    await socket.send(frame(OP.TEXT, 'x'.repeat(4000), { fin: false }), frame(OP.PING));
    assert.equal((await socket.next()).op, OP.PONG);
    await server.set('message-max = 2000\n');
    await socket.send(frame(OP.CONTINUATION, 'x', { fin: false }));
    await isTooLong(socket);
    await livesOn();
  });

  test('below what a session was told and has sent of a message: 1009, and no breach', async () => {
    await start(['--shared', '/shared.py']);
    const { client } = await openPage(`${server.url}/shared?whole`);
    await client.connect();
    client.ws.send(`echo "${'x'.repeat(4000)}`, { fin: false });
    client.ws.ping();
    await once(client.ws, 'pong'); // the server has read what came before
    await server.set('message-max = 2000\n');
    client.ws.send('x', { fin: false });
    await client.isClosed(1009, 'more than maxMessage');
    assert.equal(server.lines(/session\.breach/).length, 0);
    await livesOn();
  });

  test('below the length of a frame that has begun: 1009 once more than that has come', async () => {
    await start();
    const socket = await openPlain();
    const bytes = frame(OP.TEXT, 'x'.repeat(8000));
    await socket.send(frame(OP.PING), bytes.subarray(0, 1500));
    assert.equal((await socket.next()).op, OP.PONG);
    await server.set('message-max = 2000\n');
    await socket.send(bytes.subarray(1500));
    await isTooLong(socket);
    await livesOn();
  });
});

describe('a shared program', () => {
  const shared = ['--shared', '/shared.py'];
  const at = (query) => `${server.url}/shared?${query}`;

  test('exits in the middle of an answer: that answer breaks off, its other pages hear how it ended', async () => {
    await start(shared);
    const { client } = await openPage(at('whole'));
    await client.connect();
    client.send('echo 1');
    await client.next(/^echo 1/);
    const half = await begin(at('half'));
    const cut = assert.rejects(once(half.response.resume(), 'end'), { code: 'ECONNRESET' });
    await assert.rejects(request(at('half-and-exit')), { code: 'ECONNRESET' });
    await cut;
    assert.deepEqual(await client.closed, { code: 1000, reason: 'program-exit' });
    assert.equal((await request(`${server.url}/nothing`)).status, 404);
    await livesOn();
  });

  test('writes an answer faster than it is taken: it breaks off, the other pages go on', async () => {
    await start([...shared, '--shared-page-max', '64K']);
    const { client } = await openPage(at('whole'));
    await client.connect();
    const { response } = await begin(at('flood')); // and is not read
    const broken = assert.rejects(once(response, 'end'), { code: 'ECONNRESET' });
    await server.logged(/program\.overflow/);
    client.send('echo 1');
    await client.next(/^echo 1/);
    response.resume();
    await broken;
    await livesOn();
  });

  test('lets a client in whose session has waited too long: the client is refused, all others go on', async () => {
    await start([...shared, '--attach-timeout', '300ms', '--answer-timeout', '20s']);
    const { client } = await openPage(at('whole'));
    await client.connect();
    const late = await visitor.connects(at('silent'), {
      protocols: `httpsocket.v1, key.${newKey()}`,
    });
    assert.deepEqual([late.code, late.reason], [4504, 'program-timeout']);
    client.send('echo 2');
    await client.next(/^echo 2/);
    await livesOn();
  });
});

describe('a client that breaks off before its program has let it in', () => {
  const SHORT = ['--eof-grace', '10s', '--goodbye-timeout', '100ms', '--log-level', 'debug'];
  const LONG = ['--goodbye-timeout', '20s', '--eof-grace', '100ms'];
  const started = () => fs.readFileSync(path.join(server.root, 'started'), 'utf8').split('\n');
  const answers = (text) => fs.writeFileSync(path.join(server.root, 'answer'), text);
  const offer = (key) => ({ protocols: `httpsocket.v1, key.${key}` });
  const pid = async (socket) => (await socket.next()).payload.toString();

  /**
   * Sends the handshake, resets the connection once its program runs, and the server has seen it.
   */
  async function breaksOff(at, key, runs = () => fs.existsSync(path.join(server.root, 'started'))) {
    const socket = await RawWebSocket.connect(server.port);
    const change = {
      Host: `127.0.0.1:${server.port}`,
      Origin: server.url,
      'Sec-WebSocket-Protocol': offer(key).protocols,
    };
    await socket.send(handshake(change, { line: `GET ${at} HTTP/1.1` }));
    await until(runs);
    socket.socket.resetAndDestroy();
    await request(`${server.url}/nothing`);
  }

  test('and comes again with its key waits for the same program', async () => {
    await start(LONG);
    const key = newKey();
    for (let i = 0; i < 3; i++) await breaksOff('/slow', key);
    const again = visitor.connects(`${server.url}/slow`, offer(key));
    await request(`${server.url}/nothing`);
    answers('\n');
    const { first, socket } = await again;
    assert.match(first, /^\.welcome .*"resumed":false/);
    assert.deepEqual(started(), [started()[0], '']);
    assert.equal(await pid(socket), `pid ${started()[0]}`);
    socket.destroy();
    await livesOn();
  });

  test('finds the program that has let it in meanwhile, with all that it has said', async () => {
    await start(LONG);
    const key = newKey();
    await breaksOff('/slow', key);
    answers('\n');
    await server.logged(/program\.stderr.*answered/);
    const { first, socket } = await visitor.connects(`${server.url}/slow`, offer(key));
    assert.match(first, /^\.welcome/);
    assert.equal(await pid(socket), `pid ${started()[0]}`);
    socket.destroy();
    await livesOn();
  });

  test('and has been refused meanwhile asks a second program', async () => {
    await start(LONG);
    const key = newKey();
    await breaksOff('/slow', key);
    answers('Status: 403\n\n');
    await server.logged(/program\.exited/);
    assert.equal((await visitor.connects(`${server.url}/slow`, offer(key))).code, 4403);
    assert.equal(started().length, 3);
    await livesOn();
  });

  test('and comes again when the process has been told to end gets a new one', async () => {
    await start(SHORT);
    const key = newKey();
    await breaksOff('/slow', key);
    await server.logged(/program\.state.*slow.*eof-sent/);
    const again = visitor.connects(`${server.url}/slow`, offer(key));
    await until(() => started().length === 3);
    answers('\n');
    const { first, socket } = await again;
    assert.match(first, /^\.welcome/);
    assert.equal(await pid(socket), `pid ${started()[1]}`);
    socket.destroy();
    await livesOn();
  });

  test('of a shared program: it is found again, or leaves', async () => {
    await start(['--shared', '/shared.py']);
    await server.set('goodbye-timeout = 100ms\n');
    const key = newKey();
    const joined = () => server.log.filter((line) => line.includes('program.joined'));
    await breaksOff('/shared?never', key, () => joined().length === 1);
    await server.logged(/left.*page-left/);
    await server.set('goodbye-timeout = 20s\n');
    await breaksOff('/shared?soon', key, () => joined().length === 2);
    const { first, socket } = await visitor.connects(`${server.url}/shared?soon`, offer(key));
    assert.match(first, /^\.welcome/);
    assert.equal(joined().length, 2);
    socket.destroy();
    await livesOn();
  });

  test('of a program that shares itself: the next one joins it', async () => {
    await start(LONG);
    await breaksOff('/selfish', newKey(), () =>
      server.log.some((line) => line.includes('program.started')),
    );
    answers('');
    await server.logged(/program\.shared.*stays=yes/);
    const { first, socket } = await visitor.connects(`${server.url}/selfish`, offer(newKey()));
    assert.match(first, /^\.welcome/);
    assert.equal(server.log.filter((line) => line.includes('program.started')).length, 1);
    socket.destroy();
    await livesOn();
  });
});

describe('a client that resets its connection while nothing more is read from it', () => {
  const GRACES = ['--write-timeout', '300ms', '--goodbye-timeout', '100ms', '--eof-grace', '100ms'];
  const post = `POST /endless HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 400000\r\n\r\n`;
  const get = `GET /endless HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

  for (const [what, text] of [
    ['as its program does not read its upload', post + 'x'.repeat(400000)],
    ['as it is far ahead with requests', get.repeat(4000)],
  ])
    test(`${what}: its program is let go`, async () => {
      await start(GRACES);
      const client = await RawHttp.connect(server.port);
      client.send(text);
      await server.logged(/program\.started/);
      assert.equal((await client.answer({ head: true })).status, 200);
      client.socket.resetAndDestroy();
      await server.hasChildren(0);
      await server.hasMetric('connections', 0);
      await livesOn();
    });
});
