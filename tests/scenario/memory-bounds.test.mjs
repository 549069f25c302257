// SPDX-License-Identifier: MIT
// memory-bounds.test.mjs - one client tries to make the server hold more than its share, in one
// state after the other; meanwhile another client is served.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, describe, test } from '../lib/test.mjs';
import { adminOf, makeRoot, startServer, stopAll } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';
import { OP, RawSocket, frame, handshake, readHead } from '../lib/ws-raw.mjs';

const MIB = 1 << 20;
const SHARE = 16 * MIB;

const sleeper = (first) => ({
  mode: 0o755,
  text: `#!/usr/bin/env python3
import os, signal
os.write(1, b"${first}")
os.close(1)
signal.pause()
`,
});

/** Lets everybody in, and reads nothing. */
const DEAF = sleeper('\\n');
/** Sends a megabyte, again and again. */
const TALKER = {
  mode: 0o755,
  text: `#!/usr/bin/env python3
import os, socket
os.write(1, b"\\n")
os.close(1)
fd = socket.socket(fileno=3)
while True:
    fd.sendall(b"tell " + b"1" * 1000000 + b"\\n")
`,
};
/** Sends a client of the plain form 8 MB. */
const REPORTER = {
  mode: 0o755,
  text: TALKER.text.replace('tell', 'message').replace('1000000', '8000000'),
};
/** The same for a session, and ends. */
const LAST_WORDS = {
  mode: 0o755,
  text: TALKER.text.replace('while True', 'if True').replace('1000000', '8000000'),
};
/** Sends back each message as it comes. */
const ECHO = {
  mode: 0o755,
  text: `#!/usr/bin/env python3
import os, socket
os.write(1, b"\\n")
os.close(1)
fd = socket.socket(fileno=3)
for line in fd.makefile("rb"):
    if not line.startswith(b"."):
        fd.sendall(line)
`,
};

/** The same, begun in no time. */
const SILENT = { mode: 0o755, text: '#!/bin/sh\necho\nexec >&-\nexec sleep 600\n' };

const files = {
  deaf: DEAF,
  silent: SILENT,
  talker: TALKER,
  reporter: REPORTER,
  'last-words': LAST_WORDS,
  echo: ECHO,
  'hello.txt': 'hello',
};
/** Clients that have left are noticed soon. */
const GRACES = ['--detach-timeout', '100ms', '--eof-grace', '100ms', '--term-grace', '100ms'];
GRACES.push('--ping-interval', '500ms');
/** They are tried elsewhere. */
const RATES = ['--rate-client', 'off', '--rate-programs', 'off'];
let server, sockets, atRest, topicsStay, folder;
/** The sanitizer keeps what was freed, which is not what is measured here. */
const LEAN = {
  ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1:thread_local_quarantine_size_kb=64`,
};
/** And it has bytes of its own for each of ours. */
const SANITIZERS = 4;

async function start(args = []) {
  sockets = [];
  server = await startServer({
    files,
    args: [...GRACES, ...RATES, '--admin', '127.0.0.1:0', '--no-supervisor', ...args],
    env: LEAN,
  });
  await othersAreServed();
  atRest = { now: server.resident, peak: server.residentPeak };
}

/** The server's real memory has grown by no more than this, now or ever: `what` is now or peak. */
function hasGrownBy(what, most) {
  const grown = (what === 'now' ? server.resident : server.residentPeak) - atRest[what];
  assert.ok(grown <= most, `${Math.round(grown / MIB)} MiB of real memory`);
}

async function opens(where, protocol) {
  const raw = await RawSocket.connect(server.port);
  sockets.push(raw);
  const here = `127.0.0.1:${server.port}`;
  const change = { Host: here, Origin: `http://${here}` };
  if (protocol) change['Sec-WebSocket-Protocol'] = protocol;
  raw.socket.write(handshake(change, { line: `GET /${where} HTTP/1.1` }));
  assert.equal((await readHead(raw)).status, 101);
  return raw;
}

