// SPDX-License-Identifier: MIT
/** TCPConnection with a fake server: both interfaces, errors, bans, the end of the session. */
import '../src/part-streams.mjs';
import '../src/part-tcp.mjs';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ServerConnection } from '../src/connection.mjs';
import { ExpiringStore } from '../src/access/expiring-store.mjs';
import { TCPConnection } from '../src/tcp.mjs';
import { FakeStreams } from './fake-streams.mjs';
import { openConnection, SESSION } from './fakes.mjs';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const text = (bytes) => Buffer.from(bytes).toString();

/** A session whose server has streams. `settle()` carries frames until nothing moves. */
function makeWorld({ fields = {}, store = new ExpiringStore(() => null), ...options } = {}) {
  const streams = new FakeStreams(options);
  const all = openConnection(ServerConnection, { store }, { ...streams.welcome, ...fields });
  const world = { ...all, streams, store, via: all.c };
  world.join = () => {
    const socket = all.last();
    streams.attach((bytes) => socket.receive(Uint8Array.from(bytes)));
  };
  world.carry = () => {
    const messages = all.last().take();
    for (const message of messages) if (typeof message !== 'string') streams.receive(message);
    return messages.length > 0;
  };
  world.settle = async () => {
    for (let quiet = 0; quiet < 3; quiet++) {
      await turn();
      if (world.carry()) quiet = 0;
      all.clock.advance(4);
    }
  };
  world.target = (i = 0) => streams.all[i];
  world.tcp = (more = {}) => new TCPConnection('b.example', 7, { via: all.c, ...more });
  world.join();
  return world;
}

/** The same session with an open connection. */
async function openWorld(options = {}, more = {}) {
  const world = makeWorld(options);
  const t = world.tcp(more);
  const events = [];
  for (const name of ['open', 'error', 'close'])
    t.addEventListener(name, (event) => events.push(event));
  await world.settle();
  return { ...world, t, events, names: () => events.map(({ type }) => type), info: await t.opened };
}

const codeOf = (promise) =>
  promise.then(
    () => assert.fail('fulfilled'),
    (error) => error.code,
  );

// Opening

test('it asks for what the options say, and opened tells both ends of it', async () => {
  const world = makeWorld();
  const options = { via: world.c, secure: true, noDelay: true, keepAliveDelay: 5000 };
  const t = new TCPConnection('imap.b.example', 993, options);
  assert.equal(t.readyState, TCPConnection.CONNECTING);
  await world.settle();
  const { readable, writable, ...rest } = await t.opened;
  assert.ok(readable instanceof ReadableStream && writable instanceof WritableStream);
  assert.deepEqual(rest, {
    remoteAddress: '192.0.2.7',
    remotePort: 7,
    localAddress: '192.0.2.1',
    localPort: 40_000,
  });
  assert.deepEqual(world.target().request, {
    kind: 'tcp',
    host: 'imap.b.example',
    port: 993,
    secure: true,
    noDelay: true,
    keepAliveDelay: 5000,
  });
  assert.deepEqual(
    [t.readyState, t.network, t.peer, t.port],
    [TCPConnection.OPEN, 'tls', '192.0.2.7', 993],
  );
});

test('arguments that make no sense throw at once, and ask nothing', async () => {
  const world = makeWorld();
  const via = world.c;
  const cases = [
    [[], TypeError],
    [['', 7, { via }], TypeError],
    [[5, 7, { via }], TypeError],
    [['b.example', undefined, { via }], TypeError],
    [['b.example', 'irc', { via }], TypeError],
    [['b.example', 7.5, { via }], TypeError],
    [['b.example', 0, { via }], RangeError],
    [['b.example', 65_536, { via }], RangeError],
    [['b.example', 7, null], TypeError],
    [['b.example', 7, { via: 5 }], TypeError],
    [['b.example', 7, { via: 'ftp://b.example/' }], TypeError],
    [['b.example', 7, {}], TypeError],
    [['b.example', 7, { via, keepAliveDelay: 999 }], TypeError],
    [['b.example', 7, { via, keepAliveDelay: '5000' }], TypeError],
    [['b.example', 7, { via, receiveBufferSize: 0 }], TypeError],
    [['b.example', 7, { via, sendBufferSize: -1 }], TypeError],
    [['b.example', 7, { via, dnsQueryType: 'ipv4' }], { name: 'NotSupportedError' }],
  ];
  for (const [args, error] of cases)
    assert.throws(() => new TCPConnection(...args), error, JSON.stringify(args.slice(0, 2)));
  await world.settle();
  assert.deepEqual(world.streams.all, []);
});

