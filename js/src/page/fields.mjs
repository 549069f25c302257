// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The ordinary fields of a document, and what the user has typed or chosen in them. A field is
 * known by its id, or else by its form, its name and its place among those of the name. Forms and
 * documents are read through the prototypes, as a control may have any name.
 */
import { domCall, domGet } from '../base/dom-property.mjs';
import { typed } from '../dom/typed.mjs';
import { restoredEvent } from '../events/controls.mjs';

const KEPT_FIELDS = 'input, textarea, select';
const TICKED = Object.freeze(['checkbox', 'radio']);
const NO_FIELDS = Object.freeze([
  'hidden',
  'file',
  'password',
  'submit',
  'reset',
  'button',
  'image',
]);

/** What is chosen: a text, whether it is ticked, or the values of the options. */
/** @typedef {string | boolean | string[]} FieldState */

/**
 * @param {any} document
 * @returns {Map<string, any>} the fields by their keys
 */
export function fieldsIn(document) {
  const fields = new Map();
  /** How many have come of each name. @type {Map<string, number>} */
  const counts = new Map();
  const forms = [...domCall(document, 'querySelectorAll', 'form')];
  for (const field of domCall(document, 'querySelectorAll', KEPT_FIELDS)) {
    const name = fieldName(field, forms);
    if (name === null || NO_FIELDS.includes(field.type)) continue;
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    fields.set(`${name} ${count}`, field);
  }
  return fields;
}

/** @param {any} field @param {any[]} forms @returns {string | null} */
function fieldName(field, forms) {
  const { id, name, type, value, form } = field;
  if (id) return JSON.stringify([type, id]);
  if (!name) return null;
  const of = (/** @type {string} */ attribute) => form && domCall(form, 'getAttribute', attribute);
  const owner = form && (of('id') || of('name') || forms.indexOf(form));
  return JSON.stringify([type, name, owner, TICKED.includes(type) ? value : '']);
}

/** @param {any} field @returns {FieldState} */
export function stateOfField(field) {
  if (field.localName === 'select') return optionsThat(field, 'selected');
  return TICKED.includes(field.type) ? field.checked : field.value;
}

/** The state that the markup gives the field. @param {any} field @returns {FieldState} */
function defaultStateOf(field) {
  if (field.localName !== 'select')
    return TICKED.includes(field.type) ? field.defaultChecked : field.defaultValue;
  const chosen = optionsThat(field, 'defaultSelected');
  if (chosen.length || field.multiple || field.size > 1) return chosen;
  const first = Array.from(field.options).find((/** @type {any} */ { disabled }) => !disabled);
  return first ? [/** @type {any} */ (first).value] : [];
}

/** @param {any} select @param {'selected' | 'defaultSelected'} how @returns {string[]} */
function optionsThat(select, how) {
  return Array.from(select.options)
    .filter((/** @type {any} */ option) => option[how])
    .map((/** @type {any} */ option) => option.value);
}

/** @param {FieldState} a @param {FieldState} b */
function sameState(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Whether the field is another than its markup has made it. @param {any} field */
export function isFieldChanged(field) {
  return !sameState(stateOfField(field), defaultStateOf(field));
}

/**
 * Puts back what was chosen.
 * @param {any} field @param {FieldState} state
 * @returns {boolean} false: this field can't have it, or has something else by now
 */
export function putFieldBack(field, state) {
  if (sameState(stateOfField(field), state)) return true;
  if (isFieldChanged(field)) return false;
  if (field.localName === 'select' && Array.isArray(state)) chooseIn(field, state);
  else if (TICKED.includes(field.type) && typeof state === 'boolean') field.checked = state;
  else if (typeof state === 'string' && 'value' in field) field.value = state;
  return sameState(stateOfField(field), state);
}

/** @param {any} select @param {string[]} values nothing is chosen that was not */
function chooseIn(select, values) {
  const options = Array.from(select.options);
  const has = (/** @type {string} */ value) =>
    options.some((/** @type {any} */ option) => option.value === value && !option.disabled);
  if (!values.every(has)) return;
  for (const option of options) option.selected = values.includes(option.value);
}

/**
 * Tells listeners of such events, as if the user had just typed it. A field with the focus counts
 * as being edited then, and no other.
 * @param {any} field @param {string} type
 */
export function tellOf(field, type) {
  const tell = () => field.dispatchEvent(restoredEvent(type));
  if (domGet(field.ownerDocument, 'activeElement') === field) tell();
  else typed.keepEditing(tell);
}