/** The server finds all at once that comes meanwhile. */
async function whileStopped(what) {
  process.kill(server.pid, 'SIGSTOP');
  try {
    await what();
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
}

/** The kernel takes no more of what these write. */
async function areInTheKernel(all) {
  let before = -1;
  await until(
    () => {
      const now = all.reduce((sum, raw) => sum + raw.socket.writableLength, 0);
      const same = now === before;
      before = now;
      return same;
    },
    () => `${before} bytes are still to be written`,
  );
}

let keys = 0;
const session = (where) => opens(where, `httpsocket.v1, key.${String(keys++).padStart(24, 'k')}`);

/** Somebody else, at another address, is served. */
async function othersAreServed() {
  const other = await RawSocket.connect(server.port, { from: '127.0.0.2' });
  other.socket.write('GET /hello.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  assert.equal((await readHead(other)).status, 200);
  other.destroy();
}

/** Waits until this metric stays as it is, and something holds. */
async function comesToRest(name, holds = () => true) {
  let before = -1;
  await until(
    async () => {
      const now = await server.metric(name);
      const same = now === before && holds();
      before = now;
      return same;
    },
    () => `${name} ${before}`,
  );
}

/** The server reads no more from this client, which would send more. */
const stalls = (raw) => comesToRest('received_bytes_total', () => raw.socket.writableLength > 0);

const held = () => server.metric('memory_bytes');

/** No more than its share is held, once it stands still. */
async function keepsToItsShare(most = SHARE) {
  let now;
  await until(
    async () => (now = await held()) <= most,
    () => `${now} bytes are held`,
  );
  await othersAreServed();
}

afterEach(async () => {
  for (const raw of sockets) raw.destroy();
  if (!topicsStay) await server.hasMetric('memory_bytes', 0);
  await server.ends();
});
after(() => (folder?.remove(), stopAll()));

/** A file with this token. */
function tokenFile(token) {
  folder = makeRoot({ token });
  return path.join(folder.root, 'token');
}

async function publishes(token, topic, text) {
  const { status } = await visitor.asks(`${await adminOf(server)}/publish`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ topic, event: 'said', data: text }),
  });
  assert.equal(status, 200);
}

