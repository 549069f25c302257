// SPDX-License-Identifier: MIT
// @ts-check
/** How many sequenced messages have come in this session, and when to tell the other side. Pure state. */

const MOST_MESSAGES = 64;

export class Inbox {
  #received = 0;
  #messages = 0;
  #bytes = 0;

  /** Sequenced messages that came since the session began. */
  get received() {
    return this.#received;
  }

  /** Whether something came that has not been acknowledged. */
  get owing() {
    return this.#messages > 0;
  }

  /**
   * @param {number} size bytes of the message that came
   * @param {number} window bytes that may be under way
   * @returns {boolean} whether it is time to acknowledge at once: a quarter of the window, or 64 messages
   */
  take(size, window) {
    this.#received++;
    this.#messages++;
    this.#bytes += size;
    return this.#messages >= MOST_MESSAGES || this.#bytes >= window / 4;
  }

  /** The other side is being told. @returns {number} */
  acknowledge() {
    this.#messages = 0;
    this.#bytes = 0;
    return this.#received;
  }
}
