// SPDX-License-Identifier: MIT
/**
 * A session that is over, and goes on in another from the program's state (docs/protocol.md,
 * section 12): what is kept, sent again, and told; and when it is given up.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ServerConnection } from '../src/connection.mjs';
import { formatControl, parseText, WireError } from '../src/proto/message.mjs';
import {
  formatRestore,
  isStatePiece,
  parseSavedBytes,
  parseSavedText,
  StatePieces,
} from '../src/proto/state-message.mjs';
import { openConnection, SESSION } from './fakes.mjs';

const bytes = (...values) => Uint8Array.from(values);
const text = (data) => new TextDecoder().decode(data);
const saved = (count, state = 'S') => new TextEncoder().encode(`.saved?${count}\n${state}`);

const vectors = JSON.parse(
  readFileSync(new URL('../../tests/vectors/state.json', import.meta.url)),
);

/** As the vectors have it. */
function parse({ frame, message, base64 }) {
  if (frame === 'text') {
    const count = parseSavedText(message);
    if (count !== null) return { kind: 'saved', count: String(count) };
    const { kind, word } = parseText(message);
    assert.equal(kind, 'control');
    return { kind: word };
  }
  const data = Uint8Array.from(Buffer.from(base64, 'base64'));
  if (isStatePiece(data)) {
    new StatePieces().add(data, 1000);
    return { kind: 'piece', bytes: Buffer.from(data.slice(1)).toString('base64') };
  }
  const { count, rest } = parseSavedBytes(data);
  return { kind: 'saved', count: String(count), bytes: Buffer.from(rest).toString('base64') };
}

test('the messages of a server are understood as tests/vectors/state.json has them', () => {
  for (const vector of vectors.filter(({ side }) => side === 'server'))
    if (vector.valid) assert.deepEqual(parse(vector), vector.parsed, vector.why);
    else assert.throws(() => parse(vector), WireError, vector.why);
});

test('.restore is written as it has them', () => {
  const wanted = vectors.find(({ why }) => why === 'why: crash');
  const message = formatRestore('crash', 3, bytes(1, 2));
  assert.equal(Buffer.from(message).toString('base64'), wanted.base64);
  assert.equal(formatControl('stored', 17), '.stored 17');
});

/** A connection whose program has saved a state that covers `count` messages. */
function withState(count = 0, options = {}) {
  const all = openConnection(ServerConnection, options, { state: true });
  all.c.addEventListener('restore', (event) => all.events.push(event));
  all.last().receive(saved(count));
  assert.equal(all.last().take().at(-1), `.stored ${count}`);
  return all;
}

const ANOTHER = SESSION.replace('a', 'b');
const restored = (socket) => {
  socket.welcome({ session: ANOTHER, state: true, restore: true });
  socket.receive('.restored');
};

test('what is sent again comes right behind the state, and then what is new', () => {
  const { c, clock, last, names, events } = withState();
  for (const name of ['a', 'b', 'c']) c.send(name);
  last().receive('.ack 2');
  last().receive(saved(1, 'T'));
  last().lose(4500, 'program-failed signal=9');
  c.send('d');
  clock.advance(0);
  const socket = last();
  assert.deepEqual(socket.protocols.slice(2), ['parts', 'state', 'restore']);
  assert.match(socket.protocols[1], /^key\./);
  socket.welcome({ session: ANOTHER, state: true, restore: true });
  const [restore, ...rest] = socket.take();
  assert.equal(text(restore), '.restore {"why":"crash","resent":2}\nT');
  assert.deepEqual(rest, ['b', 'c', 'd']);
  assert.equal(c.readyState, ServerConnection.SUSPENDED);
  socket.receive('.restored');
  assert.equal(c.readyState, ServerConnection.OPEN);
  assert.equal(c.sessionId, ANOTHER);
  assert.deepEqual(events.at(-1).data, { session: ANOTHER, why: 'crash', resent: 2 });
  assert.deepEqual(names(), ['open', 'suspend', 'restore']);
});

test('each end has its reason, and only some go on', () => {
  for (const [code, reason, why] of [
    [4500, 'program-failed status=1', 'crash'],
    [1012, 'draining', 'deploy'],
    [4410, 'session-gone', 'gone'],
    [1000, 'restart', 'changed'],
    [1000, 'file-changed', 'changed'],
    [1000, 'program-exit', null],
    [4401, 'script-denied', null],
    [4507, 'memory', null],
  ]) {
    const { clock, last, made } = withState();
    last().lose(code, reason);
    clock.advance(0);
    if (why === null) {
      assert.equal(made.length, 1, reason);
      continue;
    }
    restored(last());
    assert.match(text(last().take()[0]), new RegExp(`"why":"${why}"`), reason);
  }
});

test('a server that was away before it had forgotten the session is a deploy', () => {
  const { clock, last } = withState();
  last().lose();
  last().lose();
  clock.advance(1000);
  last().lose(4410, 'session-gone');
  clock.advance(0);
  restored(last());
  assert.match(text(last().take()[0]), /"why":"deploy"/);
});

test('the server says when to come', () => {
  const { clock, last, made } = withState();
  last().lose(1012, 'draining retry=5');
  clock.advance(4900);
  assert.equal(made.length, 1);
  clock.advance(1200);
  assert.equal(made.length, 2);
});