test('a refusal rejects opened and closed with its token, and fires error and close', async () => {
  const world = makeWorld();
  world.streams.onopen = (stream) =>
    stream.reset({ reason: 'origin-not-allowed', retryAfter: 60, message: 'not you' });
  const t = world.tcp();
  const events = [];
  t.onerror = (error) => events.push(['error', error.code]);
  t.onclose = ({ code, reason, retryAfter }) => events.push(['close', code, reason, retryAfter]);
  await world.settle();
  const error = await t.opened.catch((e) => e);
  assert.deepEqual(
    [error.name, error.code, error.retryAfter],
    ['NetworkError', 'origin-not-allowed', 60],
  );
  assert.equal(await t.closed.catch((e) => e), error);
  assert.deepEqual(events, [
    ['error', 'origin-not-allowed'],
    ['close', 'origin-not-allowed', 'b.example:7: not you', 60],
  ]);
  assert.equal(t.readyState, TCPConnection.CLOSED);
});

test('who was refused does not ask again before the time is over, by no tab; another target is free', async () => {
  const world = makeWorld();
  world.streams.onopen = (stream) => stream.reset({ reason: 'script-denied', retryAfter: 60 });
  await world.settle();
  const first = world.tcp();
  await world.settle();
  assert.equal(await codeOf(first.opened), 'script-denied');
  world.clock.advance(20_000);
  const tab = makeWorld({ store: world.store });
  tab.clock.time = world.clock.time;
  for (const [where, t] of [
    [world, world.tcp()],
    [tab, new TCPConnection('B.example', 7, { via: tab.c })],
  ]) {
    await where.settle();
    const error = await t.opened.catch((e) => e);
    assert.deepEqual([error.code, error.retryAfter], ['script-denied', 40]);
  }
  assert.equal(world.streams.all.length + tab.streams.all.length, 1, 'nobody was asked');
  const used = world.tcp(); // as if nothing were against it
  used.onread = () => {};
  assert.throws(() => used.send('x'), { code: 'closed' });
  used.disconnect();
  assert.equal(await codeOf(used.close()), 'script-denied');
  const other = new TCPConnection('b.example', 8, { via: tab.c });
  await tab.settle();
  assert.ok(await other.opened);
  const later = makeWorld({ store: world.store });
  later.clock.time = world.clock.time + 41_000;
  const again = later.tcp();
  await later.settle();
  assert.ok(await again.opened);
});

test('a refusal without a time is no ban', async () => {
  const world = makeWorld();
  world.streams.onopen = (stream) => stream.reset({ reason: 'tls-failed' });
  const first = world.tcp();
  await world.settle();
  assert.equal((await first.opened.catch((e) => e)).retryAfter, null);
  world.streams.onopen = (stream) => stream.accept();
  const second = world.tcp();
  await world.settle();
  assert.ok(await second.opened);
});

// Streams

test('readable gives the bytes of the target, and ends with it', async () => {
  const { target, settle, info } = await openWorld();
  target().write('hello ');
  target().write('world');
  target().end();
  await settle();
  let got = '';
  for await (const chunk of info.readable) got += text(chunk);
  assert.equal(got, 'hello world');
});

