// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Whether the peer is alive (docs/protocol.md, section 4): dead is who says nothing for too long, or nothing to a question.
 */
import { Alarm } from '../base/clock.mjs';

const ANSWER_MS = 5_000;
/** A timer that runs so much too late says that we slept, not that the peer is dead. */
const LATE_MS = 1_000;

export class Watch {
  #clock;
  #ask;
  #dead;
  #silence;
  #answer;
  #heardAt = 0;

  /**
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {() => void} ask sends a `.ping`
   * @param {(why: string) => void} dead the peer is
   */
  constructor(clock, ask, dead) {
    this.#clock = clock;
    this.#ask = ask;
    this.#dead = dead;
    this.#silence = new Alarm(clock);
    this.#answer = new Alarm(clock);
  }

  /** Something came, whatever it was. */
  heard() {
    this.#heardAt = this.#clock.now();
    this.#answer.clear();
  }

  /** From now on silence for `ms` is death. @param {number} ms */
  start(ms) {
    const silent = this.#clock.now() - this.#heardAt;
    if (silent >= ms && silent < ms + LATE_MS) return this.#dead('nothing heard');
    if (silent >= ms) this.ask(); // what came meanwhile may still be on its way to us
    this.#silence.set(silent < ms ? ms - silent : ms, () => this.start(ms));
  }

  /** Asks, unless a question is open, and waits 5 s for anything. */
  ask() {
    if (this.#answer.isSet) return;
    this.#ask();
    this.#answer.set(ANSWER_MS, () => this.#dead('no answer to a ping'));
  }

  stop() {
    this.#silence.clear();
    this.#answer.clear();
  }
}
