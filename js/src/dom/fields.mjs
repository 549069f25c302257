// SPDX-License-Identifier: MIT
// @ts-check
/** What a form's field is and has. */
import { domCall, domGet } from '../base/dom-property.mjs';

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

/** Whether the element is a field whose value is typed, or dragged. @param {any} element */
export function hasTypedValue(element) {
  const tag = domGet(element, 'localName');
  return tag === 'textarea' || (tag === 'input' && !INPUTS_WITHOUT_TEXT.has(element.type));
}

/** The values that are chosen in a select, as one text. @param {any} select */
export function choiceIn(select) {
  return JSON.stringify(Array.from(select.selectedOptions, ({ value }) => value));
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
