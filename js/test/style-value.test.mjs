// SPDX-License-Identifier: MIT
/** The two parts of a style's value. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { styleOf } from '../src/dom/style-value.mjs';

test('a value may say that it is important', () => {
  for (const [text, ...parts] of [
    ['4px', '4px', ''],
    ['4px !important', '4px', 'important'],
    ['4px! important ', '4px', 'important'],
    ['important', 'important', ''],
    ['"!" x', '"!" x', ''],
    ['', '', ''],
  ])
    assert.deepEqual(styleOf(text), parts, text);
});

test('a value of a million spaces does not hold the page up', () => {
  const text = `a${' '.repeat(1 << 20)}x`;
  assert.deepEqual(styleOf(text), [text, '']);
});
