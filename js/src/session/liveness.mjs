// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Notices a dead peer (docs/protocol.md, section 4): one that stays silent for too long, or does
 * not answer a ping. A page whose timers run late (it was frozen, or the machine slept) has not
 * listened meanwhile, so it asks before it judges. Bytes of the page that leave are life, too: an
 * answer waits behind them.
 */
import { Timer } from '../base/clock.mjs';

const ANSWER_MS = 5_000;
/** A timer that runs this late shows that the page did not run. */
const LATE_MS = 1_000;

export class Liveness {
  #clock;
  #sendPing;
  #onDead;
  #buffered;
  #silence;
  #answer;
  #heardAt = 0;
  /** How much of the silence the page did not run. */
  #late = 0;
  #lastBuffered = 0;

  /**
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {() => void} sendPing sends a `.ping`
   * @param {(why: string) => void} onDead called when the peer is found dead
   * @param {() => number} [buffered] bytes of the page that wait in the WebSocket
   */
  constructor(clock, sendPing, onDead, buffered = () => 0) {
    this.#clock = clock;
    this.#sendPing = sendPing;
    this.#onDead = onDead;
    this.#buffered = buffered;
    this.#silence = new Timer(clock);
    this.#answer = new Timer(clock);
  }

  /** Something arrived. */
  heard() {
    this.#heardAt = this.#clock.now();
    this.#late = 0;
    this.#answer.clear();
  }

  /** From now on the peer is dead after `ms` of silence. @param {number} ms */
  start(ms) {
    this.#look();
    const silent = this.#clock.now() - this.#heardAt;
    if (silent >= ms && this.#late < LATE_MS) return this.#onDead('nothing heard');
    if (silent >= ms) this.probe(); // messages may wait to be handled
    const wait = Math.min(silent < ms ? ms - silent : ms, ms / 4 + 1);
    const due = this.#clock.now() + wait;
    this.#silence.set(wait, () => {
      const late = this.#clock.now() - due;
      if (late >= LATE_MS) this.#late += late;
      this.start(ms);
    });
  }

  /** Sends a ping, unless one is unanswered, and waits 5 s for anything to arrive. */
  probe() {
    if (this.#answer.isSet) return;
    this.#sendPing();
    this.#lastBuffered = this.#buffered();
    this.#await(true);
  }

  stop() {
    this.#silence.clear();
    this.#answer.clear();
  }

  /** @param {boolean} first whether to wait once more if the page does not run meanwhile */
  #await(first) {
    const due = this.#clock.now() + ANSWER_MS;
    this.#answer.set(ANSWER_MS, () => {
      const late = this.#clock.now() - due >= LATE_MS;
      if (this.#look() || (late && first)) this.#await(!late);
      else this.#onDead('no answer to a ping');
    });
  }

  /** Whether bytes have left since the last look. */
  #look() {
    const buffered = this.#buffered();
    const moves = buffered < this.#lastBuffered;
    this.#lastBuffered = buffered;
    if (moves) this.#heardAt = this.#clock.now();
    return moves;
  }
}
