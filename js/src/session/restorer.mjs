// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The state of the program, as the page keeps it for another process (docs/protocol.md, section
 * 12): whether a session that is over goes on from it, why, and when. Pure state.
 */
import { CLOSE } from '../proto/close-codes.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */
/** @typedef {import('../proto/state-message.mjs').RestoreWhy} RestoreWhy */

/** A session that ended sooner after it was restored is no reason to hurry. */
const LASTED_MS = 10_000;
const HURRIES = 5;
const LONGEST_PAUSE_MS = 60_000;

/** Reasons of 1000 after which the operator wants another process. */
const ANOTHER_PROCESS = Object.freeze(['restart', 'file-changed']);

export class Restorer {
  /** @type {import('../proto/channel-frame.mjs').Bytes | null} */
  state = null;
  /** How many restored sessions in a row have not lasted. */
  #short = 0;
  /** When the present session was restored; it has not been if it is NaN. */
  #since = NaN;
  #clock;

  /** @param {import('../base/clock.mjs').Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** The program goes on from the state. */
  restored() {
    this.#since = this.#clock.now();
  }

  /**
   * A session is over.
   * @param {End} end @param {boolean} wasAway whether the server could not be reached before
   * @param {boolean} wasRestoring whether it was to be restored, and was not yet
   * @returns {{ why: RestoreWhy, wait: number } | null} null: it does not go on
   */
  next(end, wasAway, wasRestoring) {
    const why = this.state && whyOf(end, wasAway);
    if (!why) return null;
    const short = wasRestoring || this.#clock.now() - this.#since < LASTED_MS;
    this.#short = short ? this.#short + 1 : 0;
    this.#since = NaN;
    if (this.#short > HURRIES) return null;
    const { retryAfter } = end;
    const asked = retryAfter === null ? 0 : (retryAfter + this.#clock.random()) * 1000;
    return { why, wait: Math.max(asked, this.#pause()) };
  }

  #pause() {
    if (!this.#short) return 0;
    const whole = Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** (this.#short - 1));
    return whole * (0.5 + this.#clock.random() / 2);
  }
}

/** @param {End} end @param {boolean} wasAway @returns {RestoreWhy | null} */
function whyOf({ code, reason }, wasAway) {
  if (code === CLOSE.PROGRAM_FAILED) return 'crash';
  if (code === CLOSE.SERVICE_RESTART) return 'deploy';
  if (code === CLOSE.SESSION_GONE) return wasAway ? 'deploy' : 'gone';
  return code === CLOSE.NORMAL && ANOTHER_PROCESS.includes(reason) ? 'changed' : null;
}
