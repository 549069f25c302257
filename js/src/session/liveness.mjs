// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Notices a dead peer (docs/protocol.md, section 4): one that stays silent for too long, or does
 * not answer a ping.
 */
import { Timer } from '../base/clock.mjs';

const ANSWER_MS = 5_000;
/** A timer that runs this late shows that the machine slept. It does not show a dead peer. */
const LATE_MS = 1_000;

export class Liveness {
  #clock;
  #sendPing;
  #onDead;
  #silence;
  #answer;
  #heardAt = 0;

  /**
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {() => void} sendPing sends a `.ping`
   * @param {(why: string) => void} onDead called when the peer is found dead
   */
  constructor(clock, sendPing, onDead) {
    this.#clock = clock;
    this.#sendPing = sendPing;
    this.#onDead = onDead;
    this.#silence = new Timer(clock);
    this.#answer = new Timer(clock);
  }

  /** Something arrived. */
  heard() {
    this.#heardAt = this.#clock.now();
    this.#answer.clear();
  }

  /** From now on the peer is dead after `ms` of silence. @param {number} ms */
  start(ms) {
    const silent = this.#clock.now() - this.#heardAt;
    if (silent >= ms && silent < ms + LATE_MS) return this.#onDead('nothing heard');
    if (silent >= ms) this.probe(); // messages may wait to be handled
    this.#silence.set(silent < ms ? ms - silent : ms, () => this.start(ms));
  }

  /** Sends a ping, unless one is unanswered, and waits 5 s for anything to arrive. */
  probe() {
    if (this.#answer.isSet) return;
    this.#sendPing();
    this.#answer.set(ANSWER_MS, () => this.#onDead('no answer to a ping'));
  }

  stop() {
    this.#silence.clear();
    this.#answer.clear();
  }
}
