// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What one channel receives (docs/protocol.md, section 10): the bytes that came and were not taken yet, and how many
 * more the other side may send. It never holds more than its window. Pure state.
 */
import { WireError } from '../proto/message.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Bytes} Bytes */

/** The other side is told when such a part of the window has come or been taken. */
const PART = 4;

export class Inflow {
  #window;
  /** What the other side is told of at once: so many bytes that came, or that can come again. */
  #part;
  /** @type {Bytes[]} */
  #chunks = [];
  #received = 0;
  #taken = 0;
  #ended = false;
  #discarding = false;
  /** What the other side was told last. */
  #said = { received: 0, limit: 0 };
  #wanted = false;

  /** @param {number} window bytes that it holds at most */
  constructor(window) {
    this.#window = window;
    this.#part = window / PART;
  }

  /** The other side keeps no more than so many bytes until it is told that they came. @param {number} bytes */
  kept(bytes) {
    this.#part = Math.min(this.#window, bytes) / PART;
  }

  /** Whether their direction is complete: nothing more will come. */
  get complete() {
    return this.#ended;
  }

  /** Whether something can be taken. */
  get available() {
    return this.#chunks.length > 0;
  }

  /** @param {Bytes} bytes @throws {WireError} */
  data(bytes) {
    if (this.#ended) throw new WireError('DATA behind END');
    if (this.#received + bytes.length > this.#said.limit)
      throw new WireError('DATA beyond the limit');
    this.#received += bytes.length;
    if (this.#discarding) this.#taken += bytes.length;
    else this.#chunks.push(bytes);
  }

  /** @throws {WireError} */
  end() {
    if (this.#ended) throw new WireError('END behind END');
    this.#ended = true;
  }

  /**
   * Takes what came first, `most` bytes of it at most. Null: nothing is there, and the next bytes are waited for.
   * @param {number} most
   * @returns {Bytes | null}
   */
  take(most) {
    const first = this.#chunks[0];
    this.#wanted = !first;
    if (!first) return null;
    const part = first.subarray(0, most);
    if (part.length === first.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(part.length);
    this.#taken += part.length;
    return part;
  }

  /** Nobody reads any more: what comes is counted and dropped. */
  discard() {
    this.#discarding = true;
    this.#chunks = [];
    this.#taken = this.#received;
  }

  /** Whether it is time to tell the other side. */
  get owing() {
    const { received, limit } = this.#now();
    if (this.#ended) return received > this.#said.received;
    if (received - this.#said.received >= this.#part || limit - this.#said.limit >= this.#part)
      return true;
    return (
      limit > this.#said.limit &&
      this.#said.limit === this.#received &&
      (this.#wanted || this.#discarding)
    );
  }

  /** Whether something has come of which the other side has not been told. */
  get untold() {
    return this.#received > this.#said.received;
  }

  /** The other side is being told. */
  state() {
    this.#said = this.#now();
    return this.#said;
  }

  #now() {
    return { received: this.#received + (this.#ended ? 1 : 0), limit: this.#taken + this.#window };
  }
}
