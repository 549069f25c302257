// SPDX-License-Identifier: MIT
// @ts-check
/** Checks the options of `.listen` and `.unlisten` (docs/page-programs/hearing.md). */
import { domCall } from '../base/dom-property.mjs';
import { DomProblem } from '../dom/problem.mjs';
import { isField } from './event-fields.mjs';
import { targetNamed } from './event-targets.mjs';
import { parseCombo, parseModifiers } from './key-combos.mjs';
import { isViewType, parseView } from './view-watcher.mjs';
import { isName } from '../proto/message.mjs';

/**
 * @typedef {object} ListenOptions
 * @property {string} on the type of the event
 * @property {string} as the name under which the program hears the event
 * @property {string | null} select
 * @property {string | null} target
 * @property {EventTarget | null} object the target, if it is neither window nor document
 * @property {readonly string[] | null} fields
 * @property {import('./key-combos.mjs').Combo[] | null} keys
 * @property {'any' | readonly string[] | null} modifiers which may be held; null: as usual
 * @property {import('./view-watcher.mjs').View | null} view when an element counts as in view
 * @property {boolean} files whether files are sent, and not only named
 * @property {boolean} prevent
 * @property {boolean} stop
 * @property {boolean} once
 * @property {boolean} passive
 * @property {boolean} capture
 * @property {boolean} coalesce
 * @property {boolean} busy whether the element is marked until the program has answered
 * @property {number | null} throttle milliseconds, like the next two
 * @property {number | null} debounce
 * @property {number | null} maxAge
 */

const FLAGS = /** @type {const} */ ([
  'prevent',
  'stop',
  'once',
  'passive',
  'capture',
  'coalesce',
  'busy',
]);
const TIMES = /** @type {const} */ (['throttle', 'debounce', 'maxAge']);
const SELECTION = Object.freeze(['on', 'as', 'select', 'target']);
const OPTIONS = Object.freeze([
  ...SELECTION,
  'fields',
  'files',
  'keys',
  'modifiers',
  'margin',
  'threshold',
  ...FLAGS,
  ...TIMES,
]);
/** A day. */
const LONGEST_WAIT_MS = 86_400_000;
const KEYBOARD = Object.freeze(['keydown', 'keyup', 'keypress']);

/**
 * @param {any} data of a `.listen`
 * @returns {ListenOptions[]} one for each type
 * @throws {DomProblem}
 */
export function parseListen(data) {
  requireOnly(data, OPTIONS);
  const { select = null, target = null } = data;
  const types = typesOf(data.on);
  if (select !== null) requireSelector(select);
  if (target !== null && typeof target !== 'string') throw new DomProblem('target: a name');
  if (select !== null && target !== null) throw new DomProblem('select or target, not both');
  const named = target === null ? null : targetNamed(target);
  const object = named === window || named === document ? null : named;
  const files = filesAsked(data.files);
  const fields = fieldsAsked(data.fields, files);
  const shared = { select, target, object, fields, files, ...flagsOf(data), ...timesOf(data) };
  if (shared.prevent && shared.passive) throw new DomProblem('prevent or passive, not both');
  if (shared.throttle !== null && shared.debounce !== null)
    throw new DomProblem('throttle or debounce, not both');
  return types.map((on) => ({
    on,
    as: nameFor(on, data.as),
    keys: keysAsked(on, data.keys),
    modifiers: modifiersAsked(on, data.modifiers),
    view: viewAsked(on, data),
    ...shared,
  }));
}

/**
 * @param {any} data of an `.unlisten`
 * @returns {(options: ListenOptions) => boolean} whether that listener is meant
 * @throws {DomProblem}
 */
export function parseUnlisten(data) {
  requireOnly(data, SELECTION);
  const types = data.on === undefined ? null : typesOf(data.on);
  return (options) =>
    (types?.includes(options.on) ?? true) &&
    /** @type {const} */ (['as', 'select', 'target']).every(
      (key) => data[key] === undefined || data[key] === options[key],
    );
}

