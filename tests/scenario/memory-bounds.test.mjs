// SPDX-License-Identifier: MIT
// memory-bounds.test.mjs - one client tries to make the server hold more than its share, in one
// state after the other; meanwhile another client is served.
import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from '../lib/test.mjs';
import { startServer, stopAll } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
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

const files = { deaf: DEAF, talker: TALKER, reporter: REPORTER, echo: ECHO, 'hello.txt': 'hello' };
/** Clients that have left are noticed soon. */
const GRACES = ['--detach-timeout', '100ms', '--eof-grace', '100ms', '--term-grace', '100ms'];
GRACES.push('--ping-interval', '500ms');
let server, sockets;

async function start(args = []) {
  sockets = [];
  server = await startServer({ files, args: [...GRACES, '--admin', '127.0.0.1:0', ...args] });
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

let keys = 0;
const session = (where) => opens(where, `httpsocket.v1, key.${String(keys++).padStart(24, 'k')}`);

/** Somebody else, at another address, is served. */
async function othersAreServed() {
  const other = await RawSocket.connect(server.port, { from: '127.0.0.2' });
  other.socket.write('GET /hello.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  assert.equal((await readHead(other)).status, 200);
  other.destroy();
}

/** The server reads no more from this client, which would send more. */
async function stalls(raw) {
  let before = -1;
  await until(
    async () => {
      const now = await server.metric('received_bytes_total');
      const same = now === before && raw.socket.writableLength > 0;
      before = now;
      return same;
    },
    () => `received ${before}, to be sent ${raw.socket.writableLength}`,
  );
}

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
  await server.hasMetric('memory_bytes', 0);
  await server.ends();
});
after(stopAll);

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

/** Reads frames without keeping them. */
class RawReader {
  constructor(raw) {
    this.raw = raw;
  }

  async message() {
    const head = await this.raw.until((inbox) =>
      inbox.length >= 10 ? inbox.subarray(0, 10) : null,
    );
    const length = Number(head.readBigUInt64BE(2));
    await this.raw.until(
      (inbox) => inbox.length >= 10 + length || null,
      'all',
      () => 10 + length,
    );
    return length;
  }
}
