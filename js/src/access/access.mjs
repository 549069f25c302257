// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Script access, for one link: finds out why the server refuses handshakes, and keeps the link away
 * while a ban lasts. Bans are kept for all tabs of the origin ({@link Bans}).
 *
 * A server of our own origin gives the reason in its close code. From a server of another origin
 * the page sees only code 1006, so it asks why. To prevent a storm of requests when the network is
 * broken, the page asks only after the first failed handshake of a new connection and after every
 * fourth failure in a row, at most once in 10 s for one URL in all tabs, and not while it is
 * offline.
 */
import { Bans, banKeyOf } from './bans.mjs';
import { Timer } from '../base/clock.mjs';
import { pageStore } from './expiring-store.mjs';
import { fetchRefusal } from './refusal.mjs';

/** @typedef {import('./bans.mjs').Ban} Ban */
/** @typedef {import('../proto/close-codes.mjs').End} End */

const FAILURES_PER_FETCH = 4;
const BETWEEN_FETCHES_MS = 10_000;
/** How long to wait for the server's answer: its DNS lookup may take 3 s. */
const REPLY_MS = 10_000;

/**
 * @typedef {object} AccessOptions
 * @property {string} url of ws or wss
 * @property {string | null} origin of the page; null: there is none, and no server is asked
 * @property {import('./expiring-store.mjs').ExpiringStore} [store] by default the page's
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {typeof globalThis.fetch | undefined} fetch
 * @property {() => boolean} online false if the browser knows that there is no network
 */

export class Access {
  #options;
  #store;
  #banKey;
  #bans;
  #foreign;
  /** Failed handshakes in a row. */
  #failures = 0;
  /** Whether the page should ask, and has not asked yet. */
  #fetchDue = false;

  /** @param {AccessOptions} options */
  constructor(options) {
    const { url, origin, store = pageStore, clock } = options;
    this.#options = options;
    this.#store = store;
    this.#banKey = banKeyOf(url, origin ?? '');
    this.#bans = new Bans(store, clock.date);
    this.#foreign = origin !== null && origin !== this.#banKey.target;
  }

  /** The ban or pause that is in force now, or null. @returns {Ban | null} */
  ban() {
    return this.#bans.check(this.#banKey);
  }

  /**
   * Keeps the ban, if the end of a connection or of an attempt is one.
   * @param {End & { policyPath?: string }} end
   */
  record(end) {
    this.#bans.add(this.#banKey, end, end.policyPath);
  }

  /** The server has accepted the handshake. */
  opened() {
    this.#failures = 0;
    this.#fetchDue = false;
  }

  /**
   * A handshake has failed. Returns whether it is time to ask why.
   * @param {boolean} wasOpen whether this session has had a connection before
   */
  shouldFetchReason(wasOpen) {
    const { fetch, online, clock, url } = this.#options;
    if (!this.#foreign || !fetch || !online()) return false;
    this.#failures++;
    if (this.#failures % FAILURES_PER_FETCH === 0 || (this.#failures === 1 && !wasOpen))
      this.#fetchDue = true;
    return this.#fetchDue && !this.ban() && !this.#store.get(`asked ${url}`, clock.date());
  }

  /**
   * Asks the server. Never rejects.
   * @param {AbortSignal} signal
   * @returns {Promise<import('./refusal.mjs').Refusal | null>} null: no refusal, or no usable
   *   answer
   */
  async fetchReason(signal) {
    const { fetch, clock, url } = this.#options;
    this.#fetchDue = false;
    this.#store.set(`asked ${url}`, true, BETWEEN_FETCHES_MS, clock.date());
    const timeout = new AbortController();
    const timer = new Timer(clock);
    const giveUp = () => timeout.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    timer.set(REPLY_MS, giveUp);
    const refusal = await fetchRefusal(url, {
      fetch: /** @type {typeof globalThis.fetch} */ (fetch),
      origin: this.#banKey.origin,
      signal: timeout.signal,
    });
    timer.clear();
    return refusal;
  }
}