test('a reader with a buffer of his own gets exactly what fits, and the rest later', async () => {
  const { target, settle, info } = await openWorld();
  const reader = info.readable.getReader({ mode: 'byob' });
  target().write('0123456789');
  await settle();
  const first = await reader.read(new Uint8Array(4));
  assert.deepEqual([text(first.value), first.done], ['0123', false]);
  const waits = reader.read(new Uint8Array(100));
  assert.equal(text((await waits).value), '456789');
  const next = reader.read(new Uint8Array(3));
  target().write('ab');
  await settle();
  assert.equal(text((await next).value), 'ab');
  const last = reader.read(new Uint8Array(3));
  target().end();
  await settle();
  assert.equal((await last).done, true);
  assert.equal((await last).value.byteLength, 0);
});

test('the two kinds of reader may follow each other', async () => {
  const { target, settle, info } = await openWorld();
  target().write('0123456789');
  await settle();
  const byob = info.readable.getReader({ mode: 'byob' });
  assert.equal(text((await byob.read(new Uint8Array(4))).value), '0123');
  byob.releaseLock();
  const reader = info.readable.getReader();
  assert.equal(text((await reader.read()).value), '456789');
});

test('a large buffer of the reader is filled with all there is', async () => {
  const { target, settle, info } = await openWorld({ piece: () => 100 });
  target().write(Buffer.alloc(1000, 7));
  await settle();
  const { value } = await info.readable.getReader({ mode: 'byob' }).read(new Uint8Array(5000));
  assert.equal(value.byteLength, 1000);
});

test('nobody reads: the target may send receiveBufferSize ahead, and events go on', async () => {
  const { target, settle, info, c, last } = await openWorld({}, { receiveBufferSize: 2000 });
  target().write(Buffer.alloc(50_000));
  await settle();
  assert.equal(target().delivered, 2000);
  const heard = [];
  c.onhello = (n) => heard.push(n);
  last().receive('hello 1');
  assert.deepEqual(heard, [1]);
  const reader = info.readable.getReader();
  let got = (await reader.read()).value.length;
  await settle();
  assert.equal(target().delivered, 2000 + got);
  while (got < 50_000) {
    const read = reader.read();
    await settle();
    got += (await read).value.length;
  }
  assert.equal(got, 50_000);
});

test('write() is fulfilled when there is credit, and its bytes may change afterwards', async () => {
  const { target, streams, settle, info, t } = await openWorld({ window: 1000 });
  target().taken = 0;
  const writer = info.writable.getWriter();
  const bytes = new Uint8Array(1500).fill(1);
  let fulfilled = false;
  const writing = writer.write(bytes).then(() => (fulfilled = true));
  await settle();
  assert.equal(fulfilled, false);
  assert.equal(target().got.length, 1000);
  assert.equal(t.bufferedAmount, 500, 'what the server is not known to have');
  target().take(1000);
  await settle();
  await writing;
  bytes.fill(2);
  assert.ok(target().got.equals(Buffer.alloc(1500, 1)));
  assert.equal(t.bufferedAmount, 0);
  assert.equal(streams.live, 1);
});

test('sendBufferSize is what a writer may write before he is asked to wait', async () => {
  const { target, settle, info } = await openWorld({ window: 10 }, { sendBufferSize: 5000 });
  target().taken = 0;
  const writer = info.writable.getWriter();
  assert.equal(writer.desiredSize, 5000);
  writer.write(new Uint8Array(2000)).catch(() => {});
  assert.equal(writer.desiredSize, 3000);
  await settle();
  writer.write(new Uint8Array(4000)).catch(() => {});
  assert.ok(writer.desiredSize <= 0);
});

test('closing writable is a half-close, fulfilled when the server has everything; closed waits for both', async () => {
  const { target, settle, info, t, names } = await openWorld();
  const writer = info.writable.getWriter();
  writer.write(Buffer.from('question'));
  const closing = writer.close();
  await settle();
  await closing;
  assert.deepEqual([text(target().got), target().gotEnd], ['question', true]);
  assert.equal(t.readyState, TCPConnection.OPEN);
  target().write('answer');
  target().end();
  await settle();
  const reader = info.readable.getReader();
  assert.equal(text((await reader.read()).value), 'answer');
  assert.equal((await reader.read()).done, true);
  await t.closed;
  assert.deepEqual(names(), ['open', 'close']);
  assert.equal(t.readyState, TCPConnection.CLOSED);
});

