// SPDX-License-Identifier: MIT
// @ts-check
/**
 * When to try again (docs/protocol.md, section 5): at once after a connection that worked, then ever more slowly, and
 * never before the time that the server has asked for. Pure state.
 */
import { delay } from './delay.mjs';
import { verdict } from '../proto/close-codes.mjs';

/** What `wait` means where the server has not said how long. */
const WAIT_MS = 5_000;
/** A connection that lasted so long, or carried something, has worked. */
const WORKED_MS = 5_000;
/** Where the server could be reached, it is the network that flutters: as if no more attempts than these had failed (4 s at most). */
const FAILURES_OPEN = 4;

export class Pace {
  #failures = 0;
  #openedAt = Infinity;
  #worked = false;
  #notBefore = -Infinity;

  /** @param {number} now */
  opened(now) {
    this.#openedAt = now;
    this.#worked = false;
  }

  /** Something of the session's own went over the connection. */
  worked() {
    this.#worked = true;
  }

  /** Somebody knows that the network is back. */
  hurry() {
    this.#failures = 0;
  }

  /** How long the server still does not want to see us. @param {number} now */
  barred(now) {
    return Math.max(0, this.#notBefore - now);
  }

  /**
   * A connection or an attempt is over: how long to wait before the next.
   * @param {import('../proto/close-codes.mjs').End} end @param {number} now @param {number} random from 0 to 1
   * @returns {number} milliseconds
   */
  pause(end, now, random) {
    const wasOpen = this.#openedAt !== Infinity;
    if (this.#worked || now - this.#openedAt >= WORKED_MS) this.#failures = 0;
    else if (wasOpen) this.#failures = Math.min(this.#failures, FAILURES_OPEN);
    this.#openedAt = Infinity;
    this.#worked = false;
    const attempt = this.#failures++;
    if (verdict(end) === 'resume') return wasOpen && attempt === 0 ? 0 : delay(attempt, random);
    this.#notBefore = now + (end.retryAfter === null ? WAIT_MS : end.retryAfter * 1000);
    return this.barred(now) + delay(attempt, random);
  }
}
