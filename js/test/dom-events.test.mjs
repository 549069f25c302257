// SPDX-License-Identifier: MIT
/** The parts of listening that need no document. The others are tested in tests/browser. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { grouped } from '../src/events/form-entries.mjs';
import { DomCommands } from '../src/dom/commands.mjs';
import { DomProblem } from '../src/dom/problem.mjs';
import { Fifo } from '../src/base/fifo.mjs';
import { isOneOf, modifiersOf, parseCombo } from '../src/events/key-combos.mjs';
import { toJsonValue } from '../src/events/json-value.mjs';
import { Throttle } from '../src/events/throttle.mjs';
import { FakeClock } from './fakes.mjs';

/** A keyboard event. `Ctrl+Shift+S` holds both modifiers, and its key is `S`. */
function press(text, more = {}) {
  const parts = text === '+' ? ['+'] : text.split(/\+(?=.)/);
  const held = Object.fromEntries(
    parts.slice(0, -1).map((name) => [`${name.toLowerCase()}Key`, true]),
  );
  return { key: parts.at(-1), code: '', ...held, ...more };
}

test('a key is meant with its modifiers and no others', () => {
  const cases = [
    ['Enter', ['Enter'], ['Shift+Enter', 'Ctrl+Enter', 'enter', 'a']],
    ['Ctrl+s', ['Ctrl+s', 'Ctrl+S'], ['s', 'Ctrl+Shift+S', 'Alt+s', 'Ctrl+Alt+s', 'Meta+s']],
    ['Ctrl+Shift+S', ['Ctrl+Shift+S', 'Ctrl+Shift+s'], ['Ctrl+s', 'Shift+S']],
    ['a', ['a', 'A'], ['Shift+A', 'Ctrl+a']],
    ['?', ['?', 'Shift+?'], ['Ctrl+?']],
    ['Shift+?', ['Shift+?'], ['?']],
    ['+', ['+', 'Shift++'], ['Ctrl++']],
    ['Ctrl++', ['Ctrl++', 'Ctrl+Shift++'], ['+']],
    ['Space', [' '], ['Shift+ ']],
    ['ø', ['ø', 'Ø'], ['o']],
  ];
  for (const [combo, right, wrong] of cases) {
    for (const key of right)
      assert.ok(isOneOf(press(key), [parseCombo(combo)]), `${combo} is ${key}`);
    for (const key of wrong)
      assert.ok(!isOneOf(press(key), [parseCombo(combo)]), `${combo} is not ${key}`);
  }
});

test('a key is also meant by its place; AltGr is no modifier of what it writes; an input method takes its keys', () => {
  assert.ok(isOneOf(press('q', { code: 'KeyA' }), [parseCombo('KeyA')]));
  const altGr = { ctrlKey: true, altKey: true, getModifierState: (name) => name === 'AltGraph' };
  assert.ok(isOneOf(press('@', altGr), [parseCombo('@')]));
  assert.ok(!isOneOf(press('@', { ctrlKey: true, altKey: true }), [parseCombo('@')]));
  assert.ok(!isOneOf(press('Enter', { isComposing: true }), [parseCombo('Enter')]));
  assert.ok(!isOneOf(press('Enter', { keyCode: 229 }), [parseCombo('Enter')]));
  assert.equal(modifiersOf(press('Shift+Ctrl+x')), 'Ctrl+Shift');
});

test('what is no key is refused', () => {
  for (const text of ['', 'Ctrl+', 'Strg+s', 'ctrl+s', 'enter', 'Ctrl s', 'ab', '+Ctrl'])
    assert.throws(() => parseCombo(text), DomProblem, text);
});

function throttled(options) {
  const clock = new FakeClock();
  const said = [];
  const r = new Throttle(clock, { throttle: null, debounce: null, ...options }, (what) =>
    said.push(what),
  );
  return { r, clock, take: () => said.splice(0) };
}
const [A, B] = [{ name: 'a' }, { name: 'b' }];

test('without a throttle everything is sent at once', () => {
  const { r, take } = throttled({});
  for (const n of [1, 2, 3]) r.push(A, n);
  assert.deepEqual(take(), [1, 2, 3]);
});