/** @param {any} data @param {readonly string[]} known */
function requireOnly(data, known) {
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new DomProblem('not an object');
  for (const key of Object.keys(data))
    if (!known.includes(key))
      throw new DomProblem(`no such option: ${key.slice(0, 40)} (${known.join(', ')})`);
}

/** @param {any} on @returns {string[]} */
function typesOf(on) {
  const types = Array.isArray(on) ? on : [on];
  if (!types.length || !types.every((type) => typeof type === 'string' && type !== ''))
    throw new DomProblem('on: the type of an event, or a list of types');
  return [...new Set(types)];
}

/** @param {string} on @param {any} as */
function nameFor(on, as = on) {
  if (!isName(as))
    throw new DomProblem('as: a name (1 to 128 of A-Z a-z 0-9 _ - : / . and no dot first)');
  return as;
}

/** @param {any} select */
function requireSelector(select) {
  try {
    if (typeof select !== 'string') throw new TypeError();
    domCall(document, 'createDocumentFragment').querySelector(select);
  } catch {
    throw new DomProblem(`no selector: ${String(select).slice(0, 80)}`);
  }
}

/** @param {any} files */
function filesAsked(files = null) {
  if (files !== null && files !== 'stream') throw new DomProblem('files: "stream", or nothing');
  return files === 'stream';
}

/** @param {any} fields @param {boolean} files */
function fieldsAsked(fields = null, files) {
  if (fields === null) return null;
  if (!Array.isArray(fields)) throw new DomProblem('fields: a list of names');
  for (const name of fields)
    if (typeof name !== 'string' || !isField(name))
      throw new DomProblem(`no such field: ${String(name).slice(0, 40)}`);
  const all = new Set(['time', ...fields, ...(files ? ['files'] : [])]);
  return [...(fields.some((name) => name.startsWith('form.')) ? all.add('form') : all)];
}

/** @param {string} on @param {any} keys */
function keysAsked(on, keys = null) {
  if (keys === null) return null;
  const combos = Array.isArray(keys) ? keys : [keys];
  if (!KEYBOARD.includes(on))
    throw new DomProblem(`keys: for ${KEYBOARD.join(', ')}, not for ${on.slice(0, 40)}`);
  if (!combos.length || !combos.every((key) => typeof key === 'string'))
    throw new DomProblem('keys: a key, or a list of keys');
  return combos.map(parseCombo);
}

/** @param {string} on @param {any} modifiers @returns {'any' | string[] | null} */
function modifiersAsked(on, modifiers = null) {
  if (modifiers === null || modifiers === 'any') return modifiers;
  if (KEYBOARD.includes(on)) throw new DomProblem('modifiers: not for keys, which name their own');
  if (!Array.isArray(modifiers) || !modifiers.every((held) => typeof held === 'string'))
    throw new DomProblem('modifiers: "any", or a list such as ["", "Ctrl", "Ctrl+Shift"]');
  return modifiers.map(parseModifiers);
}

/** @param {string} on @param {any} data */
function viewAsked(on, { select = null, margin, threshold }) {
  if (!isViewType(on)) {
    if (margin === undefined && threshold === undefined) return null;
    throw new DomProblem('margin, threshold: for enterview and leaveview');
  }
  if (select === null) throw new DomProblem(`${on}: select, the elements, is wanted`);
  return parseView(margin, threshold);
}

/** @param {any} data @returns {Record<typeof FLAGS[number], boolean>} */
function flagsOf(data) {
  const flags = /** @type {any} */ ({});
  for (const name of FLAGS) {
    const { [name]: value = false } = data;
    if (typeof value !== 'boolean') throw new DomProblem(`${name}: true or false`);
    flags[name] = value;
  }
  return flags;
}

/** @param {any} data @returns {Record<typeof TIMES[number], number | null>} */
function timesOf(data) {
  const times = /** @type {any} */ ({});
  for (const name of TIMES) {
    const { [name]: value = null } = data;
    if (value !== null && !(typeof value === 'number' && value >= 0 && value <= LONGEST_WAIT_MS))
      throw new DomProblem(`${name}: milliseconds, 0 to ${LONGEST_WAIT_MS}`);
    times[name] = value;
  }
  return times;
}
