// SPDX-License-Identifier: MIT
// @ts-check
/** The events that a program fires in its page. They are no user's: `isTrusted` is false. */
import { DomProblem } from './problem.mjs';
import { refused } from './foreign.mjs';

/** A plain Event of such a type would do nothing by itself; with this a box is ticked, a link followed. */
const CLICKS = new Set(['auxclick', 'click', 'contextmenu', 'dblclick']);

/**
 * @param {string | { type: string, interface?: string, [init: string]: any }} said
 * @param {boolean} stranger a program of another origin fires no clicks, and no keys
 * @returns {Event}
 */
export function makeDispatch(said, stranger) {
  const { type, interface: wanted, ...init } = typeof said === 'string' ? { type: said } : said;
  const name =
    wanted ?? (CLICKS.has(type) ? 'MouseEvent' : 'detail' in init ? 'CustomEvent' : 'Event');
  if (stranger && name !== 'CustomEvent' && name !== 'Event') throw refused(`fires no ${name}`);
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
