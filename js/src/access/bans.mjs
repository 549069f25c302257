// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Bans: which targets have told the pages of this origin to stay away, and for how long. This is
 * the client's side of docs/access.md, section 7. A ban covers one path of a target; with
 * `Access-Control-Policy-Path` it covers every path below that one. The server's src/limits/bans.h
 * has the same rules, and `tests/vectors/bans.json` tests both.
 */
import { keptOf } from '../proto/close-codes.mjs';

/** A Policy-Path with more segments bans the one path only. */
const MOST_SEGMENTS = 16;
/** The longest ban: a day, in seconds. */
const LONGEST_S = 86_400;

/** @typedef {import('../proto/close-codes.mjs').End} End */

/**
 * A ban in force, or a pause that a server out of order has asked for (`refused` is false then).
 * `retryAfter` is what remains of it, and never null.
 * @typedef {{ code: number, reason: string, retryAfter: number, refused: boolean }} Ban
 */

/**
 * Who is banned from where.
 * @typedef {{ origin: string, target: string, path: string }} BanKey
 */

export class Bans {
  #store;
  #date;

  /**
   * @param {import('./expiring-store.mjs').ExpiringStore} store
   * @param {() => number} date the wall clock, in milliseconds
   */
  constructor(store, date) {
    this.#store = store;
    this.#date = date;
  }

  /**
   * The ban that lasts longest, or null.
   * @param {BanKey} key
   * @returns {Ban | null}
   */
  check(key) {
    /** @type {Ban | null} */
    let longest = null;
    for (const stored of storeKeysOver(key)) {
      const ban = this.#read(stored);
      if (ban && ban.retryAfter > (longest?.retryAfter ?? 0)) longest = ban;
    }
    return longest;
  }

  /**
   * Keeps a ban, if the end is one and says how long.
   * @param {BanKey} key
   * @param {End} end
   * @param {string} [policyPath] widens the ban, if it is the path or an ancestor of the path
   */
  add(key, { code, reason, retryAfter }, policyPath = '') {
    if (retryAfter === null || keptOf(code) === 'nothing') return;
    const now = this.#date();
    const ms = Math.min(retryAfter, LONGEST_S) * 1000;
    const keep = (/** @type {string} */ key) => this.#store.set(key, { code, reason }, ms, now);
    keep(storeKey('at', key, key.path));
    const policy = trimSlash(policyPath);
    if (policyPathCounts(policyPath, key.path) && ancestors(policy).length <= MOST_SEGMENTS)
      keep(storeKey('below', key, policy));
  }

  /** @param {string} key @returns {Ban | null} */
  #read(key) {
    const entry = this.#store.get(key, this.#date());
    const { code, reason } = /** @type {any} */ (entry?.value) ?? {};
    const kept = Number.isInteger(code) ? keptOf(code) : 'nothing';
    if (!entry || kept === 'nothing') return null;
    return {
      code,
      reason: String(reason),
      retryAfter: Math.min(LONGEST_S, Math.ceil(entry.ms / 1000)),
      refused: kept === 'ban',
    };
  }
}

/**
 * Whether a Policy-Path is valid for a path: it is the path itself or an ancestor by segments,
 * without `.`, `..`, `%2e`, `%2f`, `\`, `//`.
 * @param {string} policy @param {string} path decoded and normalised
 */
export function policyPathCounts(policy, path) {
  if (!policy.startsWith('/') || /%2[ef]|\\|\/\/|\/\.\.?(?:\/|$)/i.test(policy)) return false;
  if (!path.startsWith(policy)) return false;
  return path.length === policy.length || policy.endsWith('/') || path[policy.length] === '/';
}

/**
 * The key of a URL. The path is without the query, and decoded, so that another spelling of it does
 * not escape the ban.
 * @param {string} url of ws or wss, absolute
 * @param {string} origin of the page, or what a client in Node declares
 * @returns {BanKey}
 */
export function banKeyOf(url, origin) {
  const { protocol, host, pathname } = new URL(url);
  let path = pathname;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    // not UTF-8: the path stays as it is
  }
  return { origin, target: `${protocol === 'wss:' ? 'https:' : 'http:'}//${host}`, path };
}

/** Every key under which the store may have a ban for `key`. @param {BanKey} key */
function storeKeysOver(key) {
  const above = ancestors(key.path).slice(0, MOST_SEGMENTS);
  return [storeKey('at', key, key.path), ...above.map((path) => storeKey('below', key, path))];
}

/** @param {'at' | 'below'} reach @param {BanKey} key @param {string} path */
function storeKey(reach, { origin, target }, path) {
  return `${reach} ${origin} ${target}${path}`;
}

/**
 * The ancestors of a path, from the root to the path itself: `/`, `/chat`, `/chat/room`.
 * @param {string} path
 */
function ancestors(path) {
  const all = ['/'];
  for (let at = 1; at < path.length; at++) {
    const slash = path.indexOf('/', at);
    at = slash < 0 ? path.length : slash;
    all.push(path.slice(0, at));
  }
  return all;
}

/** The path without its last slash. The root stays `/`. @param {string} path */
function trimSlash(path) {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
