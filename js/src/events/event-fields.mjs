// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The fields that a program can be told of an event: those of this table, and all that the event or
 * its target has under the names of the DOM (docs/page-programs/hearing.md).
 */
import { checkedOf, selectedOf, valueOf } from './controls.mjs';
import { entriesOf, filesOf, grouped, namesOf } from './form-entries.mjs';
import { domCall, domGet, isElement } from '../base/dom-property.mjs';
import { describeTarget } from './describe-target.mjs';
import { writesText, modifiersOf } from './key-combos.mjs';
import { toJsonValue } from './json-value.mjs';

/**
 * An event as one listener hears it.
 * @typedef {object} Heard
 * @property {any} event
 * @property {any} element the element that the listener has selected, or the source
 * @property {any} source the innermost node in which the event happened
 * @property {any} control the control around the source, or null
 * @property {readonly string[]} fields to read, named by the listener or by the class of the event
 * @property {import('./secrets.mjs').Secrets} secrets
 * @property {import('./controls.mjs').Snapshot | null} then what there was when the event happened,
 *   if it happened earlier
 */

/** @type {Record<string, (heard: Heard) => any>} */
const FIELDS = {
  // @ts-ignore: no field, but the prototype
  __proto__: null,
  type: ({ event }) => event.type,
  time: ({ event }) => timeOf(event),
  target: ({ element }) => describeTarget(element),
  source: ({ source }) => describeTarget(source),
  name: ({ control, element }) =>
    textOf(propertyOf(control, 'name') ?? propertyOf(element, 'name')),
  value: (heard) => (hasThen(heard) ? heard.then?.value : valueOf(heard.control)),
  checked: (heard) => (hasThen(heard) ? heard.then?.checked : checkedOf(heard.control)),
  selected: (heard) => (hasThen(heard) ? heard.then?.selected : selectedOf(heard.control)),
  files: (heard) => filesOf(fileListOf(heard)),
  validation: ({ control }) => propertyOf(control, 'validationMessage'),
  form: formEntries,
  submitter: ({ event }) => event.submitter && describeTarget(event.submitter),
  modifiers: ({ event }) => modifiersOf(event),
  offset: ({ event, element }) => offsetOf(event, element),
  touches: ({ event }) => touchesOf(event.touches),
  targetTouches: ({ event }) => touchesOf(event.targetTouches),
  changedTouches: ({ event }) => touchesOf(event.changedTouches),
  types: ({ event }) => transferOf(event) && Array.from(transferOf(event).types),
  text: ({ event }) => transferOf(event)?.getData('text/plain'),
  html: ({ event }) => transferOf(event)?.getData('text/html'),
  selection: ({ control }) => selectionOf(control),
  scrollLeft: ({ element }) => propertyOf(scrolled(element), 'scrollLeft'),
  scrollTop: ({ element }) => propertyOf(scrolled(element), 'scrollTop'),
  visibility: () => domGet(document, 'visibilityState'),
  url: ({ event }) => event.url ?? location.href,
  returnValue: ({ event, element }) =>
    textOf(propertyOf(element, 'returnValue')) ?? event.returnValue,
  orientation: ({ element }) => textOf(propertyOf(element, 'type')),
};

/** Fields of a secret control that are told only to a listener that names them. */
const SECRET = new Set([
  'value', 'checked', 'selected', 'validation', 'data', 'key', 'code', 'keyCode', 'charCode',
  'which', 'text', 'html', 'selection',
]); // prettier-ignore

/** @param {string} name */
export function isField(name) {
  return name in FIELDS || /^(?:@|form\.)./s.test(name) || propertiesOfTheDom().has(name);
}

/**
 * @param {Heard} heard
 * @param {boolean} byName whether the listener has named the fields: then nothing is hidden
 * @param {(field: string, error: any) => void} problem called for a field that can't be told
 * @returns {Record<string, any>}
 */
export function readFields(heard, byName, problem) {
  const told = Object.create(null);
  const hides = !byName && heard.secrets.has(heard.control ?? heard.source);
  for (const name of heard.fields) {
    if (name.startsWith('form.') || (hides && isHidden(name, heard.event))) continue;
    try {
      const value = read(name, heard);
      if (value !== undefined) told[name] = value;
    } catch (error) {
      problem(name, error);
    }
  }
  return told;
}

