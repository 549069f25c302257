// SPDX-License-Identifier: MIT
/** The state machines of the session, each alone: outbox, inbox, backoff, welcome. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Timer } from '../src/base/clock.mjs';
import { delay } from '../src/session/delay.mjs';
import { parseEnd } from '../src/proto/close-codes.mjs';
import { Inbox } from '../src/session/inbox.mjs';
import { Outbox } from '../src/session/outbox.mjs';
import { Backoff } from '../src/session/backoff.mjs';
import { parseWelcome } from '../src/proto/welcome.mjs';
import { WireError } from '../src/proto/message.mjs';
import { FakeClock, welcomeFields } from './fakes.mjs';

const message = (payload, size = payload.length) => ({ payload, size });

test('the delay is between half and the whole of 250 ms, doubled each time up to 30 s', () => {
  assert.equal(delay(0, 0), 125);
  assert.equal(delay(0, 1), 250);
  assert.equal(delay(1, 0.5), 375);
  assert.equal(delay(6, 1), 16_000);
  assert.equal(delay(7, 1), 30_000);
  assert.equal(delay(5000, 0), 15_000);
});

test('an outbox gives what was pushed in order, and no more than the window', () => {
  const box = new Outbox(1000);
  for (const text of ['aaaa', 'bbbb', 'cccc']) box.push(message(text));
  assert.equal(box.next(10).payload, 'aaaa');
  assert.equal(box.next(10).payload, 'bbbb');
  assert.equal(box.next(10), null);
  box.acknowledge(1);
  assert.equal(box.next(10).payload, 'cccc');
  assert.equal(box.next(10), null);
  assert.equal(box.held, 8);
  assert.equal(box.undelivered, 2);
});

test('a message larger than the window goes alone', () => {
  const box = new Outbox(1000);
  box.push(message('a'));
  box.push(message('b', 50));
  box.push(message('c'));
  assert.equal(box.next(10).payload, 'a');
  assert.equal(box.next(10), null);
  box.acknowledge(1);
  assert.equal(box.next(10).payload, 'b');
  assert.equal(box.next(10), null);
  box.acknowledge(2);
  assert.equal(box.next(10).payload, 'c');
});

test('what was not acknowledged goes out again, in order and before anything new', () => {
  const box = new Outbox(1000);
  for (const text of ['a', 'b', 'c']) box.push(message(text));
  while (box.next(100));
  box.push(message('d'));
  box.rewind(1);
  const again = [];
  for (let entry; (entry = box.next(100));) again.push(entry.payload);
  assert.deepEqual(again, ['b', 'c', 'd']);
});

test('an acknowledgement that falls, or of something never sent, breaks the protocol', () => {
  const box = new Outbox(1000);
  for (const text of ['a', 'b', 'c']) box.push(message(text));
  box.next(100);
  box.next(100);
  assert.throws(() => box.acknowledge(3), WireError);
  box.acknowledge(2);
  assert.throws(() => box.acknowledge(1), WireError);
  assert.throws(() => box.rewind(1), WireError);
  box.acknowledge(2);
});

test('on a new connection an acknowledgement counts what the other side said it has, and what went out since', () => {
  const box = new Outbox(1000);
  for (const text of ['a', 'b', 'c']) box.push(message(text));
  while (box.next(100));
  box.rewind(0);
  assert.equal(box.next(1).payload, 'a');
  assert.throws(() => box.acknowledge(2), WireError);
  box.acknowledge(1);
  assert.equal(box.held, 2);
});

const drain = (box, window = 1e6) => {
  const payloads = [];
  for (let entry; (entry = box.next(window));) payloads.push(entry.payload);
  return payloads;
};

test('a message gives way to a later one of its subject, which takes its place among the others by its own time', () => {
  const box = new Outbox(1000);
  const [mouse, scroll] = [{}, {}];
  for (const [text, subject] of [
    ['m1', mouse],
    ['s1', scroll],
    ['click'],
    ['m2', mouse],
    ['m3', mouse],
    ['key'],
  ])
    box.push({ ...message(text), subject });
  assert.equal(box.unsent, 4);
  assert.equal(box.held, 'm3s1clickkey'.length);
  assert.deepEqual(drain(box), ['s1', 'click', 'm3', 'key']);
  box.push({ ...message('m4'), subject: mouse });
  assert.deepEqual(drain(box), ['m4'], 'what is on its way is not given up');
  box.acknowledge(5);
  assert.equal(box.held, 0);
});

test('of one subject 32 are on their way at most, then the latest wins; any other message takes it along', () => {
  const box = new Outbox(1e6);
  const mouse = {};
  const move = (i) => box.push({ ...message(`m${i}`), subject: mouse });
  for (let i = 0; i < 100; i++) {
    move(i);
    drain(box);
  }
  assert.deepEqual([box.undelivered, box.unsent], [33, 1]);
  box.acknowledge(1);
  assert.deepEqual(drain(box), ['m99']);
  move(100);
  assert.deepEqual(drain(box), []);
  box.push(message('click'));
  assert.deepEqual(drain(box), ['m100', 'click']);
});

test('after a drop the latest of each subject goes out again, the others are given up', () => {
  const box = new Outbox(1000);
  const mouse = {};
  for (const text of ['m1', 'm2', 'm3']) {
    box.push({ ...message(text), subject: mouse });
    drain(box);
  }
  box.push(message('click'));
  drain(box);
  box.push({ ...message('m4'), subject: mouse });
  box.rewind(1);
  assert.deepEqual(drain(box), ['click', 'm4']);
  box.acknowledge(3);
  assert.deepEqual([box.held, box.undelivered], [0, 0]);
});

test('what has expired is not sent, neither for the first time nor again, and makes room', () => {
  let now = 100;
  const box = new Outbox(10, () => now);
  const until = (text, expires) => box.push({ ...message(text), expires });
  until('aaa', 200);
  until('bbb', 300);
  box.push(message('ccc'));
  assert.deepEqual(drain(box), ['aaa', 'bbb', 'ccc']);
  now = 250;
  box.rewind(0);
  assert.deepEqual(drain(box), ['bbb', 'ccc']);
  box.rewind(0);
  now = 301;
  box.push(message('ddddddd'));
  assert.equal(box.held, 10);
  assert.deepEqual(drain(box), ['ccc', 'ddddddd']);
  box.acknowledge(2);
  until('old', 300);
  assert.deepEqual(drain(box), []);
  assert.deepEqual([box.held, box.undelivered, box.unsent], [0, 0, 0]);
});

test('who waits for room gets it from what has expired', async () => {
  let now = 0;
  const box = new Outbox(10, () => now);
  box.push({ ...message('aaaaaaaa'), expires: 1 });
  const freed = box.whenRoom(5);
  now = 2;
  box.next(100);
  await freed;
});

test('a full outbox throws and keeps nothing of the message', () => {
  const box = new Outbox(10);
  box.push(message('aaaa'));
  assert.throws(() => box.push(message('bbbbbbb')), { code: 'buffer-full' });
  assert.throws(() => box.push(message('b'.repeat(11))), { code: 'too-large' });
  assert.equal(box.held, 4);
  box.push(message('bbbbbb'));
  assert.equal(box.undelivered, 2);
});

test('who waits for room gets it in turn, when something was acknowledged or the session is over', async () => {
  const box = new Outbox(10);
  box.push(message('aaaaa'));
  box.push(message('bbbbb'));
  const order = [];
  box.whenRoom(8).then(() => order.push('large'));
  box.whenRoom(1).then(() => order.push('small'));
  box.next(100);
  box.next(100);
  box.acknowledge(1);
  await null;
  assert.deepEqual(order, [], 'the small one does not overtake');
  box.acknowledge(2);
  await null;
  assert.deepEqual(order, ['large', 'small']);
  box.push(message('c'.repeat(10)));
  const freed = box.whenRoom(5);
  box.abandon();
  await freed;
});

test('what waits and is too large for the server is taken out, the rest stays in order', () => {
  const box = new Outbox(1000);
  for (const [text, size] of [
    ['a', 50],
    ['b', 5],
    ['c', 60],
    ['d', 6],
  ])
    box.push(message(text, size));
  box.next(100);
  assert.deepEqual(
    box.removeLargerThan(40).map((entry) => entry.payload),
    ['c'],
  );
  assert.equal(box.held, 61);
  box.rewind(0);
  assert.deepEqual(drain(box), ['a', 'b', 'd']);
});

test('an outbox agrees with a naive model through random operations', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  console.log(`# seed ${seed}`);
  const random = generator(seed);
  let now = 0;
  const box = new Outbox(5000, () => now);
  const subjects = [{}, {}, {}];
  /** Two plain lists, counted anew each time. */
  const model = { acked: 0, flying: [], queue: [] };
  const bytes = (entries) => entries.reduce((sum, { size }) => sum + size, 0);
  const named = (entries) => entries.filter(({ subject }) => subject).length;
  const old = ({ expires }) => expires < now;
  const latest = (entries) =>
    entries.filter(
      (e, i) => !e.subject || !entries.slice(i + 1).some((l) => l.subject === e.subject),
    );
  const fits = (queue) => bytes(model.flying) + bytes(queue) <= 5000;
  const acknowledge = (count) => {
    model.acked += count;
    model.flying.splice(0, count);
  };
  for (let step = 0; step < 30_000; step++) {
    const what = random();
    now += random();
    if (what < 0.45) {
      const entry = message(`m${step}`, 1 + Math.floor(random() * 40));
      if (random() < 0.3) entry.subject = subjects[Math.floor(random() * 3)];
      if (random() < 0.3) entry.expires = now + random() * 20;
      let queue = latest([...model.queue, entry]);
      if (!fits(queue))
        queue = latest([...(model.queue = model.queue.filter((e) => !old(e))), entry]);
      if (fits(queue)) model.queue = queue;
      if (fits(queue)) box.push({ ...entry });
      else assert.throws(() => box.push({ ...entry }), { code: 'buffer-full' });
    } else if (what < 0.8) {
      while (model.queue.length && old(model.queue[0])) model.queue.shift();
      const [entry] = model.queue;
      const open = model.flying.length === 0 || bytes(model.flying) + entry?.size <= 500;
      const held = named(model.flying) >= 32 && named(model.queue) === model.queue.length;
      const goes = entry && open && !held;
      assert.equal(box.next(500)?.payload, goes ? entry.payload : undefined);
      if (goes) model.flying.push(model.queue.shift());
    } else {
      acknowledge(Math.floor(random() * (model.flying.length + 1)));
      if (what < 0.97) box.acknowledge(model.acked);
      else {
        model.queue = latest([...model.flying.splice(0), ...model.queue]);
        box.rewind(model.acked);
      }
    }
    assert.equal(box.undelivered, model.flying.length + model.queue.length);
    assert.equal(box.unsent, model.queue.length);
    assert.equal(box.held, bytes(model.flying) + bytes(model.queue));
  }
});

