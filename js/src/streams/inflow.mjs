// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The receiving half of a channel (docs/protocol.md, section 10): holds the bytes that were
 * received and not taken yet, and counts how many more the other side may send. The bytes held
 * never exceed the window. Pure state.
 */
import { WireError } from '../proto/message.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Bytes} Bytes */

/** A report is due when this part of the window was received, or became free. */
const REPORTS_PER_WINDOW = 4;
/** Or at the latest so many bytes: the other side may keep little while it keeps many channels. */
const REPORT_BYTES_MAX = 65536;

export class Inflow {
  #window;
  /** How many bytes make a report due at once. */
  #reportBytes = 0;
  /** @type {Bytes[]} */
  #chunks = [];
  #received = 0;
  #taken = 0;
  #ended = false;
  #discarding = false;
  /** What was reported last. */
  #reported = { received: 0, limit: 0 };
  #wanted = false;

  /** @param {number} window bytes that are held at most */
  constructor(window) {
    this.#window = window;
    this.limitKept(Infinity);
  }

  /**
   * The other side keeps only this many bytes until they are reported, so reports must be as
   * frequent.
   * @param {number} bytes
   */
  limitKept(bytes) {
    const part = Math.min(this.#window, bytes) / REPORTS_PER_WINDOW;
    this.#reportBytes = Math.min(part, REPORT_BYTES_MAX);
  }

  /** Whether the other side's direction is complete: nothing more will arrive. */
  get complete() {
    return this.#ended;
  }

  /** Whether there are bytes to take. */
  get available() {
    return this.#chunks.length > 0;
  }

  /** @param {Bytes} bytes @throws {WireError} */
  data(bytes) {
    if (this.#ended) throw new WireError('DATA behind END');
    if (this.#received + bytes.length > this.#reported.limit)
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
   * Takes the first bytes, `most` of them at most. Null: there are none, and the reader waits.
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

  /** Nobody reads any more. Bytes that still arrive are counted and dropped. */
  discard() {
    this.#discarding = true;
    this.#chunks = [];
    this.#taken = this.#received;
  }

  /** Whether it is time to report. */
  get reportDue() {
    const { received, limit } = this.#now();
    if (this.#ended) return received > this.#reported.received;
    if (
      received - this.#reported.received >= this.#reportBytes ||
      limit - this.#reported.limit >= this.#reportBytes
    )
      return true;
    return (
      limit > this.#reported.limit &&
      this.#reported.limit === this.#received &&
      (this.#wanted || this.#discarding)
    );
  }

  /** Whether bytes were received that were not reported yet. */
  get hasUnreported() {
    return this.#received > this.#reported.received;
  }

  /** What to report. The caller sends it now. */
  state() {
    this.#reported = this.#now();
    return this.#reported;
  }

  #now() {
    return { received: this.#received + (this.#ended ? 1 : 0), limit: this.#taken + this.#window };
  }
}
