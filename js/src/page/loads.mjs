// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Loads the page again, but no page that answered a POST, which would be posted again; and not so
 * often that it would never end: not twice in 10 s, and not more than 5 times in 5 min.
 */
import { navigation } from './navigation.mjs';

const LOADS_APART_MS = 10_000;
const LOADS_MOST = 5;
const LOADS_WITHIN_MS = 5 * 60_000;
/** Where nothing can be noted, a page that was loaded again must have lived so long. */
const LIVED_MS = 60_000;

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
