// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Finds the fields that have something else than their markup gave them, and of which no listener
 * has heard: the browser has restored them or filled them in, or the user was quicker than the
 * client.
 */
import { domGet } from '../base/dom-property.mjs';
import { restoredEvent } from './controls.mjs';

const RESTORABLE = 'input, textarea, select';
const WITHOUT_STATE = Object.freeze(['hidden', 'submit', 'reset', 'button', 'image']);

export class RestoredFields {
  #document;
  /** What listeners have heard of each field. @type {WeakMap<object, string>} */
  #told = new WeakMap();

  /** @param {any} document */
  constructor(document) {
    this.#document = document;
  }

  /** A listener has heard what the control has. @param {any} control */
  noteTold(control) {
    if (control && isRestorable(control)) this.#told.set(control, stateText(control));
  }

  /**
   * Tells listeners of these fields. A field is told once by each name.
   * @param {Iterable<import('./listener.mjs').DomListener>} listeners
   */
  tell(listeners) {
    const all = [...listeners].filter(
      ({ options: { on, object } }) => !object && (on === 'input' || on === 'change'),
    );
    if (!all.length) return;
    for (const field of domQueryAll(this.#document, RESTORABLE))
      if (this.#isNews(field)) this.#tellOf(field, all);
  }

  /** @param {any} field */
  #isNews(field) {
    if (!isRestorable(field)) return false;
    const now = stateText(field);
    return now !== markupText(field) && now !== this.#told.get(field);
  }

  /** @param {any} field @param {import('./listener.mjs').DomListener[]} listeners */
  #tellOf(field, listeners) {
    const path = pathFrom(field);
    const names = new Set();
    for (const listener of listeners) {
      const { on, as } = listener.options;
      const event = restoredEvent(on);
      const index = listener.pathIndexOf(event, path);
      if (index < 0 || names.has(as)) continue;
      names.add(as);
      listener.hear(event, path, index);
    }
    if (names.size) this.noteTold(field);
  }
}

/** @param {any} document @param {string} selector @returns {any[]} */
function domQueryAll(document, selector) {
  return [...Document.prototype.querySelectorAll.call(document, selector)];
}

/** @param {any} node @returns {any[]} */
function pathFrom(node) {
  const path = [];
  for (let at = node; at; at = domGet(at, 'parentNode')) path.push(at);
  return [...path, window];
}

/** @param {any} control */
function isRestorable(control) {
  const { localName, type } = control;
  return ['input', 'textarea', 'select'].includes(localName) && !WITHOUT_STATE.includes(type);
}

/** What a field has, as a text to compare. @param {any} field @returns {string} */
function stateText(field) {
  if (field.localName === 'select') return chosenText(field, 'selected');
  if (field.type === 'file') return Array.from(field.files, ({ name }) => name).join('\n');
  return field.type === 'checkbox' || field.type === 'radio' ? `${field.checked}` : field.value;
}

/** What its markup gives the field. @param {any} field @returns {string} */
function markupText(field) {
  const { localName, type, options, multiple, size } = field;
  if (localName === 'select') {
    const chosen = chosenText(field, 'defaultSelected');
    if (chosen || multiple || size > 1) return chosen;
    // The browser chooses the first that may be chosen.
    const first = Array.from(options).findIndex((/** @type {any} */ one) => !one.disabled);
    return first < 0 ? '' : `${first};`;
  }
  if (type === 'file') return '';
  if (type === 'checkbox' || type === 'radio') return `${field.defaultChecked}`;
  return type === 'range' || type === 'color' ? cleanDefault(field) : field.defaultValue;
}

/** The places of the options. @param {any} select @param {'selected' | 'defaultSelected'} how */
function chosenText({ options }, how) {
  return Array.from(options, (/** @type {any} */ option, i) => (option[how] ? `${i};` : '')).join(
    '',
  );
}

/** Such a field has a value although its markup gives none. @param {any} field */
function cleanDefault(field) {
  return field.cloneNode().value === field.value ? field.value : field.defaultValue;
}
