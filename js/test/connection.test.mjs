// SPDX-License-Identifier: MIT
/** A ServerConnection as a page uses it: events, handlers, sending, calls in both directions. */
import '../src/part-access.mjs';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import { ServerConnection } from '../src/connection.mjs';
import { ServerEvent } from '../src/base/handler-target.mjs';
import { fakeConnection, openConnection, SESSION } from './fakes.mjs';

const fake = (options) => fakeConnection(ServerConnection, options);
const opened = (options, fields) => openConnection(ServerConnection, options, fields);
const settled = () => new Promise((resolve) => setImmediate(resolve));
const binary = (head, ...bytes) => Uint8Array.from([...Buffer.from(`${head}\n`), ...bytes]);
const shown = (data) => (typeof data === 'string' ? data : [...data]);

// Events

test('onNAME hears the event of that name, with its data first', () => {
  const { c, last } = opened();
  const heard = [];
  c.onwhatever = function (data, event) {
    heard.push([this === c, data, event.data, event.type, event instanceof ServerEvent]);
  };
  last().receive('whatever {"city":"Oslo"}');
  assert.deepEqual(heard, [[true, { city: 'Oslo' }, { city: 'Oslo' }, 'whatever', true]]);
});

test('onNAME takes any name that an event can have', () => {
  const { c, last } = opened();
  for (const name of [
    'a',
    'a.b',
    'a-b',
    'a/b:c',
    '_',
    'ce',
    'Message',
    '__proto__',
    'constructor',
    'n'.repeat(128),
  ]) {
    const heard = [];
    c[`on${name}`] = (data) => heard.push(data);
    last().receive(`${name} 1`);
    assert.deepEqual(heard, [1], name);
  }
});

test('onNAME is one slot: set again it replaces, null empties it', () => {
  const { c, last } = opened();
  const heard = [];
  assert.equal(c.ona, null);
  const first = () => heard.push('first');
  c.ona = first;
  assert.equal(c.ona, first);
  c.ona = () => heard.push('second');
  last().receive('a');
  c.ona = null;
  assert.equal(c.ona, null);
  last().receive('a');
  c.ona = 'no function';
  assert.equal(c.ona, null);
  assert.deepEqual(heard, ['second']);
});

test('the handlers of one connection are not those of another', () => {
  const one = opened();
  const two = opened();
  one.c.ona = () => assert.fail('not mine');
  two.last().receive('a');
  assert.equal(two.c.ona, null);
});

test('a connection is an ordinary EventTarget', () => {
  const { c, last } = opened();
  assert.ok(c instanceof EventTarget);
  assert.ok(c instanceof ServerConnection);
  const heard = [];
  const listener = (event) => heard.push(event.data);
  c.addEventListener('a', listener);
  c.addEventListener('a', listener);
  c.addEventListener('a', { handleEvent: listener });
  c.addEventListener('a', (event) => heard.push(`once ${event.data}`), { once: true });
  last().receive('a 1');
  c.removeEventListener('a', listener);
  last().receive('a 2');
  assert.deepEqual(heard, [1, 1, 'once 1', 2]);
  c.own = 5;
  assert.equal(c.own, 5);
  assert.deepEqual(Object.keys(c), ['own']);
});

test('bytes arrive as an ArrayBuffer, no JSON as null', () => {
  const { c, last } = opened();
  const heard = [];
  c.ona = (data) => heard.push(data);
  last().receive(binary('a', 0, 255, 10));
  last().receive('a');
  assert.ok(heard[0] instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(heard[0])], [0, 255, 10]);
  assert.equal(heard[1], null);
});