/**
 * Whether to hide a field of a secret control. A key that writes nothing, such as Enter, is no
 * secret.
 * @param {string} name @param {any} event
 */
function isHidden(name, event) {
  if ((name === 'key' || name === 'code') && typeof event.key === 'string')
    return writesText(event);
  return SECRET.has(name);
}

/** @param {string} name @param {Heard} heard */
function read(name, heard) {
  const { event, element } = heard;
  if (name in FIELDS) return FIELDS[name](heard);
  if (name.startsWith('@'))
    return isElement(element) ? domCall(element, 'getAttribute', name.slice(1)) : undefined;
  return toJsonValue(name in event ? event[name] : domGet(element, name));
}

/**
 * When the event happened, in milliseconds since 1970. On a busy page events are heard late.
 * @param {any} event
 */
function timeOf({ timeStamp }) {
  const age = performance.now() - timeStamp;
  return Math.round(Date.now() - (age > 0 ? age : 0));
}

/** The entries of the form, without secrets that no `form.NAME` asks for. @param {Heard} heard */
function formEntries({ event, element, source, fields, secrets, then }) {
  const form =
    propertyOf(source, 'form') ??
    (isElement(source) ? domCall(source, 'closest', 'form') : null) ??
    propertyOf(element, 'form');
  if (!form) return undefined;
  const isSecret = (/** @type {any} */ control) =>
    secrets.has(control) && !fields.includes(`form.${control.name}`);
  if (then?.entries && then.form === form) return grouped(then.entries, namesOf(form, isSecret));
  if (event.formData) return grouped(event.formData, namesOf(form, isSecret));
  return entriesOf(form, event.submitter ?? null, isSecret);
}

/** @param {any} object or null @param {string} name */
function propertyOf(object, name) {
  return object ? domGet(object, name) : undefined;
}

/** @param {any} value */
function textOf(value) {
  return typeof value === 'string' ? value : undefined;
}

/**
 * Where in the element the event happened, and the size of the element.
 * @param {any} event @param {any} element
 */
function offsetOf({ clientX, clientY }, element) {
  if (typeof clientX !== 'number' || !isElement(element)) return undefined;
  const { left, top, width, height } = domCall(element, 'getBoundingClientRect');
  return { x: clientX - left, y: clientY - top, width, height };
}

/** @param {any} list a TouchList */
function touchesOf(list) {
  return (
    list &&
    Array.from(list, ({ identifier, clientX, clientY, force }) => ({
      identifier,
      clientX,
      clientY,
      force,
    }))
  );
}

/**
 * The files that were chosen, dropped or pasted.
 * @param {Pick<Heard, 'event' | 'control' | 'then'>} heard @returns {any} a FileList
 */
export function fileListOf({ event, control, then }) {
  if (then?.files && then.control === control) return then.files;
  return propertyOf(control, 'files') ?? transferOf(event)?.files;
}

/** Whether it is known what the control had when the event happened. @param {Heard} heard */
function hasThen({ control, then }) {
  return Boolean(then && control && then.control === control);
}

/** @param {any} event @returns {any} a DataTransfer */
function transferOf({ dataTransfer, clipboardData }) {
  return dataTransfer ?? clipboardData;
}

/** @param {any} control */
function selectionOf(control) {
  const { value, selectionStart, selectionEnd } = control ?? {};
  return typeof selectionStart === 'number'
    ? value.slice(selectionStart, selectionEnd)
    : String(getSelection());
}

/** @param {any} element */
function scrolled(element) {
  return isElement(element) ? element : domGet(document, 'scrollingElement');
}

/** @type {Set<string> | undefined} */
let properties;

/** The names of all properties that events and their targets have in this browser. */
function propertiesOfTheDom() {
  if (properties) return properties;
  properties = new Set(['isTrusted']);
  for (const [name, { value, get }] of Object.entries(
    Object.getOwnPropertyDescriptors(globalThis),
  )) {
    if (get) properties.add(name);
    const prototype = /^[A-Z]/.test(name) && typeof value === 'function' ? value.prototype : null;
    if (prototype instanceof Event || prototype instanceof EventTarget || value === Event)
      for (const [key, own] of Object.entries(Object.getOwnPropertyDescriptors(prototype)))
        if (own.get) properties.add(key);
  }
  return properties;
}
