// SPDX-License-Identifier: MIT
// @ts-check
/**
 * When to connect again (docs/protocol.md, section 5): at once after a connection that worked, more
 * slowly after each failure, and never before the time that the server has asked for. Pure state.
 */
import { delay } from './delay.mjs';
import { verdict } from '../proto/close-codes.mjs';

/** The wait after a verdict `wait` whose `retryAfter` is missing. */
const WAIT_MS = 5_000;
/** A connection has worked if it lasted this long, or if it carried a message. */
const WORKED_MS = 5_000;
/**
 * A connection that opened and was lost soon is a sign of an unstable network, not of a server that
 * is down. It counts as no more than this many failures (4 s at most).
 */
const FAILURES_OPEN = 4;

export class Backoff {
  #failures = 0;
  #openedAt = Infinity;
  #worked = false;
  #notBefore = -Infinity;

  /** @param {number} now */
  opened(now) {
    this.#openedAt = now;
    this.#worked = false;
  }

  /** A message or a frame of this session went over the connection. */
  worked() {
    this.#worked = true;
  }

  /** The network is known to be back: the next attempt need not wait. */
  reset() {
    this.#failures = 0;
  }

  /** For how many more milliseconds the server does not want a new attempt. @param {number} now */
  serverWait(now) {
    return Math.max(0, this.#notBefore - now);
  }

  /**
   * A connection or an attempt has ended. Returns how long to wait before the next attempt.
   * @param {import('../proto/close-codes.mjs').End} end @param {number} now
   * @param {number} random from 0 to 1
   * @returns {number} milliseconds
   */
  delayAfter(end, now, random) {
    const wasOpen = this.#openedAt !== Infinity;
    if (this.#worked || now - this.#openedAt >= WORKED_MS) this.#failures = 0;
    else if (wasOpen) this.#failures = Math.min(this.#failures, FAILURES_OPEN);
    this.#openedAt = Infinity;
    this.#worked = false;
    const attempt = this.#failures++;
    if (verdict(end) === 'resume') return wasOpen && attempt === 0 ? 0 : delay(attempt, random);
    this.#notBefore = now + (end.retryAfter === null ? WAIT_MS : end.retryAfter * 1000);
    return this.serverWait(now) + delay(attempt, random);
  }
}
