// SPDX-License-Identifier: MIT
// @ts-check
/**
 * How often a listener speaks: each time, no more than once in `throttle` milliseconds (the first at once, the last at
 * the end), or after `debounce` milliseconds of quiet; for each subject (the control or element that it is about) apart.
 */
import { Alarm } from '../base/clock.mjs';

/** @typedef {{ subject: object, alarm: Alarm, waiting: any }} Beat one subject; `waiting`: what is still to be said */

export class Rhythm {
  #clock;
  #throttle;
  #debounce;
  #say;
  /** @type {WeakMap<object, Beat>} */
  #beats = new WeakMap();
  /** Those that have something to say. @type {Set<Beat>} */
  #waiting = new Set();
  #closed = false;

  /**
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {{ throttle: number | null, debounce: number | null }} options
   * @param {(what: any, subject: object) => void} say
   */
  constructor(clock, { throttle, debounce }, say) {
    this.#clock = clock;
    this.#throttle = throttle;
    this.#debounce = debounce;
    this.#say = say;
  }

  /** @param {object} subject @param {any} what */
  offer(subject, what) {
    if (this.#throttle === null && this.#debounce === null) return this.#say(what, subject);
    const beat = this.#beatOf(subject);
    beat.waiting = what;
    this.#waiting.add(beat);
    if (this.#debounce !== null) beat.alarm.set(this.#debounce, () => this.#speak(beat));
    else if (!beat.alarm.isSet) this.#measure(beat);
  }

  /** Says now what waits. @param {(subject: any) => boolean} which */
  flush(which) {
    for (const beat of [...this.#waiting]) if (which(beat.subject)) this.#speak(beat);
  }

  /** Nothing is said any more. */
  close() {
    this.#closed = true;
    for (const { alarm } of this.#waiting) alarm.clear();
    this.#waiting.clear();
  }

  /** @param {object} subject */
  #beatOf(subject) {
    const beat = this.#beats.get(subject) ?? {
      subject,
      alarm: new Alarm(this.#clock),
      waiting: null,
    };
    this.#beats.set(subject, beat);
    return beat;
  }

  /** Speaks, and again when the time is over, as long as there is something. @param {Beat} beat */
  #measure(beat) {
    if (!this.#waiting.has(beat)) return;
    this.#speak(beat);
    if (!this.#closed)
      beat.alarm.set(/** @type {number} */ (this.#throttle), () => this.#measure(beat));
  }

  /** @param {Beat} beat */
  #speak(beat) {
    if (!this.#waiting.delete(beat)) return;
    if (this.#debounce !== null) beat.alarm.clear();
    const { waiting, subject } = beat;
    beat.waiting = null;
    this.#say(waiting, subject);
  }
}
