// SPDX-License-Identifier: MIT
/** Which session carries a TCPConnection, and how long a shared session lives. */
import '../src/part-streams.mjs';
import '../src/part-tcp.mjs';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import vm from 'node:vm';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FakeStreams } from './fake-streams.mjs';
import {
  FakeObserver,
  fakeScope,
  fakeWebSockets,
  FakeClock,
  SESSION,
  welcomeFields,
} from './fakes.mjs';

const js = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'httpsocket-gateways-'));
test.after(() => rmSync(folder, { recursive: true }));
execFileSync(join(js, 'assemble'), ['js', join(js, 'src'), folder]);
const client = readFileSync(join(folder, 'client.all.js'), 'utf8');
const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * A page that has loaded the classic script. `session`: a program has made the page. Each socket
 * leads to a server that has streams.
 */
function page({ session } = {}) {
  const sockets = fakeWebSockets();
  const clock = new FakeClock();
  const scope = fakeScope();
  const href = 'https://a.example/dir/page.html?x=1';
  const meta = session && { content: session };
  Object.assign(scope.document, {
    readyState: 'complete',
    baseURI: href,
    location: new URL(href),
    currentScript: null,
    documentElement: { dataset: {} },
    defaultView: Object.assign(scope, { location: new URL(href) }),
    querySelector: (selector) => (selector.startsWith('meta') ? meta : null),
  });
  const { setTimeout, clearTimeout } = clock;
  const context = vm.createContext({
    document: scope.document,
    location: new URL(href),
    origin: 'https://a.example',
    WebSocket: sockets.WebSocket,
    performance: { now: () => clock.now(), getEntriesByType: () => [] },
    addEventListener: () => {},
    ...{
      setTimeout,
      clearTimeout,
      queueMicrotask,
      EventTarget,
      Event,
      MutationObserver: FakeObserver,
      URL,
      AbortController,
      crypto,
      btoa,
    },
    ...{
      DOMException,
      TextEncoder,
      TextDecoder,
      ReadableStream,
      WritableStream,
      Uint8Array,
      ArrayBuffer,
      DataView,
    },
  });
  vm.runInContext(client, context);
  const streams = new Map();
  /** Welcomes new sockets, and carries frames until nothing moves. */
  const settle = async () => {
    for (let quiet = 0; quiet < 3; quiet++) {
      await turn();
      for (const socket of sockets.made) {
        if (socket.readyState === 0) {
          const server = new FakeStreams();
          streams.set(socket, server);
          socket.welcome({ ...welcomeFields(), ...server.welcome, ...(session && { session }) });
          server.attach((bytes) => socket.receive(Uint8Array.from(bytes)));
        }
        for (const message of socket.take()) {
          quiet = 0;
          if (typeof message !== 'string') streams.get(socket)?.receive(message);
        }
      }
    }
  };
  const tcp = (options) =>
    vm.runInContext('(options) => new TCPConnection("b.example", 7, options)', context)(options);
  return { context, clock, settle, tcp, made: sockets.made };
}

test('a page without a program: all connections share one session, at the common path of its server', async () => {
  const { tcp, settle, made } = page();
  const all = [tcp(), tcp(), tcp({ via: '/.httpsocket/connect' })];
  await settle();
  await Promise.all(all.map((t) => t.opened));
  assert.deepEqual(
    made.map(({ url }) => url),
    ['wss://a.example/.httpsocket/connect'],
  );
});

test('a page with a program: its session carries them', async () => {
  const { tcp, settle, made, context } = page({ session: SESSION });
  const t = tcp();
  await settle();
  await t.opened;
  assert.equal(made.length, 1);
  assert.equal(made[0].url, 'wss://a.example/dir/page.html?x=1');
  assert.equal(vm.runInContext('document.serverConnection.readyState', context), 1);
});

test('a URL as `via` is relative to the document, and has a session of its own', async () => {
  const { tcp, settle, made } = page();
  const all = [
    tcp({ via: 'gateway' }),
    tcp({ via: 'https://g.example/x' }),
    tcp({ via: new URL('wss://g.example/x') }),
  ];
  await settle();
  await Promise.all(all.map((t) => t.opened));
  assert.deepEqual(made.map(({ url }) => url).sort(), [
    'wss://a.example/dir/gateway',
    'wss://g.example/x',
  ]);
});

test('a shared session ends a minute after its last connection, and is made anew', async () => {
  const { tcp, settle, made, clock } = page();
  const [one, two] = [tcp(), tcp()];
  await settle();
  await Promise.all([one.opened, two.opened]);
  one.disconnect();
  two.disconnect();
  await settle();
  clock.advance(30_000); // neither target has ended: both are reset, and a minute begins
  await settle();
  clock.advance(29_000);
  assert.equal(made[0].closedWith, null);
  const three = tcp();
  await settle();
  await three.opened;
  clock.advance(31_500);
  assert.equal(made.length, 1, 'used again in time');
  three.disconnect();
  await settle();
  clock.advance(30_000);
  await settle();
  for (let second = 0; second < 61; second++) {
    made[0].receive('.ping');
    clock.advance(1000);
  }
  assert.deepEqual(made[0].closedWith, { code: 1000, reason: undefined });
  const four = tcp();
  await settle();
  await four.opened;
  assert.equal(made.length, 2);
});

test('a refused shared session fails its connections; the next one tries again', async () => {
  const { tcp, made } = page();
  const first = tcp();
  made[0].accept();
  made[0].lose(4404, 'no-program');
  assert.equal(await first.opened.catch((error) => error.code), 'no-program');
  tcp();
  assert.equal(made.length, 2);
});
