// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The actions of a `.dom` operation on an element (docs/page-programs/moving.md): a
 * table, in the order in which the actions of one operation are done. Actions that read the page's
 * layout, or let its scripts run, are `late`: they are done when all operations of the batch have
 * made their changes.
 */
import { domCall, domGet, domSet } from '../base/dom-property.mjs';
import { moveNode } from './arrange.mjs';
import { keepingChoice, selectAround } from './choice.mjs';
import { closeElement, play, resetForm, showModal } from './element-methods.mjs';
import { DomProblem } from './problem.mjs';
import { makeDispatch } from './dispatch.mjs';
import { parseMarkup } from './markup.mjs';
import { changeText, morphInside, morphInto } from './morph.mjs';
import { rowKey, rowsIn } from './rows.mjs';
import { styleOf } from './style-value.mjs';
import { isBoolean, isMap, isString, isText } from './json-types.mjs';
import { checkForeignAttribute, checkForeignProperty } from './foreign.mjs';
import { hasTypedValue } from './fields.mjs';
import { typing } from './typing.mjs';

/**
 * How an operation is done.
 * @typedef {{ was?: string, force: boolean, foreign: boolean }} How how an operation is done;
 *   `foreign`: for a program of another origin
 * @typedef {object} Action
 * @property {string} wants which values the action takes, in words
 * @property {(value: any) => boolean} takes
 * @property {(target: any, value: any, how: How) => any} run may return a promise
 * @property {boolean} [late]
 * @property {boolean} [anywhere] also possible on the document and the window
 */

/** @param {any} value */
const isTrue = (value) => value === true;
/** @param {(value: any) => boolean} each */
const isMapOf = (each) => (/** @type {any} */ value) =>
  isMap(value) && Object.values(value).every(each);

const markup = { wants: 'a string of HTML', takes: isString };

/** @type {Record<string, Action>} */
const TABLE = {
  text: { wants: 'a string or a number', takes: isText, run: setText },
  html: { ...markup, run: setHtml },
  outer: { ...markup, run: setOuter },
  before: { ...markup, run: (element, html, how) => insert(parentOf(element), html, element, how) },
  prepend: {
    ...markup,
    run: (element, html, how) => insert(element, html, domGet(element, 'firstChild'), how),
  },
  append: { ...markup, run: (element, html, how) => insert(element, html, null, how) },
  after: {
    ...markup,
    run: (element, html, how) =>
      insert(parentOf(element), html, domGet(element, 'nextSibling'), how),
  },
  attributes: {
    wants: '{name: string, number, true, or false or null to remove it}',
    takes: isMapOf((value) => value === null || isBoolean(value) || isText(value)),
    run: setAttributes,
  },
  classes: {
    wants: '{name: true, false or "toggle"}',
    takes: isMapOf((value) => isBoolean(value) || value === 'toggle'),
    run: (element, classes) =>
      each(classes, (name, on) =>
        domGet(element, 'classList').toggle(name, ...(on === 'toggle' ? [] : [on])),
      ),
  },
  properties: { wants: '{name: value}', takes: isMap, run: setProperties },
  style: {
    wants: '{"css-name": string, number, or null to remove it}',
    takes: isMapOf((value) => value === null || isText(value)),
    run: setStyle,
  },
  order: {
    wants: 'a list of keys',
    takes: (value) => Array.isArray(value) && value.every(isText),
    run: orderRows,
  },
  move: {
    wants: '"first", "last", {"before": KEY} or {"after": KEY}',
    takes: (value) =>
      value === 'first' || value === 'last' || isText(value?.before) !== isText(value?.after),
    run: moveRow,
  },
  remove: { wants: 'true', takes: isTrue, run: (element) => domCall(element, 'remove') },
  showModal: { wants: 'true', takes: isTrue, late: true, run: showModal },
  close: {
    wants: 'true, or what the dialog returns',
    takes: (value) => isTrue(value) || isString(value),
    late: true,
    run: closeElement,
  },
  reset: {
    wants: 'true',
    takes: isTrue,
    late: true,
    run: (form, _, { force }) => resetForm(form, force),
  },
  play: { wants: 'true, or false to pause', takes: isBoolean, late: true, run: play },
  focus: {
    wants: 'true',
    takes: isTrue,
    late: true,
    run: (element) => domCall(element, 'focus', { preventScroll: true }),
  },
  blur: { wants: 'true', takes: isTrue, late: true, run: (element) => domCall(element, 'blur') },
  selection: {
    wants: '"all", "end" or [from, to]',
    takes: (value) =>
      value === 'all' ||
      value === 'end' ||
      (Array.isArray(value) && value.length === 2 && value.every(Number.isInteger)),
    late: true,
    run: select,
  },
  scroll: {
    wants: '"nearest", "start", "center", "end" or {"top", "left", "by", "behavior"}',
    takes: isScroll,
    late: true,
    anywhere: true,
    run: scroll,
  },
  dispatch: {
    wants: 'the type of an event, or {"type": …}',
    takes: (value) => isString(value) || isString(value?.type),
    late: true,
    anywhere: true,
    run: (target, event, { foreign }) =>
      domCall(target, 'dispatchEvent', makeDispatch(event, foreign)),
  },
};

