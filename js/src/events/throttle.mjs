// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Limits how often a listener sends: each event; or one in `throttle` milliseconds (the first at
 * once, the last when the time is over); or one after `debounce` milliseconds of quiet. Each
 * subject (the control or element of the event) is limited separately.
 */
import { Timer } from '../base/clock.mjs';

/**
 * The state of one subject. `pending` is what has not been sent yet.
 * @typedef {{ subject: object, timer: Timer, pending: any }} ThrottledSubject
 */

export class Throttle {
  #clock;
  #throttleMs;
  #debounceMs;
  #send;
  /** @type {WeakMap<object, ThrottledSubject>} */
  #subjects = new WeakMap();
  /** The subjects that have something to send. @type {Set<ThrottledSubject>} */
  #pending = new Set();
  #closed = false;

  /**
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {{ throttle: number | null, debounce: number | null }} options
   * @param {(what: any, subject: object) => void} send
   */
  constructor(clock, { throttle, debounce }, send) {
    this.#clock = clock;
    this.#throttleMs = throttle;
    this.#debounceMs = debounce;
    this.#send = send;
  }

  /** @param {object} subject @param {any} what */
  push(subject, what) {
    if (this.#throttleMs === null && this.#debounceMs === null) return this.#send(what, subject);
    const state = this.#stateOf(subject);
    state.pending = what;
    this.#pending.add(state);
    if (this.#debounceMs !== null) state.timer.set(this.#debounceMs, () => this.#emit(state));
    else if (!state.timer.isSet) this.#tick(state);
  }

  /** Sends at once what is pending. @param {(subject: any) => boolean} which */
  flush(which) {
    for (const state of [...this.#pending]) if (which(state.subject)) this.#emit(state);
  }

  /** Nothing is sent any more. */
  close() {
    this.#closed = true;
    for (const { timer } of this.#pending) timer.clear();
    this.#pending.clear();
  }

  /** @param {object} subject */
  #stateOf(subject) {
    const state = this.#subjects.get(subject) ?? {
      subject,
      timer: new Timer(this.#clock),
      pending: null,
    };
    this.#subjects.set(subject, state);
    return state;
  }

  /**
   * Sends, and again each time when the throttle's time is over, until nothing is pending.
   * @param {ThrottledSubject} state
   */
  #tick(state) {
    if (!this.#pending.has(state)) return;
    this.#emit(state);
    if (!this.#closed)
      state.timer.set(/** @type {number} */ (this.#throttleMs), () => this.#tick(state));
  }

  /** @param {ThrottledSubject} state */
  #emit(state) {
    if (!this.#pending.delete(state)) return;
    if (this.#debounceMs !== null) state.timer.clear();
    const { pending, subject } = state;
    state.pending = null;
    this.#send(pending, subject);
  }
}
