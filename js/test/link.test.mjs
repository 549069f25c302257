// SPDX-License-Identifier: MIT
/**
 * A session over fake sockets: welcome, window, acknowledgement, dead peers, reconnecting, the life
 * of the page, ends.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ServerConnection } from '../src/connection.mjs';
import { fakeConnection, openConnection, SESSION, welcomeFields } from './fakes.mjs';

const fake = (options) => fakeConnection(ServerConnection, options);
const opened = (options, fields) => openConnection(ServerConnection, options, fields);
const settled = () => new Promise((resolve) => setImmediate(resolve));

// Connecting

test('the handshake offers the subprotocol and a key of at least 128 random bits', () => {
  const { last } = fake();
  const [protocol, key, ...more] = last().protocols;
  assert.equal(protocol, 'httpsocket.v1');
  assert.match(key, /^key\.[\w-]{22,64}$/);
  assert.deepEqual(more, ['parts', 'state']);
  assert.notEqual(fake().last().protocols[1], key);
});

test('a page offers its session, and the URL holds nothing of it', () => {
  const { last } = fake({ session: SESSION });
  assert.deepEqual(last().protocols.slice(0, 2), ['httpsocket.v1', `session.${SESSION}`]);
  assert.equal(last().url, 'ws://a.example/page');
});

test('nothing is sent before the welcome', () => {
  const { c, last, events } = fake();
  c.send('a', 1);
  last().accept();
  c.send('b');
  assert.deepEqual(last().take(), []);
  assert.equal(c.readyState, ServerConnection.CONNECTING);
  last().receive(`.welcome ${JSON.stringify(welcomeFields())}`);
  assert.deepEqual(last().take(), ['a 1', 'b']);
  assert.equal(c.readyState, ServerConnection.OPEN);
  assert.equal(c.sessionId, SESSION);
  assert.deepEqual(events[0].data, { session: SESSION, resumed: false });
});

test('a connection cut before the welcome is tried again with the same key and without a session', () => {
  const { last, made, clock, names } = fake();
  const { protocols } = last();
  last().accept();
  last().lose();
  assert.deepEqual(names(), ['error']);
  clock.advance(250);
  assert.equal(made.length, 2);
  assert.deepEqual(last().protocols, protocols);
  last().welcome({ resumed: true });
  assert.deepEqual(names(), ['error', 'open']);
});

test('a server that does not speak the subprotocol ends the session', async () => {
  const { last, events, c } = fake();
  last().accept('');
  await settled();
  assert.equal(events[0].type, 'close');
  assert.match(events[0].reason, /httpsocket\.v1/);
  assert.equal(c.readyState, ServerConnection.CLOSED);
});

for (const [what, first] of Object.entries({
  'an event': 'hello 1',
  'an acknowledgement': '.ack 0',
  'another control message': '.ping',
  'half a welcome': '.welcome {"session":"x"}',
  'a welcome without JSON': '.welcome',
}))
  test(`${what} in the place of the welcome closes with 4400`, async () => {
    const { last, events } = fake();
    last().accept();
    last().receive(first);
    assert.equal(last().closedWith.code, 4400);
    await settled();
    assert.equal(events[0].code, 4400);
  });

test('an attempt that comes to no welcome is given up after a minute', () => {
  const { last, made, clock } = fake();
  last().accept();
  clock.advance(60_000);
  assert.ok(made[0].closedWith);
  clock.advance(250);
  assert.equal(made.length, 2);
});

test('a WebSocket that can not be made ends the session with the reason', async () => {
  class Refusing {
    constructor() {
      throw new Error('insecure');
    }
  }
  const { events, c } = fake({ WebSocket: Refusing });
  assert.equal(c.readyState, ServerConnection.CLOSED);
  await settled();
  assert.match(events[0].reason, /insecure/);
});

// Numbers, acknowledgement, window

test('after a drop the rest goes out again, in order and before anything new', () => {
  const { c, made, last } = opened();
  for (const n of [1, 2, 3]) c.send('n', n);
  last().receive('.ack 1');
  last().lose();
  assert.equal(made.length, 2, 'at once, for that connection had worked');
  c.send('n', 4);
  last().welcome({ resumed: true, received: 2 });
  assert.deepEqual(last().take(), ['n 3', 'n 4']);
});

test('the handshake after a drop says how much was received', () => {
  const { last } = opened();
  last().receive('a');
  last().receive('b');
  last().lose();
  assert.deepEqual(
    [last().protocols[1], last().protocols[3]],
    [`session.${SESSION}`, 'received.2'],
  );
  last().welcome({ resumed: true });
  last().receive('c');
  last().receive(Uint8Array.from([100, 10, 1]));
  last().lose();
  assert.equal(last().protocols[3], 'received.4');
});

test('control messages are not counted', () => {
  const { last } = opened();
  last().receive('.ping');
  last().receive('.future {"a":1}');
  last().receive('a');
  last().lose();
  assert.equal(last().protocols[3], 'received.1');
});

test('commands are counted, and answered by a problem where there is no document', () => {
  const { last } = opened();
  last().receive('.listen {"on":"click"}');
  last().receive('.dom []');
  last().receive('.unlisten {}');
  const why = 'there is no document here';
  assert.deepEqual(
    last().take(),
    ['listen', 'dom', 'unlisten'].map(
      (command) => `.problem ${JSON.stringify({ command, message: why })}`,
    ),
  );
  last().lose();
  assert.equal(last().protocols[3], 'received.3');
});

test('a command that only a page may send ends the session', () => {
  const { last } = opened();
  last().receive('.problem {}');
  assert.equal(last().closedWith.code, 4400);
});

test('no more than the window goes out unacknowledged, and bufferedAmount shows the rest', () => {
  const { c, last } = opened({}, { window: 20 });
  for (let i = 0; i < 5; i++) c.send('event', 12345); // 11 bytes
  assert.equal(last().take().length, 1);
  assert.equal(c.bufferedAmount, 55);
  last().receive('.ack 1');
  assert.equal(last().take().length, 1);
  assert.equal(c.bufferedAmount, 44);
});

test('a message larger than the window goes out alone', () => {
  const { c, last } = opened({}, { window: 20 });
  c.send('a');
  c.send('b', 'x'.repeat(100));
  c.send('c');
  assert.deepEqual(last().take(), ['a']);
  last().receive('.ack 1');
  assert.equal(last().take().length, 1);
  last().receive('.ack 2');
  assert.deepEqual(last().take(), ['c']);
});

for (const [what, text] of [
  ['more than was sent', '.ack 2'],
  ['less than before', '.ack 0'],
  ['no number', '.ack x'],
])
  test(`an acknowledgement of ${what} closes with 4400`, () => {
    const { c, last, made } = opened();
    c.send('a');
    last().receive('.ack 1');
    last().receive(text);
    assert.equal(made[0].closedWith.code, 4400);
    assert.match(made[0].closedWith.reason, /^wire-protocol: /);
    assert.equal(c.readyState, ServerConnection.CLOSED);
    assert.equal(made.length, 1, 'and does not come back');
  });

for (const [what, received] of [
  ['forgot what it had', 0],
  ['has what was never sent', 5],
])
  test(`a server that ${what} is left with 4400`, () => {
    const { c, last } = opened();
    c.send('a');
    c.send('b');
    last().receive('.ack 1');
    last().lose();
    last().welcome({ resumed: true, received });
    assert.equal(last().closedWith.code, 4400);
    assert.equal(c.readyState, ServerConnection.CLOSED);
  });

test('a new session in the place of ours is left with 4400', () => {
  const { last, c } = opened();
  last().lose();
  last().welcome({ resumed: false });
  assert.equal(last().closedWith.code, 4400);
  assert.equal(c.readyState, ServerConnection.CLOSED);
});

test('what was received is acknowledged within a quarter of a second', () => {
  const { last, clock } = opened();
  last().receive('a');
  clock.advance(100);
  last().receive('b');
  assert.deepEqual(last().take(), []);
  clock.advance(150);
  assert.deepEqual(last().take(), ['.ack 2']);
  clock.advance(5000);
  assert.deepEqual(last().take(), [], 'once');
});

test('64 messages, or a quarter of the window, are acknowledged at once', () => {
  const { last } = opened();
  for (let i = 0; i < 64; i++) last().receive('a');
  assert.deepEqual(last().take(), ['.ack 64']);
  last().receive(`a "${'x'.repeat(250)}"`);
  assert.deepEqual(last().take(), ['.ack 65']);
});

test('nothing that came before is acknowledged twice after a drop', () => {
  const { last, clock } = opened();
  last().receive('a');
  last().lose();
  last().welcome({ resumed: true });
  clock.advance(1000);
  assert.deepEqual(last().take(), []);
});

test('bad messages close with 4400 and say why', () => {
  for (const bad of [
    '',
    'a  1',
    'a {',
    '?',
    'é',
    'a\nb',
    Uint8Array.from([0, 1]),
    Uint8Array.from([97]),
  ]) {
    const { last, c } = opened();
    last().receive(bad);
    assert.equal(last().closedWith.code, 4400, JSON.stringify(bad));
    assert.equal(c.readyState, ServerConnection.CLOSED);
  }
});

// A dead peer

test('a ping is answered at once', () => {
  const { last } = opened();
  last().receive('.ping');
  assert.deepEqual(last().take(), ['.pong']);
});

test('a connection on which nothing came for twice the ping is dropped', () => {
  const { last, made, clock, names } = opened();
  clock.advance(30_000);
  last().receive('.ping');
  clock.advance(39_000);
  assert.deepEqual(names(), ['open']);
  clock.advance(1_000);
  assert.ok(made[0].closedWith);
  assert.deepEqual(names(), ['open', 'suspend']);
  assert.equal(made.length, 2);
});

test('what a dropped socket still says is not heard', () => {
  const { c, made, clock } = opened();
  const heard = [];
  c.addEventListener('late', () => heard.push('late'));
  clock.advance(40_000);
  made[0].receive('late');
  made[0].lose(1000, 'program-exit');
  assert.deepEqual(heard, []);
  assert.equal(c.readyState, ServerConnection.SUSPENDED);
});

test('after a sleep the peer is asked first, and dropped if it says nothing in 5 s', () => {
  const { made, clock, names } = opened();
  clock.sleep(3_600_000);
  assert.deepEqual(made[0].take(), ['.ping']);
  assert.deepEqual(names(), ['open']);
  made[0].receive('.pong');
  clock.advance(5_000);
  assert.deepEqual(names(), ['open']);
  clock.sleep(3_600_000);
  clock.advance(5_000);
  assert.deepEqual(names(), ['open', 'suspend']);
});

// Reconnecting

test('attempts that fail come more and more slowly', () => {
  const { made, last, clock } = opened();
  clock.advance(5_000);
  last().lose();
  const times = [];
  for (let i = 0; i < 12; i++) {
    last().lose();
    const before = made.length;
    const start = clock.time;
    while (made.length === before) clock.advance(1);
    times.push(clock.time - start);
  }
  assert.deepEqual(times.slice(0, 3), [375, 750, 1500]);
  assert.equal(times.at(-1), 22_500);
});

test('a session that is lost is told once, however many attempts fail, and one that is back is told once', () => {
  const { last, clock, names } = opened();
  clock.advance(5_000);
  last().lose();
  for (let i = 0; i < 3; i++) {
    last().lose();
    clock.advance(60_000);
  }
  last().welcome({ resumed: true });
  assert.deepEqual(
    names().filter((name) => name !== 'error'),
    ['open', 'suspend', 'resume'],
  );
});

test('overload waits the time that the server says, and nothing hurries it', () => {
  const { last, made, clock, scope, events } = opened();
  last().lose(1013, 'overload retry=30');
  assert.deepEqual(events.at(-1).data, { code: 1013, reason: 'overload', retryAfter: 30 });
  scope.fire('online');
  scope.document.dispatchEvent(new Event('visibilitychange'));
  clock.advance(30_000);
  assert.equal(made.length, 1);
  clock.advance(1_000);
  assert.equal(made.length, 2);
});

for (const [code, reason, retryAfter] of [
  [1000, 'program-exit', null],
  [1012, 'draining', 5],
  [4000, 'replaced', null],
  [4401, 'script-denied', 60],
  [4403, 'origin-not-allowed', 60],
  [4404, 'no-program', null],
  [4409, 'session-taken', null],
  [4410, 'session-gone', null],
  [4421, 'host-foreign', null],
  [4500, 'program-failed', null],
  [4502, 'program-answer', null],
])
  test(`the close code ${code} ends the session`, async () => {
    const { c, last, made, events, clock } = opened();
    c.send('a');
    c.send('b');
    last().receive('.ack 1');
    last().lose(code, retryAfter === null ? reason : `${reason} retry=${retryAfter}`);
    assert.equal(c.readyState, ServerConnection.CLOSED);
    await settled();
    clock.advance(600_000);
    assert.equal(made.length, 1);
    assert.deepEqual(events.at(-1).data, { code, reason, retryAfter, undelivered: 1 });
    assert.deepEqual(
      [
        events.at(-1).code,
        events.at(-1).reason,
        events.at(-1).retryAfter,
        events.at(-1).undelivered,
      ],
      [code, reason, retryAfter, 1],
    );
    assert.throws(() => c.send('c'), { code: 'closed' });
  });

test('an announced end holds even if the connection breaks before the close frame', async () => {
  const { last, made, events } = opened();
  last().receive('.close {"code":4500,"reason":"program-failed"}');
  last().lose(1006);
  await settled();
  assert.deepEqual(events.at(-1).data, {
    code: 4500,
    reason: 'program-failed',
    retryAfter: null,
    undelivered: 0,
  });
  assert.equal(made.length, 1);
});

test('after the end no timer is left', () => {
  const { last, clock } = opened();
  last().receive('a');
  last().lose(1000, 'program-exit');
  assert.equal(clock.pending, 0);
});

// The life of the page

test('the network is back: no waiting any longer', () => {
  const { last, made, clock, scope } = opened();
  clock.advance(5_000);
  last().lose();
  last().lose();
  assert.equal(made.length, 2);
  scope.fire('online');
  assert.equal(made.length, 3);
});

for (const [what, happens] of Object.entries({
  'the network comes': (scope) => scope.fire('online'),
  'the network goes': (scope) => scope.fire('offline'),
  'the page is seen again': (scope) => scope.document.dispatchEvent(new Event('visibilitychange')),
  'the page is unfrozen': (scope) => scope.document.dispatchEvent(new Event('resume')),
}))
  test(`when ${what} the peer is asked, and dropped after 5 s of silence`, () => {
    const { last, made, clock, scope, names } = opened();
    happens(scope);
    happens(scope);
    assert.deepEqual(last().take(), ['.ping'], 'once');
    clock.advance(4_999);
    assert.deepEqual(names(), ['open']);
    clock.advance(1);
    assert.deepEqual(names(), ['open', 'suspend']);
    assert.ok(made[0].closedWith);
  });

test('a page that is hidden asks nothing', () => {
  const { last, scope } = opened();
  scope.document.visibilityState = 'hidden';
  scope.document.dispatchEvent(new Event('visibilitychange'));
  assert.deepEqual(last().take(), []);
});

test('a page that is left says goodbye and closes', () => {
  const { made, scope, names } = opened();
  scope.fire('pagehide', { persisted: false });
  assert.deepEqual(made[0].take(), ['.bye {"reason":"left"}']);
  assert.ok(made[0].closedWith);
  assert.deepEqual(names(), ['open'], 'nothing is fired at a page that goes');
});

test('a page that is left closes after the last of its listeners, which have come later', () => {
  const { c, made, scope } = opened();
  scope.document.onvisibilitychange = null; // as a browser's document has it
  scope.addEventListener('pagehide', () => c.send('last', 'words'));
  scope.addEventListener('visibilitychange', () => c.send('hidden'));
  scope.fire('pagehide', { persisted: false });
  assert.ok(!made[0].closedWith);
  scope.document.visibilityState = 'hidden';
  scope.fire('visibilitychange');
  assert.deepEqual(made[0].take(), ['last "words"', 'hidden', '.bye {"reason":"left"}']);
  assert.ok(made[0].closedWith);
});

test('a page that is shown again before it was hidden keeps its connection', () => {
  const { made, scope } = opened();
  scope.document.onvisibilitychange = null;
  for (let n = 0; n < 2; n++) scope.fire('pagehide', { persisted: false });
  scope.fire('pageshow', { persisted: false });
  scope.fire('visibilitychange');
  assert.ok(!made[0].closedWith);
});

test('a page in the history closes without a goodbye, and is back when it is shown', () => {
  const { c, made, last, scope, names, clock } = opened();
  c.send('a');
  made[0].take();
  scope.fire('pagehide', { persisted: true });
  assert.deepEqual(made[0].take(), []);
  assert.ok(made[0].closedWith);
  clock.advance(600_000);
  assert.equal(made.length, 1, 'no attempt while it is away');
  c.send('b');
  scope.fire('pageshow', { persisted: true });
  assert.equal(made.length, 2);
  last().welcome({ resumed: true, received: 1 });
  assert.deepEqual(last().take(), ['b']);
  assert.deepEqual(names(), ['open', 'suspend', 'resume']);
});

test('a page that comes back does not come before the time that the server has asked for', () => {
  const { last, made, clock, scope } = opened();
  last().lose(1013, 'overload retry=100');
  scope.fire('pagehide', { persisted: true });
  clock.advance(40_000);
  scope.fire('pageshow', { persisted: true });
  clock.advance(59_000);
  assert.equal(made.length, 1);
  clock.advance(1_000);
  assert.equal(made.length, 2);
});

test('a session that is over follows the page no longer', async () => {
  const { last, made, scope } = opened();
  last().lose(1000, 'program-exit');
  scope.fire('pagehide', { persisted: true });
  scope.fire('pageshow', { persisted: true });
  scope.fire('online');
  assert.equal(made.length, 1);
});

// close()

test('close sends what is queued, tells the program, and ends when the server has it', async () => {
  const { c, last, events } = opened({}, { window: 10 });
  c.send('first', 12);
  c.send('second', 34);
  c.close('done');
  assert.equal(c.readyState, ServerConnection.CLOSING);
  assert.deepEqual(last().take(), ['first 12']);
  last().receive('.ack 1');
  assert.deepEqual(last().take(), ['second 34', '.close {"reason":"done"}']);
  assert.equal(last().closedWith.code, 1000);
  assert.equal(c.readyState, ServerConnection.CLOSING);
  last().lose(1000);
  assert.equal(c.readyState, ServerConnection.CLOSED);
  await settled();
  assert.deepEqual(events.at(-1).data, {
    code: 1000,
    reason: 'done',
    retryAfter: null,
    undelivered: 0,
  });
});

test('a close that is cut off is said again', async () => {
  const { c, last, made, clock, events } = opened();
  c.send('a');
  c.close();
  made[0].lose(1006);
  clock.advance(250);
  last().welcome({ resumed: true, received: 0 });
  assert.deepEqual(last().take(), ['a', '.close {"reason":"closed"}']);
  last().lose(1000);
  await settled();
  assert.equal(events.at(-1).code, 1000);
  assert.equal(events.at(-1).undelivered, 0);
});

test('a close that had arrived before the cut is known by the session being gone', async () => {
  const { c, last, made, clock, events } = opened();
  c.close();
  made[0].lose(1006);
  clock.advance(250);
  last().accept();
  last().lose(4410, 'session-gone');
  await settled();
  assert.equal(events.at(-1).code, 1000);
});

test('close gives up after closeTimeout and says how much is undelivered', async () => {
  const { c, last, clock, events } = opened({ closeTimeout: 2000 }, { window: 10 });
  for (let i = 0; i < 3; i++) c.send('event', 1234);
  c.close();
  last().take();
  clock.advance(2000);
  assert.deepEqual(last().take(), ['.close {"reason":"closed"}']);
  await settled();
  assert.deepEqual(events.at(-1).data, {
    code: 1006,
    reason: 'close-timeout',
    retryAfter: null,
    undelivered: 3,
  });
});

test('close before there was a connection waits for nothing if nothing is queued', async () => {
  const { c, last, clock, events, made } = fake();
  last().lose();
  c.close();
  assert.equal(c.readyState, ServerConnection.CLOSED);
  clock.advance(60_000);
  assert.equal(made.length, 1);
  await settled();
  assert.equal(events.at(-1).code, 1000);
});

test('close while connecting tells the program as soon as it is reached', () => {
  const { c, last } = fake();
  c.close();
  last().welcome();
  assert.deepEqual(last().take(), ['.close {"reason":"closed"}']);
});

test('a second close changes nothing, and nothing can be sent after the first', () => {
  const { c, last } = opened();
  c.close('a');
  c.close('b');
  assert.deepEqual(last().take(), ['.close {"reason":"a"}']);
  assert.throws(() => c.send('x'), { code: 'closed' });
});
