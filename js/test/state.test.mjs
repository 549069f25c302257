/** The small machines of the session, each for itself: outbox, inbox, pace, ends, welcome. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Alarm } from '../src/clock.mjs';
import { delay } from '../src/delay.mjs';
import { parseEnd, verdict } from '../src/ends.mjs';
import { Inbox } from '../src/inbox.mjs';
import { Outbox } from '../src/outbox.mjs';
import { Pace } from '../src/pace.mjs';
import { parseWelcome } from '../src/welcome.mjs';
import { WireError } from '../src/wire.mjs';
import { FakeClock, welcomeFields } from './fakes.mjs';

const message = (payload, size = payload.length) => ({ payload, size });

test('the delay lies between half and the whole of 250 ms doubled at each attempt, up to 30 s', () => {
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

test('an acknowledgement that falls, or of what was never sent, is an error of the protocol', () => {
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

test('an acknowledgement may come on a new connection before its message went out again', () => {
  const box = new Outbox(1000);
  for (const text of ['a', 'b', 'c']) box.push(message(text));
  while (box.next(100));
  box.rewind(0);
  assert.equal(box.next(1).payload, 'a');
  box.acknowledge(2);
  assert.equal(box.next(1).payload, 'c');
  box.acknowledge(3);
  assert.equal(box.held, 0);
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
  box.room(8).then(() => order.push('large'));
  box.room(1).then(() => order.push('small'));
  box.next(100);
  box.next(100);
  box.acknowledge(1);
  await null;
  assert.deepEqual(order, [], 'the small one does not overtake');
  box.acknowledge(2);
  await null;
  assert.deepEqual(order, ['large', 'small']);
  box.push(message('c'.repeat(10)));
  const freed = box.room(5);
  box.abandon();
  await freed;
});

test('what was never sent and is too large for the server is taken out, the rest stays in order', () => {
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
    box.withdraw(40).map((entry) => entry.payload),
    ['c'],
  );
  box.rewind(0);
  const rest = [];
  for (let entry; (entry = box.next(1000));) rest.push(entry.payload);
  assert.deepEqual(rest, ['a', 'b', 'd']);
  assert.equal(box.held, 61);
});

test('an outbox agrees with a naive model through random operations', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  console.log(`# seed ${seed}`);
  const random = generator(seed);
  const box = new Outbox(5000);
  const model = { all: [], acked: 0, sent: 0, next: 0 };
  for (let step = 0; step < 30_000; step++) {
    const what = random();
    if (what < 0.45) {
      const size = 1 + Math.floor(random() * 40);
      const held = model.all.slice(model.acked).reduce((sum, m) => sum + m.size, 0);
      if (held + size <= 5000) model.all.push(message(`m${model.all.length}`, size));
      if (held + size <= 5000) box.push(model.all.at(-1));
      else assert.throws(() => box.push(message('x', size)), { code: 'buffer-full' });
    } else if (what < 0.8) {
      const flying = model.all.slice(model.acked, model.next).reduce((sum, m) => sum + m.size, 0);
      const entry = model.all[model.next];
      const goes = entry && (flying === 0 || flying + entry.size <= 200);
      assert.equal(box.next(200)?.payload, goes ? entry.payload : undefined);
      if (goes) model.next++;
      model.sent = Math.max(model.sent, model.next);
    } else if (what < 0.97) {
      model.acked += Math.floor(random() * (model.sent - model.acked + 1));
      model.next = Math.max(model.next, model.acked);
      box.acknowledge(model.acked);
    } else {
      model.acked += Math.floor(random() * (model.sent - model.acked + 1));
      model.next = model.acked;
      box.rewind(model.acked);
    }
    assert.equal(box.undelivered, model.all.length - model.acked);
    assert.equal(box.unsent, model.all.length - model.next);
  }
  assert.equal(
    box.held,
    model.all.slice(model.acked).reduce((sum, m) => sum + m.size, 0),
  );
});

/** A small generator of numbers from 0 to 1 that begins anywhere (mulberry32). */
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
  for (let i = 1; i < 64; i++) assert.equal(box.take(1, 1000), false);
  assert.equal(box.take(1, 1000), true);
  assert.equal(box.acknowledge(), 64);
  assert.equal(box.owing, false);
  assert.equal(box.take(249, 1000), false);
  assert.equal(box.take(1, 1000), true);
  assert.equal(box.owing, true);
  assert.equal(box.received, 66);
});

