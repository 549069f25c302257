// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Carries out `.dom`, by which a program changes its page. All operations of one `.dom` are done at
 * once: before the browser paints, and before the page hears any later event of the program. Those
 * that follow within a frame are done together at its end (frame-pace.mjs).
 * Changes come first; actions that need their result (scrolling, giving the focus) or let the
 * page's scripts run come after all changes. An operation that fails is reported by `.problem` with
 * its number, and does not stop the others. While the document is being parsed, an operation waits
 * for its element (parse-wait.mjs).
 */
import { domCall, domGet, domSet, isElement } from '../base/dom-property.mjs';
import { actions } from './actions.mjs';
import { go, isGo, setCookie } from './page-actions.mjs';
import { DomProblem } from './problem.mjs';
import { rowsIn } from './rows.mjs';
import { isBoolean, isMap, isString, isText } from './json-types.mjs';
import { checkForeignTarget } from './foreign.mjs';
import { FramePace } from './frame-pace.mjs';
import { isParsing, waitForParser } from './parse-wait.mjs';

/** How many problems of one `.dom` are reported singly. */
const MOST_TOLD = 20;

/** The fields of an operation besides its actions. @type {Map<string, (value: any) => boolean>} */
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
    cookie: isMap,
    go: isGo,
  }),
);

/** Where each action stands in the table. @type {Record<string, number>} */
const ORDER = Object.fromEntries([...actions.keys()].map((name, i) => [name, i]));

/** The actions that need no element. */
const OF_PAGE = new Set(['title', 'url', 'cookie', 'go']);

/**
 * The messages of the program, as far as it matters here (message-queue.mjs).
 * @typedef {object} Messages
 * @property {(onmuch?: () => void, isSoft?: boolean) => () => void} hold
 * @property {() => boolean} delays
 */

export class PageUpdates {
  #messages;
  #foreign;
  #tell;
  #pace;

  /**
   * @param {Messages} messages @param {boolean} foreign whether the program is of another origin
   * @param {(problem: DomProblem) => void} tell
   */
  constructor(messages, foreign, tell) {
    this.#messages = messages;
    this.#foreign = foreign;
    this.#tell = tell;
    this.#pace = new FramePace(messages);
  }

