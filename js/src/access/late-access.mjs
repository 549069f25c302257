// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Script access, for one link, as far as every page needs it. What knows the bans (access.mjs) is a
 * part of the client. It is loaded before the page connects to a server of another origin, and if
 * there may be bans; and when there is one to be kept.
 */
import { loadPart, partHere } from '../base/parts.mjs';
import { keptOf } from '../proto/close-codes.mjs';

/** @typedef {import('./access.mjs').Access} Access */
/** @typedef {import('../proto/close-codes.mjs').End} End */

export class LateAccess {
  #options;
  /** @type {Access | null} */
  #access = null;
  /** Fulfilled when what was recorded is kept; null: it is. @type {Promise<void> | null} */
  #pending = null;

  /** @param {import('./access.mjs').AccessOptions} options */
  constructor(options) {
    this.#options = options;
    const part = partHere('access');
    if (part) this.#by(part);
  }

  get pending() {
    return this.#pending;
  }

  /** Runs when it is known whether there are bans: at once, if possible. @param {() => void} run */
  whenKnown(run) {
    if (this.#access || !(this.#isForeign() || mayHaveBans())) run();
    else this.#load().then(run);
  }

  /** The ban or pause that is in force now, or null. */
  ban() {
    return this.#access?.ban() ?? null;
  }

  /**
   * Keeps the ban, if the end of a connection or of an attempt is one.
   * @param {End & { policyPath?: string }} end
   */
  record(end) {
    if (this.#access) return this.#access.record(end);
    if (end.retryAfter === null || keptOf(end.code) === 'nothing') return;
    const pending = this.#load().then(() => {
      this.#access?.record(end);
      if (this.#pending === pending) this.#pending = null;
    });
    this.#pending = pending;
  }

  /** The server has accepted the handshake. */
  opened() {
    this.#access?.opened();
  }

  /** @param {boolean} wasOpen whether this session has had a connection before */
  shouldFetchReason(wasOpen) {
    return this.#access?.shouldFetchReason(wasOpen) ?? false;
  }

  /** @param {AbortSignal} signal */
  async fetchReason(signal) {
    return this.#access?.fetchReason(signal) ?? null;
  }

  #isForeign() {
    const { url, origin } = this.#options;
    return origin !== null && new URL(url.replace(/^ws/, 'http')).origin !== origin;
  }

  /** @returns {Promise<void>} without it the page goes on too */
  #load() {
    return loadPart('access').then(
      (part) => void (this.#access ?? this.#by(part)),
      () => {},
    );
  }

  /** @param {any} part */
  #by(part) {
    this.#access = new part.Access(this.#options);
  }
}

/** Whether anything is kept that may be a ban (expiring-store.mjs). */
function mayHaveBans() {
  try {
    return Object.keys(localStorage).some((key) => key.startsWith('httpsocket '));
  } catch {
    return false; // there is no storage here
  }
}