test('throttled: the first at once, then one in the time, and the last is not lost', () => {
  const { r, clock, take } = throttled({ throttle: 100 });
  for (const n of [1, 2, 3]) r.push(A, n);
  r.push(B, 'b');
  assert.deepEqual(take(), [1, 'b']);
  clock.advance(99);
  r.push(A, 4);
  assert.deepEqual(take(), []);
  clock.advance(1);
  assert.deepEqual(take(), [4]);
  r.push(A, 5);
  clock.advance(99);
  assert.deepEqual(take(), [], 'the time begins anew with each');
  clock.advance(1);
  assert.deepEqual(take(), [5]);
  clock.advance(1000);
  r.push(A, 6);
  assert.deepEqual(take(), [6]);
  clock.advance(1000);
  assert.equal(clock.pending, 0);
});

test('debounced: the latest after the quiet, of each subject', () => {
  const { r, clock, take } = throttled({ debounce: 100 });
  r.push(A, 1);
  clock.advance(60);
  r.push(A, 2);
  r.push(B, 'b');
  clock.advance(60);
  assert.deepEqual(take(), []);
  clock.advance(40);
  assert.deepEqual(take(), [2, 'b']);
});

test('what waits can be said before its time, and is not said twice; after close() nothing is said', () => {
  for (const options of [{ debounce: 100 }, { throttle: 100 }]) {
    const { r, clock, take } = throttled(options);
    for (const n of [1, 2]) r.push(A, n);
    r.push(B, 'b');
    take();
    r.push(B, 'c');
    r.flush((subject) => subject === A);
    assert.deepEqual(take(), [2]);
    clock.advance(1000);
    assert.deepEqual(take(), ['c']);
    r.push(A, 3);
    r.push(A, 4);
    take();
    r.close();
    clock.advance(1000);
    assert.deepEqual(take(), []);
  }
});

test('a plain copy keeps what JSON has, names files and errors, and refuses what would arrive as something else', () => {
  const odd = {
    a: [1, undefined, () => 1],
    left: undefined,
    when: new Date(0),
    error: new TypeError('t'),
    ['__proto__']: 1,
  };
  const text = JSON.stringify(toJsonValue(odd));
  assert.equal(
    text,
    '{"a":[1,null,null],"when":"1970-01-01T00:00:00.000Z","error":{"name":"TypeError","message":"t"},"__proto__":1}',
  );
  assert.deepEqual(toJsonValue(new Blob(['abc'], { type: 'x/y' })), {
    name: undefined,
    size: 3,
    type: 'x/y',
    lastModified: undefined,
  });
  const cycle = {};
  cycle.self = { cycle };
  let deep = [];
  for (let i = 0; i < 200; i++) deep = [deep];
  for (const wrong of [cycle, deep, 1n, { a: new Map() }, new Uint8Array(2), new ArrayBuffer(2)])
    assert.throws(() => toJsonValue(wrong), DomProblem);
  const twice = { x: 1 };
  assert.deepEqual(
    JSON.parse(JSON.stringify(toJsonValue([twice, twice]))),
    [{ x: 1 }, { x: 1 }],
    'twice is no cycle',
  );
});

test('form entries of one name are a list; a file that was not chosen is null', () => {
  const entries = [
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
    ['a', '4'],
    ['f', new File([], '')],
    ['secret', 'x'],
    ['__proto__', 'y'],
  ];
  assert.equal(
    JSON.stringify(grouped(entries, new Set(['secret']))),
    '{"a":["1","3","4"],"b":"2","f":null,"__proto__":"y"}',
  );
});

test('a first-in-first-out queue agrees with an array, over many turns', () => {
  const fifo = new Fifo();
  const model = [];
  for (let step = 0; step < 20_000; step++) {
    if ((step * 7919) % 10 < (step < 10_000 ? 7 : 3)) (model.push(step), fifo.push(step));
    else assert.equal(fifo.shift(), model.shift());
    assert.deepEqual([fifo.length, fifo.first], [model.length, model[0]]);
  }
  assert.deepEqual(fifo.all(), model);
});

test('a command that fails is told, and one that is shut out does nothing', () => {
  const told = [];
  const done = [];
  const commands = {
    dom: (data) => done.push(data),
    listen: () => {
      throw new DomProblem('no', { as: 'x' });
    },
  };
  const dom = new DomCommands(commands, null, (problem) => told.push(problem));
  for (const word of ['dom', 'listen', 'unlisten']) dom.run({ word, data: word });
  new DomCommands(commands, 'shut', (problem) => told.push(problem)).run({ word: 'dom', data: 1 });
  assert.deepEqual(done, ['dom']);
  assert.deepEqual(told, [
    { command: 'listen', message: 'no', as: 'x' },
    { command: 'unlisten', message: 'this page does not know the command' },
    { command: 'dom', message: 'shut' },
  ]);
});
