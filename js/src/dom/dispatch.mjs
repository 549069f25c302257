// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The events that a program fires in its page. As no user has caused them, `isTrusted` is false.
 */
import { DomProblem } from './problem.mjs';
import { foreignProblem } from './foreign.mjs';

/** A MouseEvent of such a type ticks a box or follows a link, which a plain Event would not. */
const CLICKS = new Set(['auxclick', 'click', 'contextmenu', 'dblclick']);

/**
 * @param {string | { type: string, interface?: string, [init: string]: any }} said
 * @param {boolean} foreign whether the program is of another origin: it may fire no clicks and no
 *   keys
 * @returns {Event}
 */
export function makeDispatch(said, foreign) {
  const { type, interface: wanted, ...init } = typeof said === 'string' ? { type: said } : said;
  const name =
    wanted ?? (CLICKS.has(type) ? 'MouseEvent' : 'detail' in init ? 'CustomEvent' : 'Event');
  if (foreign && name !== 'CustomEvent' && name !== 'Event')
    throw foreignProblem(`fires no ${name}`);
  return new (eventClass(name))(type, { bubbles: true, cancelable: true, ...init });
}

/** @param {any} name @returns {new (type: string, init: any) => Event} */
function eventClass(name) {
  const found =
    typeof name === 'string' &&
    /^(?:[A-Z]\w*)?Event$/.test(name) &&
    /** @type {any} */ (globalThis)[name];
  if (found === Event || found?.prototype instanceof Event) return found;
  throw new DomProblem(`there is no kind of event '${name}'`);
}
