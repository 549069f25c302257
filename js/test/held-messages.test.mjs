// SPDX-License-Identifier: MIT
/**
 * What the program says while a part of the client is on its way: it waits, in its order; the
 * program waits too when that is much; and no part that does not come holds up the end.
 */
import '../src/part-access.mjs';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { loadPartsBy } from '../src/base/parts.mjs';
import { ServerConnection } from '../src/connection.mjs';
import { MessageQueue } from '../src/session/message-queue.mjs';
import { openConnection, SESSION } from './fakes.mjs';

globalThis.document ??= {};
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A page whose part comes when the test says so; `seen` is what its script and its part saw. */
function page() {
  const seen = [];
  const made = openConnection(ServerConnection, { dom: true }, { state: true });
  const part = {
    makeUpdates: () => ({ take: (data) => seen.push(data) }),
    makeListeners: () => ({
      listen: (data) => seen.push(`listen ${data}`),
      changing: (run) => run(),
      beginAgain: () => seen.push('again'),
      begun: () => seen.push('begun'),
      heard() {},
    }),
  };
  made.part = part;
  loadPartsBy(
    () =>
      new Promise((resolve, reject) => {
        made.comes = () => (resolve(part), turn());
        made.isRefused = () => (reject(new Error('refused')), turn());
      }),
  );
  for (const name of ['a', 'close'])
    made.c.addEventListener(name, ({ data }) => seen.push(name === 'a' ? `a ${data}` : name));
  return { ...made, seen, made };
}

test('events wait behind a command whose part is on its way', async () => {
  const { last, seen, made } = page();
  for (const line of ['a 1', '.dom "x"', 'a 2', '.dom "y"', 'a 3']) last().receive(line);
  assert.deepEqual(seen, ['a 1']);
  await made.comes();
  assert.deepEqual(seen.slice(0, 3), ['a 1', 'x', 'a 2']);
  await made.comes();
  assert.deepEqual(seen, ['a 1', 'x', 'a 2', 'y', 'a 3']);
});

test('more than a mebibyte that waits is acknowledged when it has been heard', async () => {
  const { last, seen, clock, made } = page();
  last().receive('.dom "x"');
  for (let i = 0; i < 12; i++) last().receive(`a "${'x'.repeat(100_000)}"`);
  last().take();
  clock.advance(1000);
  assert.deepEqual(last().take(), []);
  await made.comes();
  assert.equal(seen.length, 13);
  assert.deepEqual(last().take(), ['.ack 13']);
});

test('the parts of commands that wait behind each other are loaded at the same time', async () => {
  const { last, seen, made } = page();
  const asked = [];
  const loads = new Map();
  const comes = {};
  loadPartsBy((name) => {
    asked.push(name);
    const load = () => new Promise((resolve) => (comes[name] = () => resolve(made.part)));
    if (!loads.has(name)) loads.set(name, load());
    return loads.get(name);
  });
  for (const line of ['.listen "l"', '.dom "x"', '.listen "m"', 'a 1']) last().receive(line);
  assert.deepEqual(asked, ['events', 'dom']);
  comes.dom();
  await turn();
  assert.deepEqual(seen, [], 'in their order');
  comes.events();
  for (let i = 0; i < 3; i++) await turn();
  assert.deepEqual(seen, ['listen l', 'x', 'listen m', 'a 1']);
});

test('a part that the page may not have is told, and what waited goes on', async () => {
  const { last, seen, made } = page();
  for (const line of ['.dom "x"', 'a 1']) last().receive(line);
  await made.isRefused();
  assert.deepEqual(seen, ['a 1']);
  assert.deepEqual(
    last()
      .take()
      .filter((line) => line.startsWith('.problem')),
    ['.problem {"command":"dom","message":"refused"}'],
  );
});

test('a session that is over waits five seconds for a part, and no longer', async () => {
  const { last, seen, clock } = page();
  for (const line of ['.dom "x"', 'a 1', '.dom "y"', 'a 2']) last().receive(line);
  last().lose(4410, 'session-gone');
  await turn();
  assert.deepEqual(seen, []);
  clock.advance(5000);
  await turn();
  assert.deepEqual(seen, ['a 1', 'a 2', 'close']);
});

test('changes wait softly: anything else lets them go, and only the last hold counts', () => {
  const queue = new MessageQueue();
  const seen = [];
  const take = (kind, changes = false) =>
    queue.take({ size: 1, kind, changes, run: () => seen.push(kind) });
  const soft = () => {
    const release = queue.hold(() => release(), true);
    return release;
  };
  soft();
  take('x', true);
  assert.deepEqual(seen, []);
  take('event');
  assert.deepEqual(seen, ['x', 'event']);
  const old = queue.hold();
  const now = queue.hold();
  take('y');
  old();
  assert.deepEqual(seen.slice(2), []);
  now();
  assert.deepEqual(seen.slice(2), ['y']);
});

test('another process takes over meanwhile: what the old one listened to is known to be old', async () => {
  const { last, seen, clock, made } = page();
  last().receive(new TextEncoder().encode('.saved?0\nS'));
  for (const line of ['.listen "old"', 'a 1']) last().receive(line);
  last().lose(4500, 'program-failed signal=9');
  clock.advance(0);
  last().welcome({ session: SESSION.replace('a', 'b'), state: true, restore: true });
  for (const line of ['.restored', '.listen "new"', 'a 2']) last().receive(line);
  await made.comes();
  await made.comes();
  assert.deepEqual(seen, ['listen old', 'a 1', 'again', 'begun', 'listen new', 'a 2']);
});
