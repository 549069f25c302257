// SPDX-License-Identifier: MIT
// @ts-check
/** Checks the server's `.welcome` (docs/protocol.md, section 4). Pure. */
import { WireError } from './message.mjs';

/**
 * @typedef {object} Welcome
 * @property {string} session the session's id
 * @property {boolean} resumed whether the session had a connection before
 * @property {number} received how many of our messages the server has
 * @property {number} window how many bytes may be unacknowledged
 * @property {number} maxMessage bytes of the largest message
 * @property {number} ping milliseconds between two pings
 * @property {number} grace milliseconds that the server waits for a client whose connection is lost
 * @property {number} [streams] how many byte streams there may be at a time; absent: none
 * @property {number} [streamWindow] bytes of each stream that the server keeps until they are
 *   reported
 * @property {boolean} [state] whether the server gives the state of its program to us
 * @property {boolean} [restore] whether the server waits for `.restore`
 * @property {number} [parts] how much of the first message the server leaves out, since we have it
 */

const SESSION = /^[\w-]{24}$/;

/** The least value of each number. @type {ReadonlyArray<readonly [keyof Welcome, number]>} */
const LEAST = Object.freeze([
  ['received', 0],
  ['window', 1],
  ['maxMessage', 1],
  ['ping', 1],
  ['grace', 0],
]);

const OPTIONAL = Object.freeze(['streams', 'streamWindow', 'parts']);

/** @param {unknown} id */
export function isSession(id) {
  return typeof id === 'string' && SESSION.test(id);
}

/** @param {any} data @returns {Welcome} @throws {WireError} */
export function parseWelcome(data) {
  if (typeof data !== 'object' || data === null) throw new WireError('.welcome without its object');
  if (!isSession(data.session)) throw new WireError('.welcome without a session');
  if (typeof data.resumed !== 'boolean') throw new WireError('.welcome without resumed');
  for (const [field, least] of LEAST)
    if (!Number.isSafeInteger(data[field]) || data[field] < least)
      throw new WireError(`.welcome without ${field}`);
  for (const field of OPTIONAL)
    if (data[field] !== undefined && !(Number.isSafeInteger(data[field]) && data[field] >= 0))
      throw new WireError(`.welcome with a bad ${field}`);
  return data;
}
