// SPDX-License-Identifier: MIT
// @ts-check
/**
 * `.dom`: a program moves its page. All operations of one `.dom` are done before the browser paints, and before any later
 * event of the program is heard: at once, in one go. First what changes the page, then what looks at the result (scrolls,
 * gives the focus) or lets the page's scripts run. Each operation stands for itself: one that can't be done is told by
 * `.problem`, with its number, and the others are done.
 */
import { actions } from './actions.mjs';
import { DomProblem } from './problem.mjs';
import { rowsIn } from './rows.mjs';
import { isBoolean, isMap, isString, isText } from './json-types.mjs';
import { checkStrangersTarget } from './foreign.mjs';

/** Problems of one `.dom` that are told one by one. */
const MOST_TOLD = 20;

/** What an operation may say beside its actions. @type {Map<string, (value: any) => boolean>} */
const WORDS = new Map(
  Object.entries({
    select: isString,
    target: (/** @type {any} */ value) => value === 'document' || value === 'window',
    key: isText,
    find: isString,
    all: isBoolean,
    optional: isBoolean,
    force: isBoolean,
    was: isString,
    title: isString,
    url: (/** @type {any} */ value) => isString(value?.push) !== isString(value?.replace),
  }),
);

/**
 * @param {any} data an operation, or a list of them
 * @param {boolean} stranger whether the program is of another origin than the page
 * @param {(problem: DomProblem) => void} tell
 */
export function updatePage(data, stranger, tell) {
  const operations = Array.isArray(data) ? data : [data];
  const failed = /** @type {Map<number, string>} */ (new Map());
  for (const late of [false, true])
    operations.forEach((operation, i) => {
      if (failed.has(i)) return;
      try {
        if (!late) checkOperation(operation);
        perform(operation, stranger, late);
      } catch (error) {
        failed.set(i, String(/** @type {any} */ (error)?.message ?? error));
      }
    });
  const told = [...failed].sort(([a], [b]) => a - b);
  for (const [op, message] of told.slice(0, MOST_TOLD)) tell(new DomProblem(message, { op }));
  const more = told.length - MOST_TOLD;
  if (more > 0)
    tell(new DomProblem(`${more} more operations could not be done`, { op: told[MOST_TOLD][0] }));
}

/** @param {any} operation @throws {DomProblem} */
function checkOperation(operation) {
  if (!isMap(operation)) throw new DomProblem('an operation is an object');
  let acts = 0;
  for (const [name, value] of Object.entries(operation)) {
    const action = actions.get(name);
    if (action?.takes(value) === false) throw new DomProblem(`${name}: ${action.wants} is wanted`);
    if (!action && !WORDS.get(name)?.(value))
      throw new DomProblem(
        WORDS.has(name) ? `${name}: not like that` : `there is no '${name}' in an operation`,
      );
    if (action || name === 'title' || name === 'url') acts++;
  }
  if (!acts) throw new DomProblem('the operation does nothing');
  if ('find' in operation && !('key' in operation))
    throw new DomProblem('find: looks inside of the row that `key` names');
  if ('was' in operation && !('value' in (operation.properties ?? {})))
    throw new DomProblem('was: goes with properties.value');
}

/** @param {any} operation @param {boolean} stranger @param {boolean} late which of its actions */
function perform(operation, stranger, late) {
  if (!late) setAddress(operation);
  const wanted = [...actions].filter(
    ([name, action]) => name in operation && Boolean(action.late) === late,
  );
  if (!wanted.length) return;
  const { was, force = false } = operation;
  for (const target of targetsOf(operation))
    for (const [name, action] of wanted) {
      if (!target.localName && !action.anywhere)
        throw new DomProblem(`${name}: not on the ${operation.target}`);
      checkTarget(target, name, stranger);
      action.run(target, operation[name], { was, force, stranger });
    }
}

/** @param {any} operation */
function setAddress({ title, url }) {
  if (title !== undefined) document.title = title;
  if (url?.push !== undefined) history.pushState(url.state ?? null, '', url.push);
  if (url?.replace !== undefined) history.replaceState(url.state ?? null, '', url.replace);
}

/** @param {any} target @param {string} action @param {boolean} stranger */
function checkTarget(target, action, stranger) {
  if (target.localName === 'script' && action !== 'remove')
    throw new DomProblem('a <script> can be removed, no more');
  if (stranger) checkStrangersTarget(target);
}

/** @param {any} operation @returns {any[]} one at least, unless that is optional */
function targetsOf({ select, target, key, find, all = false, optional = false }) {
  if (target) return [target === 'window' ? window : document];
  if (select === undefined) throw new DomProblem('select: a selector is wanted');
  if (key === undefined) return found(document, select, all, optional);
  const [list] = found(document, select, false, optional);
  const row = list && rowsIn(list).get(String(key));
  if (row) return find === undefined ? [row] : found(row, find, all, optional);
  if (optional) return [];
  throw new DomProblem(`no row ${key} in ${select}`);
}

/** @param {ParentNode} root @param {string} selector @param {boolean} all @param {boolean} optional @returns {Element[]} */
function found(root, selector, all, optional) {
  const elements = all ? [...root.querySelectorAll(selector)] : [root.querySelector(selector)];
  if (elements[0]) return /** @type {Element[]} */ (elements);
  if (optional) return [];
  throw new DomProblem(`nothing matches ${selector}`);
}
