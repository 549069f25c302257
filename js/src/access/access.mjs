// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Script access as one link sees it: what keeps it away from its server, and why its handshakes fail. What it learns is
 * kept for all tabs of its origin ({@link Bans}).
 *
 * A server of our own origin says by the close code why it refuses. Of any other the page sees code 1006 and has to
 * ask; so that a broken network makes no second storm, it asks after the first handshake of a new connection that
 * failed and after every fourth failure in a row, at most once in 10 s for one URL in all tabs, and not offline.
 */
import { Bans, placeOf } from './bans.mjs';
import { Alarm } from '../base/clock.mjs';
import { askWhy } from './refusal.mjs';

/** @typedef {import('./bans.mjs').Held} Held */
/** @typedef {import('../proto/close-codes.mjs').End} End */

const FAILURES_A_QUESTION = 4;
const BETWEEN_QUESTIONS_MS = 10_000;
/** How long a server has for its answer: script access may look into DNS for 3 s. */
const REPLY_MS = 10_000;

/**
 * @typedef {object} AccessOptions
 * @property {string} url of ws or wss
 * @property {string | null} origin the page's; null where there is none: then nobody is asked
 * @property {import('./expiring-store.mjs').Notes} notes
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {typeof globalThis.fetch | undefined} fetch
 * @property {() => boolean} online false if it is known that there is no network
 */

export class Access {
  #options;
  #place;
  #bans;
  #foreign;
  /** Handshakes that failed, one after the other. */
  #failures = 0;
  /** Whether a question is due that has not been asked yet. */
  #due = false;

  /** @param {AccessOptions} options */
  constructor(options) {
    const { url, origin, notes, clock } = options;
    this.#options = options;
    this.#place = placeOf(url, origin ?? '');
    this.#bans = new Bans(notes, clock.date);
    this.#foreign = origin !== null && origin !== this.#place.target;
  }

  /** What keeps us away now, or null. @returns {Held | null} */
  held() {
    return this.#bans.held(this.#place);
  }

  /** A connection or an attempt has ended. @param {End & { policyPath?: string }} end */
  refused(end) {
    this.#bans.add(this.#place, end, end.policyPath);
  }

  /** The server has let us in. */
  opened() {
    this.#failures = 0;
    this.#due = false;
  }

  /**
   * A handshake has failed: is it time to ask why?
   * @param {boolean} wasIn whether this session has had a connection before
   */
  asks(wasIn) {
    const { fetch, online, notes, clock, url } = this.#options;
    if (!this.#foreign || !fetch || !online()) return false;
    this.#failures++;
    if (this.#failures % FAILURES_A_QUESTION === 0 || (this.#failures === 1 && !wasIn))
      this.#due = true;
    return this.#due && !this.held() && !notes.get(`asked ${url}`, clock.date());
  }

  /**
   * Asks. Never rejects.
   * @param {AbortSignal} signal
   * @returns {Promise<import('./refusal.mjs').Refusal | null>} null if nothing is against it, or nobody can say
   */
  async ask(signal) {
    const { fetch, notes, clock, url } = this.#options;
    this.#due = false;
    notes.set(`asked ${url}`, true, BETWEEN_QUESTIONS_MS, clock.date());
    const patience = new AbortController();
    const alarm = new Alarm(clock);
    const giveUp = () => patience.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    alarm.set(REPLY_MS, giveUp);
    const refusal = await askWhy(url, {
      fetch: /** @type {typeof globalThis.fetch} */ (fetch),
      origin: this.#place.origin,
      signal: patience.signal,
    });
    alarm.clear();
    return refusal;
  }
}