test('a listener that throws is reported, and harms no other', () => {
  // In a process of its own, for the report of Node's EventTarget is an uncaught exception.
  const script = `
    import { ServerConnection } from './src/connection.mjs';
    import { openConnection } from './test/fakes.mjs';
    process.on('uncaughtException', (error) => console.log('reported', error.message));
    const { c, last } = openConnection(ServerConnection);
    c.addEventListener('a', () => { throw new Error('mine'); });
    c.ona = () => { throw new Error('mine too'); };
    c.addEventListener('a', () => console.log('heard'));
    last().receive('a');
    last().lose();
    console.log(last().protocols[3]);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
  });
  assert.deepEqual(output.trim().split('\n').sort(), [
    'heard',
    'received.1',
    'reported mine',
    'reported mine too',
  ]);
});

test('an event named like one of our own is refused and reported', () => {
  for (const name of ['open', 'suspend', 'resume', 'close', 'error']) {
    const { c, last, events } = opened();
    c[`on${name}`] = (data) => assert.notEqual(data, 'trick');
    last().receive(`${name} "trick"`);
    assert.deepEqual(
      events.map((event) => event.type),
      ['open', 'error'],
    );
    assert.equal(events[1].code, 'reserved-name');
    assert.equal(events[1].data.data, 'trick');
  }
});

test('lifecycle events give their fields on the event and in its data', async () => {
  const { c, last } = opened();
  const seen = [];
  c.onclose = (data, event) => seen.push(data.code, event.code, event.reason, event.undelivered);
  last().lose(4403, 'origin-not-allowed retry=9');
  await settled();
  assert.deepEqual(seen, [4403, 4403, 'origin-not-allowed', 0]);
});

// Sending

test('what can not be sent throws at once and sends nothing', () => {
  const { c, last } = opened();
  const cycle = [];
  cycle.push(cycle);
  for (const data of [() => {}, cycle, 1n, { a: new Uint8Array(1) }])
    assert.throws(() => c.send('a', data), { code: 'unsendable' });
  assert.throws(() => c.send('a b'), { code: 'bad-name' });
  assert.deepEqual(last().take(), []);
  assert.equal(c.bufferedAmount, 0);
});

test('a message larger than the server takes throws', () => {
  const { c, last } = opened({}, { maxMessage: 50 });
  assert.throws(() => c.send('a', 'x'.repeat(50)), { code: 'too-large' });
  c.send('a', 'x'.repeat(46));
  assert.equal(last().take().length, 1);
});

test('a message queued before the limit was known is reported if it is too large', async () => {
  const { c, last, events } = fake();
  c.send('a', 'x'.repeat(100));
  const call = c.call('b', 'x'.repeat(100));
  c.send('c');
  last().welcome({ maxMessage: 50 });
  assert.deepEqual(last().take(), ['c']);
  assert.deepEqual(
    events.map((event) => [event.type, event.code]),
    [
      ['error', 'too-large'],
      ['open', undefined],
    ],
  );
  await assert.rejects(call, { code: 'too-large' });
});

test('a full buffer throws, and there is room again when the program has taken something', () => {
  const { c, last } = opened({ buffer: 10 });
  c.send('a', 123456);
  assert.throws(() => c.send('b', 1), { code: 'buffer-full' });
  last().receive('.ack 1');
  c.send('b', 1);
  assert.deepEqual(last().take(), ['a 123456', 'b 1']);
});

test('options that have no sense throw', () => {
  for (const options of [
    { buffer: -1 },
    { buffer: 'x' },
    { streamBuffer: NaN },
    { closeTimeout: -5 },
    { session: 'short' },
    { WebSocket: 5 },
  ])
    assert.throws(() => fake(options), { code: 'bad-option' }, JSON.stringify(options));
});

test('URLs that can not be connected to throw', () => {
  const { WebSocket } = fake();
  for (const url of [
    '/relative without a base',
    'ftp://a.example/',
    'javascript:alert(1)',
    'http://',
    'https://user:pass@a.example/',
  ])
    assert.throws(() => new ServerConnection(url, { WebSocket }), { code: 'bad-url' }, url);
});

test('http and https become ws and wss, and the fragment stays here', () => {
  const { WebSocket, made, clock } = fake();
  const cases = {
    'http://a.example/x?y#z': 'ws://a.example/x?y',
    'https://a.example:8443': 'wss://a.example:8443/',
    'wss://a.example/x': 'wss://a.example/x',
  };
  for (const [url, expected] of Object.entries(cases)) {
    new ServerConnection(new URL(url), {
      WebSocket,
      clock,
      webSocketOptions: { origin: 'https://b.example' },
    });
    assert.equal(made.at(-1).url, expected);
    assert.deepEqual(made.at(-1).more, { origin: 'https://b.example' });
  }
});

test('without a session in the page there is no attempt, and close says so to who listens in time', async () => {
  const { c, made, events } = fake({ session: null });
  assert.equal(c.readyState, ServerConnection.CLOSED);
  assert.equal(made.length, 0);
  await settled();
  assert.deepEqual(
    events.map((event) => [event.type, event.code, event.reason]),
    [['close', 4404, 'no-session']],
  );
  assert.throws(() => c.send('a'), { code: 'closed' });
});

test('a stale page may be dealt with otherwise, and only before it was ever open', async () => {
  const seen = [];
  const recover = (end) => seen.push(end.code) > 0;
  const stale = fake({ session: SESSION, recover });
  stale.last().lose(4410, 'session-gone');
  await settled();
  assert.deepEqual([seen, stale.names(), stale.c.readyState], [[4410], [], 3]);
  const later = opened({ session: SESSION, recover });
  later.last().lose(4410, 'session-gone');
  await settled();
  assert.deepEqual([seen, later.names()], [[4410], ['open', 'close']]);
});

// Calls

test('a call is answered by its number, whatever the order', async () => {
  const { c, last } = opened();
  const one = c.call('sum', [1, 2]);
  const two = c.call('sum', [3, 4]);
  const three = c.call('none');
  assert.deepEqual(last().take(), ['sum?0 [1,2]', 'sum?1 [3,4]', 'none?2']);
  last().receive('=1 7');
  last().receive('=0 3');
  last().receive('=2');
  assert.deepEqual(await Promise.all([one, two, three]), [3, 7, null]);
});

test('a call carries bytes, and so does its answer', async () => {
  const { c, last } = opened();
  const call = c.call('photo', new Uint8Array([1, 2]));
  assert.deepEqual(shown(last().take()[0]), [...binary('photo?0', 1, 2)]);
  last().receive(binary('=0', 3, 4));
  assert.deepEqual([...new Uint8Array(await call)], [3, 4]);
});

test('an error of the program rejects with its message', async () => {
  const { c, last } = opened();
  const call = c.call('a');
  last().receive('!0 {"message":"not today","more":1}');
  await assert.rejects(call, {
    code: 'remote',
    message: 'not today',
    data: { message: 'not today', more: 1 },
  });
  const odd = c.call('a');
  last().receive('!1 5');
  await assert.rejects(odd, { code: 'remote' });
});

test('a call times out, and its late answer is passed over', async () => {
  const { c, last, clock, names } = opened();
  const call = c.call('a', 1, { timeout: 500 });
  clock.advance(499);
  clock.advance(1);
  await assert.rejects(call, { code: 'timeout', name: 'TimeoutError' });
  last().receive('=0 1');
  assert.deepEqual(names(), ['open']);
});

test('an answer in time leaves no timer', async () => {
  const { c, last, clock } = opened();
  const before = clock.pending;
  const call = c.call('a', 1, { timeout: 500 });
  assert.equal(clock.pending, before + 1);
  last().receive('=0 1');
  await call;
  clock.advance(250); // the acknowledgement
  assert.equal(clock.pending, before);
});

test('a signal gives a call up; one that is aborted already sends nothing', async () => {
  const { c, last } = opened();
  const giveUp = new AbortController();
  const call = c.call('a', 1, { signal: giveUp.signal });
  giveUp.abort('enough');
  await assert.rejects(call, { code: 'aborted', name: 'AbortError', cause: 'enough' });
  last().take();
  await assert.rejects(c.call('a', 1, { signal: giveUp.signal }), { code: 'aborted' });
  assert.deepEqual(last().take(), []);
});

test('calls that can not be sent reject', async () => {
  const { c } = opened();
  await assert.rejects(c.call('a b'), { code: 'bad-name' });
  await assert.rejects(c.call('a', 1n), { code: 'unsendable' });
  await assert.rejects(c.call('a', 1, { timeout: -1 }), { code: 'bad-option' });
});

test('calls outlive a dropped connection', async () => {
  const { c, last } = opened();
  const call = c.call('a');
  last().lose();
  last().welcome({ resumed: true, received: 0 });
  assert.deepEqual(last().take(), ['a?0']);
  last().receive('=0 "done"');
  assert.equal(await call, 'done');
});

test('the end of the session rejects every call and stream', async () => {
  const { c, last } = opened();
  const call = c.call('a');
  const part = c.stream('b').next();
  last().lose(4500, 'program-failed');
  await assert.rejects(call, { code: 'closed', message: /4500 program-failed/ });
  await assert.rejects(part, { code: 'closed' });
  await assert.rejects(c.call('a'), { code: 'closed' });
});

test('several answers to a call that wants one reject it', async () => {
  const { c, last, names } = opened();
  const call = c.call('a');
  last().receive('+0 1');
  last().receive('+0 2');
  last().receive('=0');
  await assert.rejects(call, { code: 'several-answers' });
  assert.deepEqual(names(), ['open']);
});

test('an answer to what was never asked is reported', () => {
  const { last, events } = opened();
  last().receive('=0 1');
  assert.equal(events.at(-1).code, 'unknown-call');
});

// Streams

const collect = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
};

test('a stream gives the several answers, read before or after they came', async () => {
  const { c, last } = opened();
  const stream = c.stream('count', 3);
  assert.deepEqual(last().take(), ['count?0 3']);
  last().receive('+0 1');
  const all = collect(stream);
  await settled();
  last().receive('+0 2');
  last().receive(binary('+0', 3));
  last().receive('=0');
  const parts = await all;
  assert.deepEqual(parts.slice(0, 2), [1, 2]);
  assert.deepEqual([...new Uint8Array(parts[2])], [3]);
});

test('a last answer that carries something is the last part', async () => {
  const { c, last } = opened();
  const stream = c.stream('a');
  last().receive('+0 1');
  last().receive('=0 null');
  assert.deepEqual(await collect(stream), [1, null]);
});

test('an error of the program comes after the parts before it', async () => {
  const { c, last } = opened();
  const stream = c.stream('a');
  last().receive('+0 1');
  last().receive('!0 {"message":"broke"}');
  assert.deepEqual(await stream.next(), { value: 1, done: false });
  await assert.rejects(stream.next(), { code: 'remote', message: 'broke' });
  assert.equal((await stream.next()).done, true);
});

test('leaving the loop gives the call up', async () => {
  const { c, last, names } = opened();
  const stream = c.stream('a', null, { timeout: 100 });
  last().receive('+0 1');
  last().receive('+0 2');
  for await (const part of stream) if (part === 1) break;
  last().receive('+0 3');
  last().receive('=0');
  assert.equal((await stream.next()).done, true);
  assert.deepEqual(names(), ['open']);
});

test('the timeout of a stream is the time between answers', async () => {
  const { c, last, clock } = opened();
  const stream = c.stream('a', null, { timeout: 100 });
  clock.advance(90);
  last().receive('+0 1');
  clock.advance(90);
  last().receive('+0 2');
  clock.advance(100);
  assert.deepEqual([(await stream.next()).value, (await stream.next()).value], [1, 2]);
  await assert.rejects(stream.next(), { code: 'timeout' });
});

test('a signal ends a stream', async () => {
  const { c } = opened();
  const giveUp = new AbortController();
  const stream = c.stream('a', null, { signal: giveUp.signal });
  const next = stream.next();
  giveUp.abort();
  await assert.rejects(next, { code: 'aborted' });
});

test('a stream that is read too slowly fails with overrun, after what it had', async () => {
  const { c, last } = opened({ streamBuffer: 20 });
  const stream = c.stream('a');
  for (let i = 0; i < 5; i++) last().receive('+0 "12345"'); // 10 bytes each
  assert.deepEqual([(await stream.next()).value, (await stream.next()).value], ['12345', '12345']);
  await assert.rejects(stream.next(), { code: 'overrun' });
});

test('two readers of one stream are served in turn', async () => {
  const { c, last } = opened();
  const stream = c.stream('a');
  const both = [stream.next(), stream.next(), stream.next()];
  last().receive('+0 1');
  last().receive('+0 2');
  last().receive('=0');
  assert.deepEqual(
    (await Promise.all(both)).map(({ value, done }) => [value, done]),
    [
      [1, false],
      [2, false],
      [undefined, true],
    ],
  );
});

test('a stream that can not be sent throws at once', () => {
  const { c } = opened();
  assert.throws(() => c.stream('a b'), { code: 'bad-name' });
  assert.throws(() => c.stream('a', 1n), { code: 'unsendable' });
});

// The program's calls

test('a handler answers the program, at once or later', async () => {
  const { c, last } = opened();
  c.handle('double', (n) => n * 2);
  c.handle('later', async (data, { name }) => ({ name, data }));
  c.handle('nothing', () => {});
  c.handle('bytes', (data) => new Uint8Array(data).reverse());
  last().receive('double?7 21');
  last().receive('later?8 "x"');
  last().receive('nothing?9');
  last().receive(binary('bytes?10', 1, 2));
  await settled();
  const answers = last().take().map(shown);
  for (const answer of ['=7 42', '=9', [...binary('=10', 2, 1)], '=8 {"name":"later","data":"x"}'])
    assert.ok(
      answers.some((one) => isDeepStrictEqual(one, answer)),
      String(answer),
    );
  assert.equal(answers.length, 4);
});

test('what a handler throws is the error that the program gets', async () => {
  const { c, last } = opened();
  c.handle('a', () => {
    throw new TypeError('no such row');
  });
  c.handle('b', () => Promise.reject('just text'));
  c.handle('c', () => 1n);
  c.handle('d', () => Promise.reject(Object.create(null)));
  for (const [i, name] of ['a', 'b', 'c', 'd', 'nobody'].entries()) last().receive(`${name}?${i}`);
  await settled();
  const answers = last().take().sort();
  assert.deepEqual(answers.slice(0, 2), [
    '!0 {"message":"no such row"}',
    '!1 {"message":"just text"}',
  ]);
  assert.match(answers[2], /^!2 .*BigInt/);
  assert.deepEqual(answers.slice(3), [
    '!3 {"message":"the handler failed"}',
    '!4 {"message":"no handler for nobody"}',
  ]);
});

test('an async generator gives several answers, and what it returns is the last', async () => {
  const { c, last } = opened();
  c.handle('count', async function* (n) {
    for (let i = 1; i <= n; i++) yield i;
    return 'done';
  });
  c.handle('bare', async function* () {
    yield undefined;
  });
  last().receive('count?1 3');
  last().receive('bare?2');
  await settled();
  const sent = last().take();
  assert.deepEqual(
    sent.filter((text) => text[1] === '1'),
    ['+1 1', '+1 2', '+1 3', '=1 "done"'],
  );
  assert.deepEqual(
    sent.filter((text) => text[1] === '2'),
    ['+2 null', '=2'],
  );
});

test('a generator that throws ends in an error, and hears of unsendable answers', async () => {
  const { c, last } = opened();
  let cleaned = false;
  c.handle('a', async function* () {
    yield 1;
    throw new Error('half way');
  });
  c.handle('b', async function* () {
    try {
      yield 1n;
    } finally {
      cleaned = true;
    }
  });
  last().receive('a?0');
  last().receive('b?1');
  await settled();
  assert.deepEqual(
    last()
      .take()
      .filter((text) => text[1] === '0'),
    ['+0 1', '!0 {"message":"half way"}'],
  );
  assert.ok(cleaned);
});

test('answers wait for room in the buffer, and the generator with them', async () => {
  const { c, last } = opened({ buffer: 12 });
  let made = 0;
  c.handle('a', async function* () {
    for (;;) yield `${++made}`;
  });
  last().receive('a?0');
  await settled();
  assert.deepEqual(last().take(), ['+0 "1"', '+0 "2"']);
  assert.equal(made, 3);
  last().receive('.ack 1');
  await settled();
  assert.deepEqual(last().take(), ['+0 "3"']);
  assert.equal(made, 4);
  c.close();
});

test('the end of the session aborts the signal and returns the generators', async () => {
  const { c, last } = opened();
  let cleaned = false;
  let aborted = false;
  c.handle(
    'slow',
    (data, { signal }) =>
      new Promise(() => signal.addEventListener('abort', () => (aborted = true))),
  );
  c.handle('endless', async function* () {
    try {
      for (;;) yield await new Promise((resolve) => setImmediate(resolve, 1));
    } finally {
      cleaned = true;
    }
  });
  last().receive('slow?0');
  last().receive('endless?1');
  await settled();
  last().lose(1000, 'program-exit');
  await settled();
  await settled();
  assert.ok(aborted);
  assert.ok(cleaned);
});

test('a handler is replaced, and taken away by null', async () => {
  const { c, last } = opened();
  c.handle('a', () => 1);
  c.handle('a', () => 2);
  last().receive('a?0');
  await settled();
  c.handle('a', null);
  last().receive('a?1');
  await settled();
  assert.deepEqual(last().take(), ['=0 2', '!1 {"message":"no handler for a"}']);
  assert.throws(() => c.handle('a b', () => 1), { code: 'bad-name' });
  assert.throws(() => c.handle('a', 5), { code: 'bad-option' });
});
