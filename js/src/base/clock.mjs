// SPDX-License-Identifier: MIT
// @ts-check
/** Time and chance, as one object, so that a test can pass another. */

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds, never going back
 * @property {() => number} date milliseconds since 1970: all tabs agree on it, but the user may set
 *   the clock
 * @property {(run: () => void, ms: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} random from 0 to 1
 */

/** @type {Clock} */
export const systemClock = Object.freeze({
  now: () => performance.now(),
  date: () => Date.now(),
  setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms),
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
  random: () => Math.random(),
});

/** setTimeout() would run at once with a longer time. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One timer. It can be set, set again and cleared. */
export class Timer {
  #clock;
  #timer = /** @type {unknown} */ (null);

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  get isSet() {
    return this.#timer !== null;
  }

  /** @param {number} ms @param {() => void} run */
  set(ms, run) {
    this.clear();
    const now = Math.min(ms, LONGEST_TIMER_MS);
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      if (ms > now) this.set(ms - now, run);
      else run();
    }, now);
  }

  clear() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