export const actions = new Map(Object.entries(TABLE));

/**
 * Runs for each entry of the map, and then throws the first failure.
 * @param {Record<string, any>} map @param {(name: string, value: any) => void} run
 */
function each(map, run) {
  let failure;
  for (const [name, value] of Object.entries(map)) {
    try {
      run(name, value);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure) throw failure;
}

/** @param {any} element @param {string | number} text @param {How} how */
function setText(element, text, { force }) {
  const said = String(text);
  if (domGet(element, 'localName') !== 'textarea')
    return typing.change(element, force, () => writeText(element, said));
  typing.setMarkupValue(element, element.defaultValue, said, force);
  if (!typing.edits(element)) element.defaultValue = said;
}

/** @param {Element} element @param {string} text */
function writeText(element, text) {
  const firstChild = domGet(element, 'firstChild');
  const isOne = firstChild && firstChild === domGet(element, 'lastChild');
  if (isOne && domGet(firstChild, 'nodeType') === 3) changeText(firstChild, text);
  else domSet(element, 'textContent', text);
}

/** @param {any} element @param {string} html @param {How} how */
function setHtml(element, html, how) {
  const parsed = parseMarkup(html, element, how.foreign);
  if (domGet(element, 'localName') === 'textarea') setText(element, parsed.textContent ?? '', how);
  else typing.change(element, how.force, () => morphInside(element, parsed, how.force));
}

/** @param {any} element @param {string} html @param {How} how */
function setOuter(element, html, { force, foreign }) {
  const { children } = parseMarkup(html, parentOf(element), foreign);
  if (children.length !== 1)
    throw new DomProblem(`outer: one element is wanted, not ${children.length}`);
  const [node] = children;
  if (hasTypedValue(element)) morphInto(element, node, force);
  else typing.change(element, force, () => morphInto(element, node, force));
}

/**
 * Inserts rows. A row whose key is in the list already changes that row, in its place.
 * @param {any} parent @param {string} html
 * @param {Node | null} anchor @param {How} how
 */
function insert(parent, html, anchor, { force, foreign }) {
  const nodes = [...parseMarkup(html, parent, foreign).childNodes];
  keepingChoice(selectAround(parent), force, () => {
    for (const node of nodes) {
      const key = rowKey(node);
      const twin = key === null ? undefined : rowsIn(parent).get(key);
      if (!twin) {
        domCall(parent, 'insertBefore', node, anchor);
        continue;
      }
      const row = morphInto(twin, /** @type {Element} */ (node), force);
      if (anchor === twin || anchor === row) anchor = domGet(row, 'nextSibling');
      else moveNode(parent, row, anchor);
    }
  });
}

/** @param {any} element */
function parentOf(element) {
  const parentElement = domGet(element, 'parentElement');
  if (!parentElement || parentElement === domGet(document, 'documentElement'))
    throw new DomProblem('this element has no siblings');
  return parentElement;
}

/** @param {any} element @param {Record<string, any>} attributes @param {How} how */
function setAttributes(element, attributes, { foreign }) {
  each(attributes, (name, value) => {
    if (foreign) checkForeignAttribute(name, value);
    if (value !== null && value !== false)
      domCall(element, 'setAttribute', name, value === true ? '' : value);
    else if (isOpenDialog(element, name)) element.close();
    else domCall(element, 'removeAttribute', name);
  });
}

/** @param {any} element @param {Record<string, any>} properties @param {How} how */
function setProperties(element, properties, { was, force, foreign }) {
  each(properties, (name, value) => {
    if (foreign) checkForeignProperty(name);
    checkProperty(element, name);
    if (name === 'value' && hasTypedValue(element))
      typing.setValue(element, String(value ?? ''), { was, force });
    else if (!value && isOpenDialog(element, name)) element.close();
    else domSet(element, name, value);
  });
}

/**
 * Whether it is the attribute or property `open` of a dialog that is open. A modal one has to be
 * closed: without the attribute it is not seen, but all else in the page stays inert.
 * @param {any} element @param {string} name
 */
function isOpenDialog(element, name) {
  return name.toLowerCase() === 'open' && domGet(element, 'localName') === 'dialog' && element.open;
}

/**
 * Checks that the property exists and can be set, and that it is no method and no property of every
 * object.
 * @param {any} element @param {string} name
 */
function checkProperty(element, name) {
  const own = domGet(element, 'localName') === 'form' ? Object.getPrototypeOf(element) : element;
  for (let owner = own; owner && owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    const found = Object.getOwnPropertyDescriptor(owner, name);
    if (found?.set || (found?.writable && typeof found.value !== 'function')) return;
    if (found) break;
  }
  throw new DomProblem(
    `a <${domGet(element, 'localName')}> has no property '${name}' that can be set`,
  );
}

/** @param {any} element @param {Record<string, string | number | null>} styles */
function setStyle(element, styles) {
  const style = domGet(element, 'style');
  each(styles, (name, value) => {
    if (value === null) return style.removeProperty(name);
    const [text, important] = styleOf(String(value));
    if (!name.startsWith('--') && !CSS.supports(name, text))
      throw new DomProblem(`no such style: ${name}: ${value}`);
    style.setProperty(name, text, important);
  });
}

/** @param {Element} list @param {(string | number)[]} keys */
function orderRows(list, keys) {
  const rows = rowsIn(list);
  const found = keys.map((key) => rows.get(String(key)));
  keepingChoice(selectAround(list), false, () =>
    rows.order(/** @type {Element[]} */ (found.filter(Boolean))),
  );
  const missing = keys.filter((key, i) => !found[i]);
  if (missing.length)
    throw new DomProblem(`no row ${missing.slice(0, 5).join(', ')} (${missing.length} in all)`);
}

/** @param {Element} row @param {any} where */
function moveRow(row, where) {
  const list = parentOf(row);
  const before = anchorFor(list, where);
  if (before !== row) keepingChoice(selectAround(list), false, () => moveNode(list, row, before));
}

/** The row before which a row goes, or null: the end. @param {any} list @param {any} where */
function anchorFor(list, where) {
  if (where === 'first') return domGet(list, 'firstElementChild');
  if (where === 'last') return null;
  const key = String(where.before ?? where.after);
  const other = rowsIn(list).get(key);
  if (!other) throw new DomProblem(`no row ${key}`);
  return where.before === undefined ? domGet(other, 'nextSibling') : other;
}

/** @param {any} element @param {'all' | 'end' | number[]} what */
function select(element, what) {
  if (typeof domGet(element, 'setSelectionRange') !== 'function')
    return void getSelection()?.selectAllChildren(element);
  const { length } = element.value;
  const [from, to] = what === 'all' ? [0, length] : what === 'end' ? [length, length] : what;
  element.setSelectionRange(from, to);
}

const BLOCKS = ['nearest', 'start', 'center', 'end'];

/** @param {any} value */
function isScroll(value) {
  if (!isMap(value)) return BLOCKS.includes(value);
  return [value.top, value.left].every(
    (way) => way === undefined || way === 'end' || typeof way === 'number',
  );
}

/** @param {any} target @param {any} how */
function scroll(target, how) {
  const isPage = target === document || target === window;
  const element = isPage ? domGet(document, 'scrollingElement') : target;
  if (typeof how === 'string')
    return domCall(element, 'scrollIntoView', { block: how, inline: 'nearest' });
  const top = how.top === 'end' ? domGet(element, 'scrollHeight') : how.top;
  const left = how.left === 'end' ? domGet(element, 'scrollWidth') : how.left;
  domCall(element, how.by ? 'scrollBy' : 'scrollTo', { top, left, behavior: how.behavior });
}
