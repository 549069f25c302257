// SPDX-License-Identifier: MIT
/** Texts that two sides have changed: splices, carets, merges. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mergeTexts, shiftCaret, spliceOf } from '../src/dom/splice.mjs';

const applied = (text, { start, end, text: put }) => text.slice(0, start) + put + text.slice(end);
const isWhole = (text) =>
  text.isWellFormed?.() ??
  !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);

/** Random numbers, the same in each run. */
function* numbers(seed) {
  for (;;) yield (seed = (seed * 48271) % 2147483647);
}

test('the splice between any two texts makes the one of the other, and cuts no pair in two', () => {
  const next = numbers(7);
  const letters = ['a', 'b', '😀', '😁', 'é'];
  const some = () =>
    Array.from(
      { length: next.next().value % 6 },
      () => letters[next.next().value % letters.length],
    ).join('');
  for (let i = 0; i < 20_000; i++) {
    const [before, after] = [some(), some()];
    const splice = spliceOf(before, after);
    assert.equal(applied(before, splice), after, `${before} -> ${after}`);
    assert.ok(
      isWhole(splice.text) && isWhole(before.slice(0, splice.start)),
      `${before} -> ${after}: ${JSON.stringify(splice)}`,
    );
  }
});

test('a splice is as small as it can be', () => {
  assert.deepEqual(spliceOf('price 10 now', 'price 1000 now'), { start: 8, end: 8, text: '00' });
  assert.deepEqual(spliceOf('abc', 'abc'), { start: 3, end: 3, text: '' });
  assert.deepEqual(spliceOf('aaa', 'aa'), { start: 2, end: 3, text: '' });
});

test('a caret stays at its characters', () => {
  const rows = [
    ['ab|', 'AB', 2],
    ['a|b', 'AB', 1],
    ['one |two', 'zero one two', 9],
    ['one |two', 'one two three', 4],
    ['12|34', '14', 1],
    ['|ab', 'xab', 0],
  ];
  for (const [marked, after, expected] of rows) {
    const before = marked.replace('|', '');
    assert.equal(shiftCaret(marked.indexOf('|'), spliceOf(before, after)), expected, marked);
  }
});

test('what was typed and what was answered are merged; where they overlap, typing wins', () => {
  const rows = [
    ['ab', 'abc', 'AB', 'ABc'],
    ['ab', 'xab', 'AB', 'xAB'],
    ['hi', 'hiyo', '', 'yo'],
    ['hi', 'hi', '', ''],
    ['', 'x', 'y', 'yx'],
    ['1000', '10005', '1,000', '1,0005'],
    ['one two', 'one two three', 'One two', 'One two three'],
    ['one two', 'ONE two', 'one TWO', 'ONE TWO'],
    ['abc', 'axc', 'aBc', 'axc'],
    ['abc', 'ac', 'ABC', 'ac'],
    ['same', 'same', 'same', 'same'],
  ];
  for (const [seen, typed, answered, expected] of rows)
    assert.equal(mergeTexts(seen, typed, answered), expected, `${seen}: ${typed} and ${answered}`);
});

test('letters that are typed behind those that are being made capitals are never lost, however late the answers are', () => {
  const text = 'the quick brown fox';
  for (let lag = 0; lag <= text.length; lag++) {
    let live = '';
    const sent = [];
    for (const letter of text) {
      live += letter;
      sent.push(live);
      if (sent.length > lag) live = mergeTexts(sent[0], live, sent.shift().toUpperCase());
    }
    for (const seen of sent) live = mergeTexts(seen, live, seen.toUpperCase());
    assert.equal(live.toLowerCase(), text, `lag ${lag}`);
  }
});
