// SPDX-License-Identifier: MIT
/**
 * A field that its program changes while the user types, in a fake page. Real pages are tested in
 * tests/browser/typing.test.mjs.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { typed } from '../src/dom/typed.mjs';
import { typing } from '../src/dom/typing.mjs';

const page = new EventTarget();
typed.watch(page);

const tell = (field, type) =>
  page.dispatchEvent(Object.assign(new Event(type), { composedPath: () => [field] }));
const makeField = () => ({ localName: 'input', type: 'text', value: '', getRootNode: () => page });
const turn = () => new Promise((resolve) => setTimeout(resolve));

/** The user goes on. The result is the value that the program hears. */
function type(field, text) {
  field.value += text;
  tell(field, 'input');
  return field.value;
}

/** Types `text` letter by letter; the answer to each comes `lag` letters later. */
function typeWithLag(text, lag, answer) {
  const field = makeField();
  const heard = [];
  const hearAnswer = (was) => typing.setValue(field, answer(was), { was });
  for (const letter of text) {
    heard.push(type(field, letter));
    if (heard.length > lag) hearAnswer(heard.shift());
  }
  heard.forEach(hearAnswer);
  return field.value;
}

test('when the last answer has come the field is as that answer says, however late the answers are', () => {
  const text = 'the quick brown fox';
  for (let lag = 0; lag <= text.length; lag++)
    assert.equal(
      typeWithLag(text, lag, (was) => was.toUpperCase()),
      'THE QUICK BROWN FOX',
      `lag ${lag}`,
    );
});

test('separators that several answers put into a number are there once', () => {
  const separated = (digits) => digits.replaceAll(',', '').replace(/\B(?=(\d{3})+$)/g, ',');
  for (let lag = 0; lag <= 7; lag++)
    assert.equal(typeWithLag('1234567', lag, separated), '1,234,567', `lag ${lag}`);
});

test('answers that waited for the end of a composition are shown, also where the next key was faster', async () => {
  const field = makeField();
  tell(field, 'compositionstart');
  const composed = ['に', '本'].map((text) => type(field, `a${text}`));
  for (const was of composed) typing.setValue(field, was.toUpperCase(), { was });
  assert.equal(field.value, 'aにa本');
  tell(field, 'compositionend');
  const last = type(field, 'c');
  await turn();
  assert.equal(field.value, 'AにA本c');
  typing.setValue(field, last.toUpperCase(), { was: last });
  assert.equal(field.value, 'AにA本C');
});

test('a field that its program has emptied is empty for the next answer', () => {
  const field = makeField();
  const said = type(field, 'hello');
  typing.setValue(field, '', { was: said });
  typing.setValue(field, '', { was: said });
  assert.equal(field.value, '');
  typing.setValue(field, 'a draft', { was: '' });
  assert.equal(field.value, 'a draft');
});

test("what a page's own script has written is not undone by an answer", () => {
  const field = makeField();
  const first = type(field, 'a');
  type(field, 'b');
  field.value = 'from the script';
  typing.setValue(field, 'A', { was: first });
  assert.equal(field.value, 'from the script');
});