/** Random numbers from 0 to 1 that depend on a seed (mulberry32). */
function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('an inbox wants to acknowledge at 64 messages or a quarter of the window', () => {
  const box = new Inbox();
  for (let i = 1; i < 64; i++) assert.equal(box.receive(1, 1000), false);
  assert.equal(box.receive(1, 1000), true);
  assert.equal(box.acknowledge(), 64);
  assert.equal(box.hasUnacknowledged, false);
  assert.equal(box.receive(249, 1000), false);
  assert.equal(box.receive(1, 1000), true);
  assert.equal(box.hasUnacknowledged, true);
  assert.equal(box.received, 66);
});

test('after a connection that worked the first attempt is at once, the next ones wait', () => {
  const backoff = new Backoff();
  backoff.opened(0);
  backoff.worked();
  const lost = parseEnd(1006, '');
  assert.equal(backoff.delayAfter(lost, 10, 1), 0);
  assert.equal(backoff.delayAfter(lost, 20, 1), 500);
  assert.equal(backoff.delayAfter(lost, 30, 1), 1000);
  backoff.opened(2000);
  assert.equal(backoff.delayAfter(lost, 7000, 1), 0, 'five seconds are work enough');
});

test('a server that welcomes and drops at once is not stormed', () => {
  const backoff = new Backoff();
  let total = 0;
  for (let i = 0, now = 0; i < 10; i++) {
    backoff.opened(now);
    const pause = backoff.delayAfter(parseEnd(1006, ''), now, 1);
    total += pause;
    now += pause;
  }
  assert.ok(total > 25_000, String(total));
});

