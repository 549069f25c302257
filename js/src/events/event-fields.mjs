// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What can be told of an event: the fields of this table, besides those that the event or its target has itself, by the
 * names that the DOM gives them (docs/page-programs.md).
 */
import {
  checkedOf,
  entriesOf,
  filesOf,
  grouped,
  namesOf,
  selectedOf,
  valueOf,
} from './controls.mjs';
import { describe } from './describe-target.mjs';
import { writesText, modifiersOf } from './key-combos.mjs';
import { plain } from './json-value.mjs';

/**
 * An event as one listener hears it.
 * @typedef {object} Heard
 * @property {any} event
 * @property {any} element what the listener has selected, or where it happened
 * @property {any} source where it happened
 * @property {any} control of the source, or null
 * @property {readonly string[]} fields that are asked for, by name or as belonging to such an event
 * @property {import('./secrets.mjs').Secrets} secrets
 */

/** @type {Record<string, (heard: Heard) => any>} */
const FIELDS = {
  // @ts-ignore: not a field, but that there are no others
  __proto__: null,
  type: ({ event }) => event.type,
  time: ({ event }) => timeOf(event),
  target: ({ element }) => describe(element),
  source: ({ source }) => describe(source),
  name: ({ control, element }) => textOf(control?.name ?? element.name),
  value: ({ control }) => valueOf(control),
  checked: ({ control }) => checkedOf(control),
  selected: ({ control }) => selectedOf(control),
  files: ({ event, control }) => filesOf(fileListOf(event, control)),
  validation: ({ control }) => control?.validationMessage,
  form: formEntries,
  submitter: ({ event }) => event.submitter && describe(event.submitter),
  modifiers: ({ event }) => modifiersOf(event),
  offset: ({ event, element }) => offsetOf(event, element),
  touches: ({ event }) => touchesOf(event.touches),
  targetTouches: ({ event }) => touchesOf(event.targetTouches),
  changedTouches: ({ event }) => touchesOf(event.changedTouches),
  types: ({ event }) => transferOf(event) && Array.from(transferOf(event).types),
  text: ({ event }) => transferOf(event)?.getData('text/plain'),
  html: ({ event }) => transferOf(event)?.getData('text/html'),
  selection: ({ control }) => selectionOf(control),
  scrollLeft: ({ element }) => scrolled(element)?.scrollLeft,
  scrollTop: ({ element }) => scrolled(element)?.scrollTop,
  visibility: () => document.visibilityState,
  url: ({ event }) => event.url ?? location.href,
  returnValue: ({ event, element }) => textOf(element.returnValue) ?? event.returnValue,
  orientation: ({ element }) => textOf(element.type),
};

/** What of a secret control is told only to who asks for it by name. */
const SECRET = new Set(
  'value checked selected validation data key code keyCode charCode which text html selection'.split(
    ' ',
  ),
);

/** @param {string} name */
export function isField(name) {
  return name in FIELDS || /^(?:@|form\.)./s.test(name) || propertiesOfTheDom().has(name);
}

/**
 * @param {Heard} heard
 * @param {boolean} byName whether each of heard.fields was asked for by its name: then nothing is held back
 * @param {(field: string, error: any) => void} problem what could not be told, and is left out
 * @returns {Record<string, any>}
 */
export function tell(heard, byName, problem) {
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

/** A key that writes nothing, such as Enter, is no secret. @param {string} name @param {any} event */
function isHidden(name, event) {
  if ((name === 'key' || name === 'code') && typeof event.key === 'string')
    return writesText(event);
  return SECRET.has(name);
}

/** @param {string} name @param {Heard} heard */
function read(name, heard) {
  const { event, element } = heard;
  if (name in FIELDS) return FIELDS[name](heard);
  if (name.startsWith('@')) return element.getAttribute?.(name.slice(1));
  return plain(name in event ? event[name] : element[name]);
}

/** Milliseconds since 1970 when it happened: events come late on a busy page. @param {any} event */
function timeOf({ timeStamp }) {
  const age = performance.now() - timeStamp;
  return Math.round(Date.now() - (age > 0 ? age : 0));
}

/** Without secrets, but for those that `form.NAME` asks for. @param {Heard} heard */
function formEntries({ event, element, source, fields, secrets }) {
  const form = source?.form ?? source?.closest?.('form') ?? element.form;
  if (!form) return undefined;
  const isSecret = (/** @type {any} */ control) =>
    secrets.has(control) && !fields.includes(`form.${control.name}`);
  if (event.formData) return grouped(event.formData, namesOf(form, isSecret));
  return entriesOf(form, event.submitter ?? null, isSecret);
}

/** @param {any} value */
function textOf(value) {
  return typeof value === 'string' ? value : undefined;
}

/** Where in the element it happened, and how large that is. @param {any} event @param {any} element */
function offsetOf({ clientX, clientY }, element) {
  if (typeof clientX !== 'number' || !element.getBoundingClientRect) return undefined;
  const { left, top, width, height } = element.getBoundingClientRect();
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

/** The files that were chosen, dropped or pasted. @param {any} event @param {any} control @returns {any} a FileList */
export function fileListOf(event, control) {
  return control?.files ?? transferOf(event)?.files;
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
    : String(document.getSelection());
}

/** @param {any} element */
function scrolled(element) {
  return element.nodeType === 1 ? element : document.scrollingElement;
}

/** @type {Set<string> | undefined} */
let properties;

/** The names of what events and their targets have in this browser. */
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
