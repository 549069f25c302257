// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Where this origin's pages have been told to stay away, and how long: the client's side of docs/access.md, section 7.
 * One ban is for a target's origin and one path, or, by `Access-Control-Policy-Path`, for every path from there down;
 * the rules are those of src/limits/bans.h, and both are tested with `tests/vectors/bans.json`.
 */
import { keptOf } from '../proto/close-codes.mjs';

/** A Policy-Path deeper than this bans the one path only. */
const MOST_SEGMENTS = 16;
/** Seconds: a day. */
const LONGEST_S = 86_400;

/** @typedef {import('../proto/close-codes.mjs').End} End */

/** What stands against a connection; `retryAfter` is what remains, and never null.
 * @typedef {{ code: number, reason: string, retryAfter: number, ban: boolean }} Held */

/** The target of a ban: who may not go where.
 * @typedef {{ origin: string, target: string, path: string }} Place */

export class Bans {
  #notes;
  #date;

  /** @param {import('./expiring-store.mjs').Notes} notes @param {() => number} date milliseconds on the clock of the wall */
  constructor(notes, date) {
    this.#notes = notes;
    this.#date = date;
  }

  /**
   * What keeps us away from there: of several, the one that lasts longest. Null if nothing does.
   * @param {Place} place
   * @returns {Held | null}
   */
  held(place) {
    /** @type {Held | null} */
    let longest = null;
    for (const key of keysOver(place)) {
      const held = this.#read(key);
      if (held && held.retryAfter > (longest?.retryAfter ?? 0)) longest = held;
    }
    return longest;
  }

  /**
   * Keeps a refusal, if it is one that keeps away and says how long.
   * @param {Place} place
   * @param {End} end
   * @param {string} [policyPath] widens it, if it is the path or an ancestor of it; anything else is ignored
   */
  add(place, { code, reason, retryAfter }, policyPath = '') {
    if (retryAfter === null || keptOf(code) === 'nothing') return;
    const now = this.#date();
    const ms = Math.min(retryAfter, LONGEST_S) * 1000;
    const keep = (/** @type {string} */ key) => this.#notes.set(key, { code, reason }, ms, now);
    keep(keyOf('at', place, place.path));
    const policy = trimSlash(policyPath);
    if (policyPathCounts(policyPath, place.path) && ancestors(policy).length <= MOST_SEGMENTS)
      keep(keyOf('below', place, policy));
  }

  /** @param {string} key @returns {Held | null} */
  #read(key) {
    const note = this.#notes.get(key, this.#date());
    const { code, reason } = /** @type {any} */ (note?.value) ?? {};
    const kept = Number.isInteger(code) ? keptOf(code) : 'nothing';
    if (!note || kept === 'nothing') return null;
    return {
      code,
      reason: String(reason),
      retryAfter: Math.min(LONGEST_S, Math.ceil(note.ms / 1000)),
      ban: kept === 'ban',
    };
  }
}

/**
 * Whether a Policy-Path counts for a path: an ancestor by segments, or the path itself, without `.`, `..`, `%2e`,
 * `%2f`, `\`, `//`.
 * @param {string} policy @param {string} path decoded and normalised
 */
export function policyPathCounts(policy, path) {
  if (!policy.startsWith('/') || /%2[ef]|\\|\/\/|\/\.\.?(?:\/|$)/i.test(policy)) return false;
  if (!path.startsWith(policy)) return false;
  return path.length === policy.length || policy.endsWith('/') || path[policy.length] === '/';
}

/**
 * The place of a URL. Its path is without the query, and decoded, so that no spelling escapes.
 * @param {string} url of ws or wss, absolute
 * @param {string} origin the page's, or that which a client of Node says it has
 * @returns {Place}
 */
export function placeOf(url, origin) {
  const { protocol, host, pathname } = new URL(url);
  let path = pathname;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    // no UTF-8: as it stands
  }
  return { origin, target: `${protocol === 'wss:' ? 'https:' : 'http:'}//${host}`, path };
}

/** Every key under which a ban of this place may stand. @param {Place} place */
function keysOver(place) {
  const above = ancestors(place.path).slice(0, MOST_SEGMENTS);
  return [keyOf('at', place, place.path), ...above.map((path) => keyOf('below', place, path))];
}

/** @param {'at' | 'below'} reach @param {Place} place @param {string} path */
function keyOf(reach, { origin, target }, path) {
  return `${reach} ${origin} ${target}${path}`;
}

/** From the root down to the path itself: `/`, `/chat`, `/chat/room`. @param {string} path */
function ancestors(path) {
  const all = ['/'];
  for (let at = 1; at < path.length; at++) {
    const slash = path.indexOf('/', at);
    at = slash < 0 ? path.length : slash;
    all.push(path.slice(0, at));
  }
  return all;
}

/** Without its last slash, the root aside. @param {string} path */
function trimSlash(path) {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