describe('one client', () => {
  test('that opens and resets streams waits for a program that does not read', async () => {
    await start();
    const raw = await session('deaf');
    const json = JSON.stringify({ kind: 'stream', name: 'x', data: 'y'.repeat(60000) });
    const pieces = [];
    for (let n = 1; n < 200; n++) {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(n, 1);
      for (const [type, body] of [
        [1, json],
        [6, '{"reason":"x"}'],
      ])
        pieces.push(
          frame(
            OP.BINARY,
            Buffer.concat([Buffer.from([type]), head.subarray(1), Buffer.from(body)]),
          ),
        );
    }
    raw.socket.write(Buffer.concat(pieces));
    await stalls(raw);
    await keepsToItsShare(4 * MIB);
  });

  test('that sends a long text of control characters has it held once, not six times', async () => {
    await start();
    const raw = await opens('deaf');
    raw.socket.write(frame(OP.TEXT, Buffer.alloc(15 * MIB, 1)));
    await until(
      async () => (await server.metric('websocket_messages_in_total')) === 1,
      () => 'in',
    );
    await keepsToItsShare();
    assert.ok((await held()) > 14 * MIB, 'the message is there');
  });

  test('that begins many messages and ends none loses the largest', async () => {
    await start();
    for (let i = 0; i < 8; i++) {
      const raw = await session('deaf');
      raw.socket.write(frame(OP.TEXT, Buffer.alloc(4 * MIB, 97), { length: 5 * MIB }));
    }
    await server.logged(/memory\.let_go .*client=127\.0\.0\.1/);
    await keepsToItsShare();
  });

  test('that reads nothing of what many programs say keeps to its share', async () => {
    await start();
    for (let i = 0; i < 24; i++) (await session('talker')).socket.pause();
    await server.logged(/memory\.let_go .*client=127\.0\.0\.1/);
    await keepsToItsShare();
    await comesToRest('memory_let_go_total{bound="client"}');
    hasGrownBy('now', 2 * SHARE);
  });

  test('that reads nothing of a session which is over has it counted until it leaves', async () => {
    await start();
    (await session('last-words')).socket.pause();
    let now;
    await until(
      async () => {
        now = await server.metrics();
        return now.httpsocket_sessions === 0 && now.httpsocket_memory_bytes > 7 * MIB;
      },
      () => `${now.httpsocket_sessions} sessions, ${now.httpsocket_memory_bytes} bytes`,
    );
  });

  test('that is let go in the plain form leaves nothing behind that waits for it', async () => {
    await start(['--memory-per-client', '1M']);
    const raw = await opens('reporter');
    raw.socket.pause();
    await server.logged(/memory\.let_go what=page client=127\.0\.0\.1/);
    raw.socket.resume();
    await assert.rejects(new RawReader(raw).message(), /ended before all came/);
    await othersAreServed();
  });

  test('that sends bodies which no program reads has them counted', async () => {
    await start();
    const raw = await RawSocket.connect(server.port);
    sockets.push(raw);
    const head = 'POST /deaf HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n';
    raw.socket.write(head + 'x'.repeat(200000));
    await until(
      async () => (await held()) > 0,
      () => 'something is counted',
    );
  });

  test('that floods from many connections at once passes its share by what one of them brings', async () => {
    await start(['--memory-per-client', '1M']);
    const all = [];
    for (let i = 0; i < 100; i++) all.push(await session('silent'));
    atRest.peak = server.residentPeak;
    await whileStopped(async () => {
      for (const raw of all)
        raw.socket.write(frame(OP.TEXT, Buffer.alloc(2 * MIB, 97), { length: 3 * MIB }));
      await areInTheKernel(all);
    });
    await server.logged(/memory\.let_go .*client=127\.0\.0\.1/);
    await keepsToItsShare(MIB + 3 * MIB);
    hasGrownBy('peak', 32 * MIB);
  });

  test('that sends many requests in a row and reads no answer makes the server hold little', async () => {
    await start();
    const asked = Buffer.from('GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(2500));
    for (let i = 0; i < 100; i++) {
      const raw = await RawSocket.connect(server.port);
      sockets.push(raw);
      raw.socket.pause();
      raw.socket.write(asked);
    }
    await comesToRest('http_requests_total');
    await keepsToItsShare();
    hasGrownBy('peak', SANITIZERS * SHARE);
  });

  test('that asks for answers and does not read them is not read', async () => {
    await start();
    const raw = await session('deaf');
    raw.socket.pause();
    raw.socket.write(Buffer.concat(Array(4_000_000).fill(frame(OP.TEXT, '.ping'))));
    await stalls(raw);
    await keepsToItsShare(2 * MIB);
  });

  test('that sends a message as large as may be gets it back', async () => {
    await start();
    const raw = await opens('echo');
    raw.socket.write(frame(OP.TEXT, Buffer.alloc(16 * MIB, 97)));
    const echoed = await new RawReader(raw).message();
    assert.equal(echoed, 16 * MIB);
    assert.deepEqual(server.lines(/memory\.let_go/), []);
  });
});

describe('a shared program that does not read', () => {
  test('has a thousand requests refused when it is crowded, and its lines given back (M6)', async () => {
    await start(['--shared', '/deaf', '--shared-idle', '100ms', '--answer-timeout', '60s']);
    const head = `GET /deaf HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'x'.repeat(12000)}\r\n\r\n`;
    const refused = [];
    for (let i = 0; i < 1000; i++) {
      const raw = await RawSocket.connect(server.port);
      sockets.push(raw);
      raw.socket.write(head);
      raw.socket.on('data', (data) => refused.push(String(data).split(' ')[1]));
      if (refused.length > 100) break;
    }
    await until(
      () => refused.length > 100,
      () => `${refused.length} are refused`,
    );
    assert.deepEqual([...new Set(refused)], ['503']);
    assert.ok((await server.metric('shared_crowded_total')) > 100);
    await keepsToItsShare(4 * MIB);
  });
});

describe('memory', () => {
  test('that large messages took for a while is given back to the system in seconds (M7)', async () => {
    await start();
    const large = frame(OP.TEXT, Buffer.alloc(700_000, 97), { length: MIB });
    for (let round = 1; round <= 3; round++) {
      const all = [];
      for (let i = 0; i < 16; i++) all.push(await session('deaf'));
      for (const raw of all) raw.socket.write(large);
      await until(
        async () => (await held()) > 8 * MIB,
        () => 'they are held',
      );
      for (const raw of all) raw.destroy();
      await server.hasMetric('memory_bytes', 0);
    }
    await until(
      async () => (await server.metric('memory_given_back_total')) > 0,
      () => 'given back',
    );
    await until(
      () => server.resident - atRest.now < 16 * MIB,
      () => `${server.resident - atRest.now} bytes more than at rest`,
    );
  });

  test('of topics is counted, and the largest past gives way when all is full', async () => {
    const token = 'a-token-of-this-test-0123456789';
    await start(['--memory-max', '1M', '--publish-token', tokenFile(token)]);
    for (let i = 0; i < 40; i++)
      await publishes(token, `topic-${i}`, 'x'.repeat(i === 7 ? 60000 : 40000));
    await server.logged(/memory\.let_go what=topic client="" /);
    await until(
      async () => (await held()) <= MIB,
      async () => `${await held()} bytes`,
    );
    assert.ok((await held()) > MIB / 2, 'the others stay');
    assert.ok((await server.metric('topics_forgotten_total')) < 30);
    await othersAreServed();
    topicsStay = true;
  });
});

/** Reads frames without keeping them. */
class RawReader {
  constructor(raw) {
    this.raw = raw;
  }

  /** The length of what comes first, if the message takes long. */
  static pings(inbox) {
    let at = 0;
    while (inbox[at] === 0x89) at += 2;
    return at;
  }

  async message() {
    const head = await this.raw.until((inbox) => {
      const at = RawReader.pings(inbox);
      return inbox.length >= at + 10 ? inbox.subarray(at, at + 10) : null;
    });
    const length = Number(head.readBigUInt64BE(2));
    await this.raw.until(
      (inbox) => inbox.length >= RawReader.pings(inbox) + 10 + length || null,
      'all',
      () => 10 + length,
    );
    return length;
  }
}
