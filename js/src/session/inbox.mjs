// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Counts the sequenced messages of a session that have arrived, and decides when to acknowledge
 * them (docs/protocol.md, section 3). Pure state.
 */

const MOST_MESSAGES = 64;

export class Inbox {
  #received = 0;
  #messages = 0;
  #bytes = 0;

  /** How many sequenced messages have arrived since the session began. */
  get received() {
    return this.#received;
  }

  /** Whether messages have arrived that were not acknowledged yet. */
  get hasUnacknowledged() {
    return this.#messages > 0;
  }

  /**
   * @param {number} size of the message in bytes
   * @param {number} window how many bytes may be unacknowledged
   * @returns {boolean} whether to acknowledge at once: after a quarter of the window, or 64
   *   messages
   */
  receive(size, window) {
    this.#received++;
    this.#messages++;
    this.#bytes += size;
    return this.#messages >= MOST_MESSAGES || this.#bytes >= window / 4;
  }

  /** The caller sends an acknowledgement now. Returns its number. @returns {number} */
  acknowledge() {
    this.#messages = 0;
    this.#bytes = 0;
    return this.#received;
  }
}
