// SPDX-License-Identifier: MIT
// @ts-check
/**
 * How many bytes of streams may wait in the WebSocket: few enough that an event behind them is not
 * late, and enough that the network never runs dry. The budget grows when the WebSocket is found
 * empty soon after it was filled, and shrinks when the WebSocket is still half full after a while.
 * Pure state.
 */
const MIN_BYTES = 32 * 1024;
const MAX_BYTES = 256 * 1024;
/** How long an event may wait behind the bytes in the WebSocket, about. */
const MAX_WAIT_MS = 20;

export class SocketBudget {
  #budget = MIN_BYTES * 2;
  #filledAt = 0;

  /**
   * Whether the WebSocket may be given more.
   * @param {number} buffered bytes that wait in the WebSocket
   */
  allows(buffered) {
    return buffered < this.#budget;
  }

  /** Bytes were given to the WebSocket. @param {number} now milliseconds */
  filled(now) {
    this.#filledAt = now;
  }

  /**
   * Adapts the budget to what is left in a WebSocket that was full.
   * @param {number} buffered @param {number} now
   */
  adapt(buffered, now) {
    if (buffered === 0) this.#budget = Math.min(MAX_BYTES, this.#budget * 2);
    else if (buffered > this.#budget / 2 && now - this.#filledAt > MAX_WAIT_MS) {
      this.#budget = Math.max(MIN_BYTES, this.#budget / 2);
      this.#filledAt = now;
    }
  }
}