  /** @param {any} data an operation, or a list of them */
  take(data) {
    const operations = Array.isArray(data) ? data : [data];
    const update = new PageUpdate(operations, this.#foreign, this.#tell);
    this.#pace.changed();
    if (!update.run(!isParsing())) waitForParser(this.#messages, (isLast) => update.run(isLast));
  }
}

class PageUpdate {
  #operations;
  #foreign;
  #tell;
  /** The next step: the changes of all operations, then their late actions, then where they go. */
  #next = 0;
  /** How many operations have begun. */
  #begun = 0;
  /** @type {Map<number, string>} */
  #failed = new Map();

  /**
   * @param {any[]} operations @param {boolean} foreign
   * @param {(problem: DomProblem) => void} tell
   */
  constructor(operations, foreign, tell) {
    this.#operations = operations;
    this.#foreign = foreign;
    this.#tell = tell;
  }

  /**
   * Goes on until all is done.
   * @param {boolean} isLast false: stops at an operation whose element may still be parsed
   * @returns {boolean} whether all is done
   */
  run(isLast) {
    const { length } = this.#operations;
    for (; this.#next < 3 * length; this.#next++)
      if (!this.#do(this.#next % length, Math.floor(this.#next / length), isLast)) return false;
    this.#report();
    return true;
  }

  /** @param {number} i @param {number} phase @param {boolean} isLast */
  #do(i, phase, isLast) {
    if (this.#failed.has(i)) return true;
    const operation = this.#operations[i];
    const failed = (/** @type {any} */ error) =>
      void this.#failed.set(i, String(error?.message ?? error));
    try {
      if (this.#begun <= i) this.#begin(operation, i);
      if (phase === 2) this.#go(operation);
      else
        for (const later of perform(operation, this.#foreign, phase === 1))
          later.catch((error) => this.#tell(new DomProblem(String(error), { op: i })));
    } catch (error) {
      if (error instanceof NothingFound && !isLast) return false;
      failed(error);
    }
    return true;
  }

  /** Does what needs no element, once. @param {any} operation @param {number} i */
  #begin(operation, i) {
    this.#begun = i + 1;
    checkOperation(operation);
    setAddress(operation);
    if ('cookie' in operation) setCookie(operation.cookie, this.#foreign);
  }

  /** @param {any} operation */
  #go(operation) {
    if ('go' in operation) go(operation.go, this.#foreign);
  }

  #report() {
    const told = [...this.#failed].sort(([a], [b]) => a - b);
    for (const [op, message] of told.slice(0, MOST_TOLD))
      this.#tell(new DomProblem(message, { op }));
    const more = told.length - MOST_TOLD;
    if (more > 0)
      this.#tell(
        new DomProblem(`${more} more operations could not be done`, { op: told[MOST_TOLD][0] }),
      );
  }
}

/** The operation's element is not there. */
class NothingFound extends DomProblem {}

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
    if (action || OF_PAGE.has(name)) acts++;
  }
  if (!acts) throw new DomProblem('the operation does nothing');
  if ('find' in operation && !('key' in operation))
    throw new DomProblem('find: looks inside of the row that `key` names');
  if ('was' in operation && !('value' in (operation.properties ?? {})))
    throw new DomProblem('was: goes with properties.value');
}

/**
 * @param {any} operation @param {boolean} foreign
 * @param {boolean} late whether to do the late actions or the others
 * @returns {Promise<any>[]} what may still fail
 */
function perform(operation, foreign, late) {
  const wanted = actionsOf(operation, late);
  if (!wanted.length) return [];
  const running = [];
  const { was, force = false } = operation;
  for (const target of targetsOf(operation))
    for (const [name, action] of wanted) {
      if (!isElement(target) && !action.anywhere)
        throw new DomProblem(`${name}: not on the ${operation.target}`);
      checkTarget(target, name, foreign);
      const ran = action.run(target, operation[name], { was, force, foreign });
      if (ran instanceof Promise) running.push(ran);
    }
  return running;
}

/**
 * In the order in which they are done.
 * @param {any} operation @param {boolean} late
 * @returns {[string, import('./actions.mjs').Action][]}
 */
function actionsOf(operation, late) {
  const wanted = /** @type {[string, import('./actions.mjs').Action][]} */ ([]);
  for (const name in operation) {
    const action = actions.get(name);
    if (action && Boolean(action.late) === late) wanted.push([name, action]);
  }
  return wanted.length < 2 ? wanted : wanted.sort(([a], [b]) => ORDER[a] - ORDER[b]);
}

/** @param {any} operation */
function setAddress({ title, url }) {
  if (title !== undefined) domSet(document, 'title', title);
  if (url?.push !== undefined) history.pushState(url.state ?? null, '', url.push);
  if (url?.replace !== undefined) history.replaceState(url.state ?? null, '', url.replace);
}

/** @param {any} target @param {string} action @param {boolean} foreign */
function checkTarget(target, action, foreign) {
  if (isElement(target) && domGet(target, 'localName') === 'script' && action !== 'remove')
    throw new DomProblem('a <script> can be removed, no more');
  if (foreign) checkForeignTarget(target);
}

/** @param {any} operation @returns {any[]} at least one, unless `optional` is set */
function targetsOf({ select, target, key, find, all = false, optional = false }) {
  if (target) return [target === 'window' ? window : document];
  if (select === undefined) throw new DomProblem('select: a selector is wanted');
  if (key === undefined) return found(document, select, all, optional);
  const [list] = found(document, select, false, optional);
  const row = list && rowsIn(list).get(String(key));
  if (row) return find === undefined ? [row] : found(row, find, all, optional);
  if (optional) return [];
  throw new NothingFound(`no row ${key} in ${select}`);
}

/**
 * @param {ParentNode} root @param {string} selector @param {boolean} all @param {boolean} optional
 * @returns {Element[]}
 */
function found(root, selector, all, optional) {
  const elements = all
    ? [...domCall(root, 'querySelectorAll', selector)]
    : [domCall(root, 'querySelector', selector)];
  if (elements[0]) return /** @type {Element[]} */ (elements);
  if (optional) return [];
  throw new NothingFound(`nothing matches ${selector}`);
}