test('the table of close codes: lost, wait, over', () => {
  const of = (code, retryAfter = null) => verdict({ code, retryAfter });
  for (const code of [1001, 1005, 1006, 1009, 1011, 1014, 3000, 3999]) assert.equal(of(code), 'resume', code);
  for (const code of [1013, 4429, 4504]) assert.equal(of(code), 'wait', code);
  for (const code of [1000, 1012, 4000, 4400, 4401, 4403, 4404, 4409, 4410, 4421, 4500, 4502, 4999])
    assert.equal(of(code), 'never', code);
  assert.equal(of(4502, 10), 'wait', 'a lookup that failed, not the program');
  assert.equal(of(4401, 60), 'never');
});

test('retry=N may follow any token', () => {
  assert.deepEqual(parseEnd(4403, 'origin-not-allowed retry=60'), {
    code: 4403,
    reason: 'origin-not-allowed',
    retryAfter: 60,
  });
  assert.deepEqual(parseEnd(1013, 'retry=0'), { code: 1013, reason: '', retryAfter: 0 });
  assert.deepEqual(parseEnd(1000, 'program-exit'), { code: 1000, reason: 'program-exit', retryAfter: null });
  assert.deepEqual(parseEnd(1006, ''), { code: 1006, reason: '', retryAfter: null });
  for (const reason of ['noretry=5', 'retry=', 'retry=-5', 'retry=5 x', 'retry=5s', 'x retry=1234567890'])
    assert.deepEqual(parseEnd(4000, reason), { code: 4000, reason, retryAfter: null });
});

test('after a connection that worked the first attempt is at once, the next ones wait', () => {
  const pace = new Pace();
  pace.opened(0);
  pace.worked();
  const lost = parseEnd(1006, '');
  assert.equal(pace.pause(lost, 10, 1), 0);
  assert.equal(pace.pause(lost, 20, 1), 500);
  assert.equal(pace.pause(lost, 30, 1), 1000);
  pace.opened(2000);
  assert.equal(pace.pause(lost, 7000, 1), 0, 'five seconds are work enough');
});

test('a server that welcomes and drops at once is not stormed', () => {
  const pace = new Pace();
  let total = 0;
  for (let i = 0, now = 0; i < 10; i++) {
    pace.opened(now);
    const pause = pace.pause(parseEnd(1006, ''), now, 1);
    total += pause;
    now += pause;
  }
  assert.ok(total > 25_000, String(total));
});

test('what the server asks to wait is waited, with something random on top', () => {
  const pace = new Pace();
  assert.equal(pace.pause(parseEnd(1013, 'overload retry=10'), 0, 0), 10_125);
  assert.equal(pace.barred(4000), 6000);
  assert.equal(pace.barred(11_000), 0);
  assert.ok(new Pace().pause(parseEnd(4504, 'program-timeout'), 0, 0) >= 5000);
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
      assert.throws(() => parseWelcome(welcomeFields({ [field]: value })), WireError, `${field} ${value}`);
  for (const data of [null, 5, 'x', [], true]) assert.throws(() => parseWelcome(data), WireError);
});

test('an alarm rings once, is set anew, is cleared, and waits longer than a timer can', () => {
  const clock = new FakeClock();
  const rung = [];
  const alarm = new Alarm(clock);
  alarm.set(10, () => rung.push('a'));
  alarm.set(20, () => rung.push('b'));
  clock.advance(100);
  assert.deepEqual(rung, ['b']);
  alarm.set(10, () => rung.push('c'));
  alarm.clear();
  clock.advance(100);
  assert.equal(alarm.isSet, false);
  alarm.set(2 ** 31 + 1000, () => rung.push('d'));
  clock.advance(2 ** 31);
  assert.deepEqual(rung, ['b']);
  clock.advance(1000);
  assert.deepEqual(rung, ['b', 'd']);
});