test('abort resets, even while a write waits for credit, and everybody learns it', async () => {
  const { target, settle, info, t, names } = await openWorld({ window: 10 });
  target().taken = 0;
  const writer = info.writable.getWriter();
  const reader = info.readable.getReader();
  const writing = assert.rejects(writer.write(new Uint8Array(5000)));
  const reading = reader.read().catch((e) => e);
  await settle();
  const why = new Error('changed my mind');
  const aborting = writer.abort(why);
  await settle();
  await aborting;
  assert.equal(target().resetBy.reason, 'aborted');
  await writing;
  const error = await reading;
  assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'aborted', why]);
  assert.equal(await t.closed.catch((e) => e), error);
  assert.deepEqual(names(), ['open', 'close'], 'who gave it up needs no error');
});

test('bytes that are none fail the writer, and reset', async () => {
  const { target, settle, info, t } = await openWorld();
  const writer = info.writable.getWriter();
  const writing = writer.write('a string');
  await assert.rejects(writing, TypeError);
  await settle();
  assert.equal(target().resetBy.reason, 'aborted');
  assert.equal(await codeOf(t.closed), 'aborted');
});

test('cancelling readable drops what comes, and the other direction goes on', async () => {
  const { target, settle, info } = await openWorld();
  await info.readable.cancel();
  target().write(Buffer.alloc(50_000));
  await settle();
  const writer = info.writable.getWriter();
  writer.write(Buffer.from('still here'));
  await settle();
  assert.equal(text(target().got), 'still here');
});

test('a reset of the target fails both streams', async () => {
  const { target, settle, info, t, names } = await openWorld();
  const reading = codeOf(info.readable.getReader().read());
  const writing = codeOf(info.writable.getWriter().closed);
  target().reset({ reason: 'connection-reset' });
  await settle();
  assert.equal(await reading, 'connection-reset');
  assert.equal(await writing, 'connection-reset');
  assert.equal(await codeOf(t.closed), 'connection-reset');
  assert.deepEqual(names(), ['open', 'error', 'close']);
});

test('close() delivers what was written, reads no more, and resolves at the end', async () => {
  const { target, settle, info, t } = await openWorld();
  const writer = info.writable.getWriter();
  writer.write(Buffer.from('goodbye'));
  await assert.rejects(t.close(), { name: 'InvalidStateError' });
  writer.releaseLock();
  const closing = t.close();
  assert.equal(t.readyState, TCPConnection.CLOSING);
  await settle();
  await closing;
  assert.deepEqual([text(target().got), target().gotEnd], ['goodbye', true]);
  await t.close();
});

test('close() before it is open is an InvalidStateError', async () => {
  const world = makeWorld();
  await assert.rejects(world.tcp().close(), { name: 'InvalidStateError' });
});

test('a target that does not end after close() is reset half a minute later', async () => {
  const { target, settle, t, clock, streams } = await openWorld();
  const closing = t.close();
  await settle();
  await closing;
  target().write(Buffer.alloc(30_000));
  await settle();
  assert.equal(streams.live, 1);
  clock.advance(30_000);
  await settle();
  assert.equal(target().resetBy.reason, 'aborted');
  assert.equal(streams.live, 0);
});

// The simple interface

