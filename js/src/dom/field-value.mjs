// SPDX-License-Identifier: MIT
// @ts-check
/** How the value of a form's field is set. */
import { hasFocus } from './fields.mjs';
import { shiftCaret, spliceOf } from './splice.mjs';

/** Inputs whose value is the text as it was set, but for line breaks. */
const PLAIN_TEXT = new Set(['password', 'search', 'tel', 'text']);

/** The text as the field has it when it is set. @param {any} field @param {string} text */
export function sanitized(field, text) {
  if (field.localName !== 'input' || PLAIN_TEXT.has(field.type)) return text;
  const probe = field.cloneNode(false);
  probe.value = text;
  return probe.value;
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
