// SPDX-License-Identifier: MIT
// leftovers.test.mjs - after a storm of clients that break off at every possible point nothing
// stays behind: no process, no descriptor, no session.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { random } from '../lib/proxy.mjs';
import { begin, request } from '../lib/request.mjs';
import { adminOf, REPO, resources, startServer } from '../lib/server.mjs';
import { newKey, openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';
import { closeFrame, frame, handshake, OP, RawWebSocket } from '../lib/ws-raw.mjs';

const ROUNDS = 6;
const AT_ONCE = 8;
const ARGS = [
  '--eof-grace',
  '200ms',
  '--term-grace',
  '200ms',
  '--attach-timeout',
  '5s',
  '--detach-timeout',
  '1s',
  '--goodbye-timeout',
  '200ms',
  '--head-timeout',
  '1s',
  '--body-timeout',
  '1s',
  '--idle-timeout',
  '1s',
  '--answer-timeout',
  '10s', // a busy machine starts eight programs at once
  '--ping-interval',
  '1s',
  '--admin',
  '127.0.0.1:0',
];

let server;
let admin;
before(async () => {
  server = await startServer({
    root: path.join(REPO, 'tests/scenario/programs'),
    threads: 4,
    args: ARGS,
  });
  admin = await adminOf(server);
});
after(async () =>
  assert.deepEqual(
    await server.stop(),
    { code: 0, signal: null },
    server.log.slice(-20).join('\n'),
  ),
);

const url = (name) => `${server.url}/${name}`;
const ours = () => ({
  Host: `127.0.0.1:${server.port}`,
  Origin: server.url,
  'Sec-WebSocket-Protocol': `httpsocket.v1, key.${newKey()}`,
});
const upgrade = (name) => handshake(ours(), { line: `GET /${name} HTTP/1.1` });

async function raw(bytes) {
  const socket = net.connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (bytes) await new Promise((resolve) => socket.write(bytes, resolve));
  return socket;
}

/** Sends these bytes, then resets the connection. */
const breaksOff = (bytes) => async () => (await raw(bytes)).resetAndDestroy();

/** Sends these bytes, then nothing more; waits until the server has had enough. */
const dawdles = (bytes) => async () => {
  const socket = await raw(bytes);
  await once(socket.resume(), 'close');
};

/** Opens a session and sends these frames, then is gone. */
const sends =
  (...frames) =>
  async () => {
    const socket = await RawWebSocket.connect(server.port);
    socket.socket.write(upgrade('talk'));
    await socket
      .until((inbox) => (inbox.includes('.welcome') ? true : null))
      .catch((error) => {
        throw new Error(`${error.message}: ${socket.inbox.toString('latin1').slice(-200)}`);
      });
    await socket.send(...frames);
    socket.destroy();
  };

/** Each breaks off, or breaks a rule, at another point. `chance` is a number from 0 to 1. */
const odd = {
  'connects and leaves': breaksOff(),
  'connects and is silent': dawdles(),
  'sends half a head': dawdles('GET / HTTP/1.1\r\nHost: 127'),
  'leaves within a head': breaksOff('GET /talk HTTP/1.1\r\nHo'),
  'speaks no HTTP': dawdles('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  'leaves after asking for a page': () =>
    breaksOff(`GET /talk HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`)(),
  'leaves within a body': () =>
    breaksOff(
      `POST /environment HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 1000000\r\n\r\nabc`,
    )(),
  'dawdles within a chunked body': () =>
    dawdles(
      `POST /environment HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab`,
    )(),
  'leaves within a handshake': (chance) =>
    breaksOff(upgrade('talk').slice(0, Math.floor(chance * upgrade('talk').length)))(),
  'leaves after the handshake, before its program has answered': () => breaksOff(upgrade('talk'))(),
  'asks a program that never answers, and leaves': () => breaksOff(upgrade('odd?never-answers'))(),
  'asks a program that never answers, and waits': () => request(url('odd?never-answers')),
  'asks a program that dies in its answer': () =>
    request(url('odd?dies-in-the-answer')).catch(() => {}),
  'loads a page and never connects': () => openPage(url('talk')),
  'breaks off a download': async () => {
    const { request: sent, response } = await begin(url('odd?floods-stdout'));
    response.on('error', () => {});
    await once(response, 'data');
    sent.destroy();
  },
  'loses its connection for good': async () => {
    const { client } = await openPage(url('talk'));
    await client.connect();
    await client.cut();
  },
  'says goodbye': async () => {
    const { client } = await openPage(url('talk'));
    await client.connect();
    client.send('.bye {}');
    client.ws.close(1001);
    await client.closed;
  },
  'takes over from itself': async () => {
    const { client } = await openPage(url('talk'));
    for (let i = 0; i < 4; i++) await client.connect();
    client.send('.close {}');
    await client.closed;
  },
  'leaves while a flood comes': async () => {
    const client = new SessionClient(url('tally'));
    await client.connect();
    client.send('flood {"count":200,"size":50000}');
    await client.next(/^part/);
    await client.cut();
  },
  'leaves within a frame': (chance) => {
    const whole = frame(OP.TEXT, `say "${'x'.repeat(1000)}"`);
    return sends(whole.subarray(0, Math.floor(chance * whole.length)))();
  },
  'breaks RFC 6455': sends(frame(OP.TEXT, 'x', { rsv: 1 })),
  'breaks our protocol': sends(frame(OP.TEXT, 'not [ours')),
  'closes and says more': sends(closeFrame(1000), frame(OP.TEXT, 'say 1')),
  'makes its program crash': sends(frame(OP.TEXT, 'kill 11')),
  'makes its program break the rules': sends(frame(OP.TEXT, 'write "\\u0001\\n"')),
  'is of the plain form, and leaves': async (chance) => {
    const ws = new WebSocket(url('plain').replace('http', 'ws'));
    await once(ws, 'open');
    ws.send('x'.repeat(Math.floor(chance * 100000)));
    ws.terminate();
    await once(ws, 'close');
  },
  'is of the plain form, and resets within the handshake': () =>
    breaksOff(handshake({ Host: `127.0.0.1:${server.port}` }, { line: 'GET /plain HTTP/1.1' }))(),
  'starts a program that leaves grandchildren': () => request(url('odd?grandchildren')),
  'comes from elsewhere': () =>
    new SessionClient(url('talk'), { origin: 'http://evil.example' }).connect().catch(() => {}),
};

test(
  'after a storm of odd clients the server has the descriptors and children that it had before',
  { timeout: 400000 },
  async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
    t.diagnostic(`SEED=${seed}`);
    const rand = random(seed);
    await request(url('environment'));
    await until(() => resources(server.pid).children.length === 0);
    await until(async () =>
      /^httpsocket_connections 0$/m.test((await request(`${admin}/metrics`)).body),
    );
    const atRest = resources(server.pid).descriptors;

    const left = [];
    for (let i = 0; i < ROUNDS; i++) left.push(...Object.entries(odd));
    left.sort(() => rand() - 0.5);
    const total = left.length;
    const failures = [];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let one; (one = left.pop());)
          await one[1](rand()).catch((error) => failures.push(`${one[0]}: ${error.message}`));
      }),
    );

    // On a busy machine a program may be too slow for this server's impatience; but that is not
    // what the storm is made of.
    assert.ok(failures.length < total / 20, failures.join('\n'));
    let now;
    await until(
      () => (now = resources(server.pid)).children.length === 0 && now.descriptors <= atRest,
      () => `${JSON.stringify(now)}, at rest ${atRest}`,
      120000,
    );
    const gauges = ['connections', 'programs', 'sessions', 'sessions_attached', 'websockets'];
    let body;
    await until(
      async () => {
        ({ body } = await request(`${admin}/metrics`));
        return gauges.every((gauge) => new RegExp(`^httpsocket_${gauge} 0$`, 'm').test(body));
      },
      () => body,
    );
    assert.match(
      body,
      /^httpsocket_programs_start_failures_total 0$/m,
      server.log.filter((line) => line.includes('start_failed')).join('\n'),
    );
    assert.equal((await request(url('environment'))).status, 200);
    t.diagnostic(
      `${total} clients (${failures.length} did not get as far as meant), ${/^httpsocket_programs_started_total (\d+)$/m.exec(body)[1]} programs, ${atRest} descriptors`,
    );
  },
);