test('onopen, onread, send, disconnect and onclose are enough', async () => {
  const world = makeWorld();
  const t = world.tcp();
  const events = [];
  t.onopen = ({ remoteAddress }) => events.push(`open ${remoteAddress}`);
  t.onread = (bytes) => events.push(`read ${text(bytes)}`);
  t.onclose = ({ code }) => events.push(`close ${code}`);
  t.send('hällo ');
  t.send(Uint8Array.from([119]));
  t.send(Uint8Array.from([1, 111, 2]).subarray(1, 2).buffer.slice(1, 2));
  await world.settle();
  assert.equal(text(world.target().got), 'hällo wo');
  world.target().write('yes?');
  await world.settle();
  t.send('bye');
  t.disconnect();
  assert.throws(() => t.send('too late'), { code: 'closed' });
  await world.settle();
  assert.equal(text(world.target().got), 'hällo wobye');
  assert.ok(world.target().gotEnd);
  assert.deepEqual(events, ['open 192.0.2.7', 'read yes?', 'close closed']);
  t.disconnect();
});

test('the target ends: in the simple interface that is the end of both directions', async () => {
  const { target, settle, t, names, streams } = await openWorld();
  const got = [];
  t.addEventListener('read', ({ data }) => got.push(text(data)));
  t.send('question');
  await settle();
  target().write('answer');
  target().end();
  await settle();
  assert.deepEqual(got, ['answer']);
  assert.ok(target().gotEnd);
  assert.deepEqual(names(), ['open', 'close']);
  assert.equal(streams.live, 0);
});

test('reading by events and writing by a stream: closed, once, when both are over', async () => {
  const { target, settle, t, info, names } = await openWorld();
  t.onread = () => {};
  const writer = info.writable.getWriter();
  writer.close();
  await settle();
  writer.releaseLock();
  target().end();
  await settle();
  await t.closed;
  await turn();
  assert.deepEqual([t.readyState, names().at(-1)], [TCPConnection.CLOSED, 'close']);
});

test('send() is limited by buffer: what does not fit throws and is not sent', async () => {
  const { target, settle, t } = await openWorld({ window: 10 }, { buffer: 100 });
  target().taken = 0;
  t.send('x'.repeat(100));
  assert.throws(() => t.send('y'), { code: 'buffer-full', name: 'QuotaExceededError' });
  await settle();
  assert.equal(t.bufferedAmount, 90);
  t.send('z'.repeat(10));
  assert.throws(() => t.send({}), TypeError);
});

test('disconnect before it is open gives it up', async () => {
  const world = makeWorld();
  world.streams.onopen = () => {};
  const t = world.tcp();
  const events = [];
  for (const name of ['open', 'error', 'close'])
    t.addEventListener(name, ({ type, code }) => events.push([type, code]));
  await world.settle();
  t.disconnect();
  await world.settle();
  assert.deepEqual(events, [['close', 'aborted']]);
  assert.equal(await codeOf(t.opened), 'aborted');
  assert.equal(world.target().resetBy.reason, 'aborted');
});

test('the two interfaces keep each other out by the locks of the streams', async () => {
  const one = await openWorld();
  const reader = one.info.readable.getReader();
  assert.throws(() => (one.t.onread = () => {}), { name: 'InvalidStateError' });
  assert.throws(() => one.t.addEventListener('read', () => {}), { name: 'InvalidStateError' });
  one.t.send('by the simple one');
  assert.throws(() => one.info.writable.getWriter(), TypeError);
  assert.throws(() => one.t.disconnect(), { name: 'InvalidStateError' });
  one.target().write('by streams');
  await one.settle();
  assert.equal(text((await reader.read()).value), 'by streams');
  assert.equal(text(one.target().got), 'by the simple one');

  const two = await openWorld();
  two.t.onread = () => {};
  assert.ok(two.info.readable.locked);
  const writer = two.info.writable.getWriter();
  assert.throws(() => two.t.send('x'), { name: 'InvalidStateError' });
  two.target().end();
  await two.settle();
  assert.equal(two.target().gotEnd, false, 'the page has the writer, and closes when it likes');
  writer.close();
  await two.settle();
  await two.t.closed;
});

test('the simple interface has failures as events, and no unhandled rejection', async () => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const { target, settle, t, names } = await openWorld();
  t.onread = () => {};
  t.send('x');
  await settle();
  target().reset({ reason: 'idle-timeout' });
  await settle();
  await turn();
  process.off('unhandledRejection', note);
  assert.deepEqual(names(), ['open', 'error', 'close']);
  assert.deepEqual(unhandled, []);
});