test('a connection that is lost before .restored is asked for the state again, one after it is not', () => {
  const { clock, last, names } = withState();
  last().lose(4500, 'x');
  clock.advance(0);
  last().welcome({ session: ANOTHER, state: true, restore: true });
  last().lose();
  clock.advance(0);
  assert.equal(last().protocols[1], `session.${ANOTHER}`);
  assert.ok(!last().protocols.includes('restore'));
  last().welcome({ session: ANOTHER, state: true, restore: true, resumed: true });
  assert.match(text(last().take()[0]), /^\.restore /);
  last().lose();
  clock.advance(1000);
  last().welcome({ session: ANOTHER, state: true, resumed: true });
  assert.deepEqual(last().take(), []);
  assert.deepEqual(names(), ['open', 'suspend', 'restore']);
});

test('a call without an answer is asked again, in any case; an answer to the old process is not sent again', async () => {
  const { c, clock, last } = withState();
  c.handle('double', (n) => n * 2);
  const answer = c.call('sum', [1, 2]);
  last().receive('double?5 21');
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(last().take().includes('=5 42'));
  last().receive('.ack 2');
  last().receive(saved(2));
  last().lose(4500, 'x');
  clock.advance(0);
  restored(last());
  assert.deepEqual(last().take().slice(1), ['sum?0 [1,2]']);
  last().receive('=0 3');
  assert.equal(await answer, 3);
});

test('an answer that comes too late for the old process is not given to the new one', async () => {
  const { c, clock, last } = withState();
  let answer;
  let aborted = false;
  c.handle('slow', (_, { signal }) => {
    signal.addEventListener('abort', () => (aborted = true));
    return new Promise((resolve) => (answer = resolve));
  });
  last().receive('slow?0');
  last().lose(4500, 'x');
  clock.advance(0);
  restored(last());
  last().take();
  answer('late');
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(aborted);
  assert.deepEqual(last().take(), []);
});

test('what was acknowledged and is not covered is bounded, and the oldest goes first', () => {
  const { c, clock, last } = withState(0, {});
  for (let i = 0; i < 1200; i++) {
    c.send('n', i);
    last().receive(`.ack ${i + 1}`);
  }
  last().lose(4500, 'x');
  clock.advance(0);
  last().welcome({ session: ANOTHER, state: true, restore: true, window: 1e6 });
  const [restore, first, ...rest] = last().take();
  assert.match(text(restore), /"resent":1000/);
  assert.deepEqual([first, rest.length], ['n 200', 999]);
});

test('sessions that do not last are begun ever more slowly, and given up after five', () => {
  const { clock, last, made, names } = withState();
  const ends = [];
  for (let i = 0; i < 7 && names().at(-1) !== 'close'; i++) {
    const count = made.length;
    last().lose(4500, 'x');
    const from = clock.time;
    for (let n = 0; n < 70 && made.length === count; n++) clock.advance(1000);
    if (made.length === count) break;
    ends.push(Math.round((clock.time - from) / 1000));
    restored(last());
  }
  assert.deepEqual(ends.length, 6);
  assert.ok(ends.at(-1) > ends[1], `${ends}`);
  assert.equal(names().filter((name) => name === 'restore').length, 6);
});

test('a state that is refused, and a server that knows no states, end it', async () => {
  for (const refuse of [
    (socket) => {
      socket.welcome({ session: ANOTHER, state: true, restore: true });
      socket.lose(4411, 'state-refused');
    },
    (socket) => socket.welcome({ session: ANOTHER }),
  ]) {
    const manners = [];
    const { c, clock, last, events } = withState(0, { ends: (manner) => manners.push(manner) });
    const call = assert.rejects(c.call('x'), { code: 'closed' });
    last().lose(4500, 'x');
    clock.advance(0);
    refuse(last());
    await call;
    assert.equal(c.readyState, ServerConnection.CLOSED);
    assert.equal(events.at(-1).type, 'close');
    assert.equal(events.at(-1).code, 4411);
    assert.deepEqual(manners, [{ opened: true, byPage: false, restoring: true }]);
  }
});

test('close() while it waits ends it', async () => {
  const { c, last, clock, made, events } = withState();
  last().lose(1012, 'draining retry=5');
  c.close('enough');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([events.at(-1).type, events.at(-1).code], ['close', 1000]);
  clock.advance(60_000);
  assert.equal(made.length, 1);
});

test('a state that covers what was not sent, or was not asked for, is an error', () => {
  const { last } = withState();
  last().receive(saved(1));
  assert.equal(last().closedWith.code, 4400);
  const other = openConnection(ServerConnection);
  other.last().receive(saved(0));
  assert.equal(other.last().closedWith.code, 4400);
});

test('a state in pieces is one, and what came of it is forgotten with the connection', () => {
  const { clock, last } = withState();
  last().receive(bytes(19, 65, 66));
  last().lose();
  clock.advance(0);
  last().welcome({ state: true, resumed: true });
  last().receive(bytes(19, 67));
  last().receive('event 1');
  last().receive(saved(0, 'D'));
  last().lose(4500, 'x');
  clock.advance(0);
  restored(last());
  assert.match(text(last().take()[0]), /\nCD$/);
});
