// SPDX-License-Identifier: MIT
/** What happens before the first listeners: what is kept, and who hears it, in which order. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { CatchUp } from '../src/events/catch-up.mjs';
import { EarlyEvents } from '../src/events/early-events.mjs';
import { FakeClock } from './fakes.mjs';

const secrets = { has: () => false };
const always = () => true;

/** A listener for events of this type; `told` are the numbers of the events that it was told. */
function listener(on, { capture = false } = {}) {
  const told = [];
  const options = { on, as: on, capture, object: null, prevent: on === 'submit' };
  return { options, told, pathIndexOf: () => 0, hear: (event) => told.push(event.n) > 0 };
}

function fire(window, type, n) {
  const event = Object.assign(new Event(type), { n });
  window.dispatchEvent(event);
  return event;
}

test('each listener is told once of what happened before it, in order, and of nothing else', () => {
  const window = new EventTarget();
  const early = new EarlyEvents(window, secrets);
  for (const [type, n] of [
    ['click', 1],
    ['input', 2],
    ['click', 3],
    ['wheel', 4],
  ])
    fire(window, type, n);
  const [a, b] = [listener('click'), listener('click')];
  early.tell(a, 'a', always);
  early.tell(a, 'a', always);
  early.tell(b, 'b', always);
  assert.deepEqual(
    [a.told, b.told],
    [
      [1, 3],
      [1, 3],
    ],
  );
  early.settled();
  fire(window, 'click', 5);
  const late = listener('click');
  early.tell(late, 'late', always);
  assert.deepEqual(late.told, []);
});

test('an event that a listener has heard as it happened is not told again', () => {
  const window = new EventTarget();
  const early = new EarlyEvents(window, secrets);
  const event = fire(window, 'click', 1);
  fire(window, 'click', 2);
  early.heard(event);
  const a = listener('click');
  early.tell(a, 'a', always);
  assert.deepEqual(a.told, [2]);
});

test('a listener that wants a single event gets the first', () => {
  const window = new EventTarget();
  const early = new EarlyEvents(window, secrets);
  for (const n of [1, 2]) fire(window, 'click', n);
  const a = listener('click');
  early.tell(a, 'a', () => a.told.length === 0);
  assert.deepEqual(a.told, [1]);
});

test('beyond a thousand events the oldest go, and are counted', () => {
  const window = new EventTarget();
  const early = new EarlyEvents(window, secrets);
  for (let n = 0; n < 1003; n++) fire(window, 'click', n);
  const a = listener('click');
  early.tell(a, 'a', always);
  assert.deepEqual([a.told.length, a.told[0], early.settled()], [1000, 3, 3]);
});

test('nothing is kept of a page without a program', () => {
  const window = new EventTarget();
  const early = new EarlyEvents(window, secrets);
  early.stop();
  fire(window, 'click', 1);
  assert.equal(early.isOpen, false);
  const a = listener('click');
  early.tell(a, 'a', always);
  assert.deepEqual(a.told, []);
});

test('what happens while the first listeners come is sent after what happened before, in order', () => {
  const window = new EventTarget();
  const clock = new FakeClock();
  const events = new EarlyEvents(window, secrets);
  const sent = [];
  const submits = { learn() {}, claim() {}, settled: () => sent.push('settled') };
  const fields = { noteTold() {}, tell: () => sent.push('fields') };
  const catchUp = new CatchUp(
    { events, submits, fields, over() {} },
    { clock, listeners: () => [], lost: () => {} },
  );
  const hears = (on) => {
    const one = listener(on);
    one.hear = (event) => (catchUp.send(event.n, () => sent.push(event.n)), true);
    return one;
  };
  for (const [type, n] of [
    ['click', 1],
    ['input', 2],
    ['click', 3],
  ])
    fire(window, type, n);
  catchUp.came(hears('input'), 'i', always);
  catchUp.send(4, () => sent.push(4)); // happens now
  catchUp.came(hears('click'), 'c', always);
  assert.deepEqual(sent, []);
  clock.advance(100);
  assert.deepEqual(sent, [1, 2, 3, 4, 'fields', 'settled']);
  catchUp.send(5, () => sent.push(5));
  assert.equal(sent.at(-1), 5);
});
