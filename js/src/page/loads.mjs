// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Loads the page again, but no page that answered a POST, which would be posted again; and not so
 * often that it would never end: not twice in 10 s, and not more than 5 times in 5 min.
 */

import { domCall } from '../base/dom-property.mjs';

const LOADS_APART_MS = 10_000;
const LOADS_MOST = 5;
const LOADS_WITHIN_MS = 5 * 60_000;
/** Where nothing can be noted, a page that was loaded again must have lived so long. */
const LIVED_MS = 60_000;

/** @returns {any} the entry of this document's navigation */
export function navigation() {
  return performance.getEntriesByType?.('navigation')[0];
}

/** A page of this age has not just come from its server, if it connects only now. */
const OLD_MS = 30_000;

/**
 * Whether this page came from the history or from a cache, was fetched before the user wanted it,
 * or has waited long: its program may be gone.
 */
export function isOldCopy() {
  const entry = navigation();
  return (
    entry?.type === 'back_forward' ||
    Boolean(entry?.deliveryType) ||
    entry?.transferSize === 0 ||
    entry?.activationStart > 0 ||
    performance.now() > OLD_MS
  );
}

/**
 * Whether the page answered a POST. The server says so beside the session's id.
 * @param {any} document
 */
export function answeredPost(document) {
  const meta = domCall(document, 'querySelector', 'meta[name="httpsocket-session"]');
  if (meta?.dataset?.method === 'POST') return true;
  const timing = navigation()?.serverTiming ?? [];
  return timing.some(
    (/** @type {any} */ { name, description }) => name === 'method' && description === 'POST',
  );
}

/**
 * Loads the page anew by GET, however it came. A reload would ask the user whether to post again,
 * or not even ask. An address with a fragment would only be scrolled to.
 * @param {any} window
 */
export function loadByGet({ location, history }) {
  const { href, hash } = location;
  const bare = href.slice(0, href.length - hash.length).replace(/#$/, '');
  if (bare !== href) history.replaceState(history.state, '', bare);
  location.replace(bare);
}

export class Loads {
  #notes;
  #clock;
  #since;

  /** @param {import('./notes.mjs').Notes} notes @param {import('../base/clock.mjs').Clock} clock */
  constructor(notes, clock) {
    this.#notes = notes;
    this.#clock = clock;
    this.#since = clock.now();
  }

  /**
   * Asks for one more load, and notes it.
   * @returns {number | null} milliseconds to wait before it; null: it is not to be
   */
  next() {
    const now = this.#clock.date();
    const noted = this.#notes.read('loads');
    const times = (Array.isArray(noted) ? noted : []).filter(
      (/** @type {any} */ time) => Math.abs(now - time) < LOADS_WITHIN_MS,
    );
    if (times.length >= LOADS_MOST) return null;
    const at = Math.max(now, (times.at(-1) ?? -Infinity) + LOADS_APART_MS);
    if (this.#notes.write('loads', [...times, at])) return at - now;
    return navigation()?.type !== 'reload' || this.#clock.now() - this.#since > LIVED_MS ? 0 : null;
  }
}
