// SPDX-License-Identifier: MIT
// @ts-check
/**
 * How many bytes of streams may wait in the socket: so few that an event behind them does not wait long, so many that
 * the network never runs dry. A socket that is found empty soon after it was filled may be given more the next time,
 * one that is still half full after a while is given less. Pure state.
 */
const LEAST_BYTES = 32 * 1024;
const MOST_BYTES = 256 * 1024;
/** An event may wait about so long behind what is in the socket. */
const PATIENCE_MS = 20;

export class Room {
  #most = LEAST_BYTES * 2;
  #gaveAt = 0;

  /** Whether more may be given to the socket. @param {number} buffered bytes that wait in it */
  allows(buffered) {
    return buffered < this.#most;
  }

  /** Something is given to it. @param {number} now milliseconds */
  gave(now) {
    this.#gaveAt = now;
  }

  /** A look at the socket after it was full. @param {number} buffered @param {number} now */
  look(buffered, now) {
    if (buffered === 0) this.#most = Math.min(MOST_BYTES, this.#most * 2);
    else if (buffered > this.#most / 2 && now - this.#gaveAt > PATIENCE_MS) {
      this.#most = Math.max(LEAST_BYTES, this.#most / 2);
      this.#gaveAt = now;
    }
  }
}
