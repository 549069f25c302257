// SPDX-License-Identifier: MIT
// @ts-check
/** Reads the values of a form's controls. */
import { domCall, domGet, isElement, isHtml } from '../base/dom-property.mjs';
import { describeFile } from '../base/file-info.mjs';

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

/** @param {any} list a FileList */
export function filesOf(list) {
  return list && Array.from(list, describeFile);
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

/**
 * What the form would submit: a string or a file for each name, or a list of them.
 * @param {any} form @param {any} submitter the button, or null
 * @param {(control: any) => boolean} isLeftOut
 * @returns {Record<string, any>}
 */
export function entriesOf(form, submitter, isLeftOut) {
  return grouped(formDataOf(form, submitter), namesOf(form, isLeftOut));
}

/** @param {any} form @param {(control: any) => boolean} which @returns {Set<string>} */
export function namesOf(form, which) {
  return new Set(
    Array.from((form && domGet(form, 'elements')) ?? [])
      .filter(which)
      .map((control) => /** @type {any} */ (control).name),
  );
}

/** @param {Iterable<[string, any]>} entries @param {Set<string>} leftOut names */
export function grouped(entries, leftOut) {
  const all = Object.create(null); // a name may be __proto__
  for (const [name, value] of entries) {
    if (leftOut.has(name)) continue;
    const told = typeof value === 'string' ? value : isChosen(value) ? describeFile(value) : null;
    all[name] = name in all ? [all[name], told].flat() : told;
  }
  return all;
}

/** A file input without a file submits one that has no name and no bytes. @param {File} file */
function isChosen({ name, size }) {
  return name !== '' || size > 0;
}

/** The form that is being read. The browser fires an event at it meanwhile. @type {any} */
let formBeingRead = null;

/** Whether the event was fired because this module reads the form. @param {Event} event */
export function isCausedByUs(event) {
  return event.type === 'formdata' && event.target === formBeingRead;
}

/** @param {any} form @param {any} submitter */
function formDataOf(form, submitter) {
  formBeingRead = form;
  try {
    return new FormData(form, submitter);
  } catch {
    return new FormData(form); // an older browser, or a button that has left the form
  } finally {
    formBeingRead = null;
  }
}
