// SPDX-License-Identifier: MIT
// @ts-check
/** What a form's field is, has, and how its value is set. */
import { domCall, domGet } from '../base/dom-property.mjs';
import { shiftCaret, spliceOf } from './splice.mjs';

/** Types of <input> that are neither typed into nor dragged. */
const INPUTS_WITHOUT_TEXT = new Set([
  'button',
  'checkbox',
  'file',
  'hidden',
  'image',
  'radio',
  'reset',
  'submit',
]);

/** Inputs whose value is the text as it was set, but for line breaks. */
const PLAIN_TEXT = new Set(['password', 'search', 'tel', 'text']);

/** Whether the element is a field whose value is typed, or dragged. @param {any} element */
export function hasTypedValue(element) {
  const tag = domGet(element, 'localName');
  return tag === 'textarea' || (tag === 'input' && !INPUTS_WITHOUT_TEXT.has(element.type));
}

/** The values that are chosen in a select, as one text. @param {any} select */
export function choiceIn(select) {
  return JSON.stringify(Array.from(select.selectedOptions, ({ value }) => value));
}

/** The text as the field has it when it is set. @param {any} field @param {string} text */
export function sanitized(field, text) {
  if (field.localName !== 'input' || PLAIN_TEXT.has(field.type)) return text;
  const probe = field.cloneNode(false);
  probe.value = text;
  return probe.value;
}

/** Whether the element, or one inside of it, has the focus. @param {any} element */
export function hasFocus(element) {
  const active = domGet(domCall(element, 'getRootNode'), 'activeElement');
  return Boolean(active) && domCall(element, 'contains', active);
}

/**
 * The field of an event, or the outermost editable element.
 * @param {Event} event @returns {any}
 */
export function fieldOf(event) {
  let element = /** @type {any} */ (event.composedPath()[0]);
  for (
    let outer = element;
    outer && domGet(outer, 'isContentEditable');
    outer = domGet(outer, 'parentElement')
  )
    element = outer;
  return element;
}

/**
 * Sets the value. The caret and the selection stay at their characters.
 * @param {any} field @param {string} value
 */
export function writeValue(field, value) {
  const before = field.value;
  if (before === value) return;
  const { selectionStart, selectionEnd, selectionDirection } = field;
  field.value = value;
  if (typeof selectionStart !== 'number' || !hasFocus(field)) return;
  const splice = spliceOf(before, field.value);
  field.setSelectionRange(
    shiftCaret(selectionStart, splice),
    shiftCaret(selectionEnd, splice),
    selectionDirection,
  );
}