test('what the server asks to wait is waited, with something random on top', () => {
  const backoff = new Backoff();
  assert.equal(backoff.delayAfter(parseEnd(1013, 'overload retry=10'), 0, 0), 10_125);
  assert.equal(backoff.serverWait(4000), 6000);
  assert.equal(backoff.serverWait(11_000), 0);
  assert.ok(new Backoff().delayAfter(parseEnd(4504, 'program-timeout'), 0, 0) >= 5000);
});

test('a welcome needs all of its fields, and may have more', () => {
  assert.equal(parseWelcome(welcomeFields({ more: 1 })).window, 1000);
  const wrong = {
    session: [undefined, 'short', 5, 'abcdefghijklmnopqrstuv w', 'abcdefghijklmnopqrstuvwxy'],
    resumed: [undefined, 0, 'true'],
    received: [undefined, -1, 1.5, '0', 2 ** 53],
    window: [0, '1', null],
    maxMessage: [0, undefined],
    ping: [0, -5, undefined, Infinity],
    grace: [-1, undefined],
  };
  for (const [field, values] of Object.entries(wrong))
    for (const value of values)
      assert.throws(
        () => parseWelcome(welcomeFields({ [field]: value })),
        WireError,
        `${field} ${value}`,
      );
  for (const data of [null, 5, 'x', [], true]) assert.throws(() => parseWelcome(data), WireError);
});

test('a timer rings once, is set anew, is cleared, and waits longer than a timer can', () => {
  const clock = new FakeClock();
  const rung = [];
  const timer = new Timer(clock);
  timer.set(10, () => rung.push('a'));
  timer.set(20, () => rung.push('b'));
  clock.advance(100);
  assert.deepEqual(rung, ['b']);
  timer.set(10, () => rung.push('c'));
  timer.clear();
  clock.advance(100);
  assert.equal(timer.isSet, false);
  timer.set(2 ** 31 + 1000, () => rung.push('d'));
  clock.advance(2 ** 31);
  assert.deepEqual(rung, ['b']);
  clock.advance(1000);
  assert.deepEqual(rung, ['b', 'd']);
});