// The session

test('it survives a drop: bytes of both directions arrive once', async () => {
  const world = await openWorld();
  const { target, settle, t, last, clock, made } = world;
  const got = [];
  t.onread = (bytes) => got.push(text(bytes));
  t.send('one ');
  await settle();
  last().take();
  t.send('two ');
  await turn();
  await turn();
  world.streams.detach();
  last().lose();
  target().write('three');
  clock.advance(500);
  assert.equal(made.length, 2);
  last().welcome({ ...world.streams.welcome, resumed: true });
  world.join();
  await settle();
  assert.equal(text(target().got), 'one two ');
  assert.deepEqual(got, ['three']);
});

test('the end of the session fails all its connections with its reason', async () => {
  for (const [code, reason, token] of [
    [1000, 'program-exit', 'program-exit'],
    [4500, 'program-failed status=1', 'program-failed'],
    [4410, 'session-gone', 'session-gone'],
    [1000, 'Good night', 'session-over'],
    [4400, 'wire-protocol: x', 'wire-protocol'],
  ]) {
    const { t, last, settle, names } = await openWorld();
    last().lose(code, reason);
    await settle();
    assert.equal(await codeOf(t.closed), token);
    assert.deepEqual(names(), ['open', 'error', 'close']);
  }
});

test('a session that is over already fails it', async () => {
  const world = makeWorld();
  world.last().lose(1000, 'program-exit');
  const t = world.tcp();
  assert.equal(await codeOf(t.opened), 'program-exit');
});

test('a frame that breaks the rules ends the session with 4400', async () => {
  const { last, events, t } = await openWorld();
  last().receive(Uint8Array.from([9, 0, 0, 0, 1]));
  assert.deepEqual(
    [last().closedWith.code, last().closedWith.reason],
    [4400, 'wire-protocol: no such frame'],
  );
  assert.equal(await codeOf(t.closed), 'wire-protocol');
  assert.ok(events.length >= 1);
});

test('a frame before the welcome ends the session', () => {
  const world = makeWorld();
  world.last().lose();
  world.clock.advance(500);
  world.last().accept();
  world.last().receive(Uint8Array.from([7, 0, 0, 0, 1]));
  assert.equal(world.last().closedWith.code, 4400);
});

test('a page that is put away keeps its connections, and goes on with them', async () => {
  const { scope, made, last, settle, target, info, streams, join, t } = await (async () => {
    const world = await openWorld();
    return world;
  })();
  streams.detach();
  scope.fire('pagehide', { persisted: true });
  target().write('meanwhile');
  scope.fire('pageshow', { persisted: true });
  assert.equal(made.length, 2);
  last().welcome({ ...streams.welcome, session: SESSION, resumed: true });
  join();
  await settle();
  const { value } = await info.readable.getReader().read();
  assert.equal(text(value), 'meanwhile');
  assert.equal(t.readyState, TCPConnection.OPEN);
});

test('a server without streams is told from one that refuses', async () => {
  const world = makeWorld({ fields: { streams: 0 } });
  assert.equal(await codeOf(world.tcp().opened), 'streams-unsupported');
});

test('where there are no byte streams, readable is an ordinary stream', async () => {
  const Real = globalThis.ReadableStream;
  globalThis.ReadableStream = class extends Real {
    constructor(source, strategy) {
      if (source?.type === 'bytes') throw new TypeError('not supported');
      super(source, strategy);
    }
  };
  try {
    const { target, settle, info } = await openWorld();
    assert.throws(() => info.readable.getReader({ mode: 'byob' }), TypeError);
    target().write('plain');
    target().end();
    await settle();
    const reader = info.readable.getReader();
    assert.equal(text((await reader.read()).value), 'plain');
    assert.equal((await reader.read()).done, true);
  } finally {
    globalThis.ReadableStream = Real;
  }
});
