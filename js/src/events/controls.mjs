// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Reads the values of a form's controls, and knows the events that the client itself has caused
 * at them.
 */
import { domCall, domGet, isElement, isHtml } from '../base/dom-property.mjs';

const CONTROLS =
  'input, textarea, select, button, output, progress, meter, [contenteditable]:not([contenteditable="false"])';

/**
 * The control in which the event happened.
 * @param {any[]} path from the innermost node outwards
 * @returns {any} or null
 */
export function controlOf(path) {
  return (
    path.find(
      (node) => isElement(node) && (domCall(node, 'matches', CONTROLS) || isFormAssociated(node)),
    ) ?? null
  );
}

/** @param {any} element a custom element that has a value */
function isFormAssociated(element) {
  return domGet(element, 'localName').includes('-') && typeof element.value === 'string';
}

/** @param {any} control @returns {string | number | undefined} */
export function valueOf(control) {
  if (!control) return undefined;
  return domGet(control, 'isContentEditable')
    ? domGet(control, 'textContent')
    : domGet(control, 'value');
}

/** @param {any} control @returns {boolean | undefined} of a checkbox or a radio button */
export function checkedOf(control) {
  const type = control && domGet(control, 'type');
  return type === 'checkbox' || type === 'radio' ? control.checked : undefined;
}

/**
 * @param {any} control @returns {string[] | undefined} the values of a select's selected options
 */
export function selectedOf(control) {
  const options = control && domGet(control, 'selectedOptions');
  return options && Array.from(options, (option) => option.value);
}

/**
 * What a control and its form had when an event happened. `entries` is of a submit, of `form`.
 * @typedef {object} Snapshot
 * @property {any} control or null
 * @property {string | number} [value]
 * @property {boolean} [checked]
 * @property {string[]} [selected]
 * @property {any[]} [files]
 * @property {any} [form]
 * @property {Array<[string, any]>} [entries]
 * @property {number} size of the texts, in characters
 */

/** @param {any} event @param {any} control or null @returns {Snapshot} */
export function snapshotOf(event, control) {
  const value = valueOf(control);
  const files = control && domGet(control, 'files');
  const isForm = isElement(event.target) && isHtml(event.target, 'form');
  const form = event.type === 'submit' && isForm ? event.target : null;
  const entries = form ? [...formDataOf(form, event.submitter ?? null)] : [];
  const texts = [value, ...entries.flat()].filter((one) => typeof one === 'string');
  return {
    control,
    value,
    checked: checkedOf(control),
    selected: selectedOf(control),
    ...(files && { files: [...files] }),
    ...(form && { form, entries }),
    size: texts.reduce((sum, one) => sum + one.length, 0),
  };
}

/** The form that is being read. The browser fires an event at it meanwhile. @type {any} */
let formBeingRead = null;

/** Whether the event was fired because this module reads the form. @param {Event} event */
export function isCausedByUs(event) {
  return event.type === 'formdata' && event.target === formBeingRead;
}

/** @param {any} form @param {any} submitter the button, or null */
export function formDataOf(form, submitter) {
  formBeingRead = form;
  try {
    return new FormData(form, submitter);
  } catch {
    return new FormData(form); // an older browser, or a button that has left the form
  } finally {
    formBeingRead = null;
  }
}

/** @type {WeakSet<Event>} */
const restoredEvents = new WeakSet();

/** An event that tells of a restored field. @param {string} type */
export function restoredEvent(type) {
  const event = new Event(type, { bubbles: true });
  restoredEvents.add(event);
  return event;
}

/** @param {Event} event */
export function isRestoredEvent(event) {
  return restoredEvents.has(event);
}
