// @ts-check
/**
 * The sequenced messages that this side has to deliver: numbered by counting, kept until the other side has
 * acknowledged them, sent again after a drop, and never more than a window of them at a time (docs/protocol.md,
 * section 3).
 *
 * At its limit push() throws and keeps nothing: what has been accepted is delivered or counted as undelivered, never
 * dropped. Pure state: it neither sends nor waits.
 */
import { ServerConnectionError } from './errors.mjs';
import { WireError } from './wire.mjs';

/** @typedef {import('./wire.mjs').Outgoing & { refused?: (error: ServerConnectionError) => void }} Entry */

export class Outbox {
  /** @type {Entry[]} */
  #entries = [];
  /** How many messages at the front of #entries are acknowledged and gone; compacted now and then. */
  #gone = 0;
  /** Where in #entries the first message is that has not gone out on this connection. */
  #next = 0;
  /** The number of messages acknowledged, and ever sent, since the session began. */
  #acknowledged = 0;
  #sent = 0;
  #held = 0;
  #inFlight = 0;
  #limit;
  /** @type {Array<{ size: number, resolve: () => void }>} */
  #waiting = [];

  /** @param {number} limit bytes that it holds at most */
  constructor(limit) {
    this.#limit = limit;
  }

  /** Bytes that the other side has not acknowledged, sent or not. */
  get held() {
    return this.#held;
  }

  /** Messages that the other side has not acknowledged. */
  get undelivered() {
    return this.#entries.length - this.#gone;
  }

  /** Messages that have not gone out on this connection. */
  get unsent() {
    return this.#entries.length - this.#next;
  }

  /** @param {Entry} entry @throws {ServerConnectionError} `too-large`, `buffer-full` */
  push(entry) {
    if (entry.size > this.#limit)
      throw new ServerConnectionError('too-large', `${entry.size} bytes; the outgoing buffer has ${this.#limit}`);
    if (this.#held + entry.size > this.#limit)
      throw new ServerConnectionError(
        'buffer-full',
        `${this.#held} of ${this.#limit} bytes wait for the program, and ${entry.size} more do not fit`,
      );
    this.#entries.push(entry);
    this.#held += entry.size;
  }

  /**
   * Fulfilled when `size` bytes may fit, first come first served: push() and see.
   * @param {number} size
   * @returns {Promise<void>}
   */
  room(size) {
    if (!this.#waiting.length && this.#fits(size)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ size, resolve }));
  }

  /** The session is over: nobody waits for room any longer. */
  abandon() {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /**
   * The next message that the window lets go, or null. A message larger than the window goes alone.
   * @param {number} window
   */
  next(window) {
    const entry = this.#entries[this.#next];
    if (!entry || (this.#inFlight > 0 && this.#inFlight + entry.size > window)) return null;
    this.#next++;
    this.#inFlight += entry.size;
    this.#sent = Math.max(this.#sent, this.#acknowledged + this.#next - this.#gone);
    return entry;
  }

  /** The other side has `count` messages in all. @param {number} count @throws {WireError} */
  acknowledge(count) {
    if (count < this.#acknowledged || count > this.#sent)
      throw new WireError(`an acknowledgement of ${count}, between ${this.#acknowledged} and ${this.#sent} expected`);
    for (; this.#acknowledged < count; this.#acknowledged++) this.#forget();
    if (this.#gone > 1000 && this.#gone * 2 > this.#entries.length) this.#compact();
    while (this.#waiting.length && this.#fits(this.#waiting[0].size)) this.#waiting.shift()?.resolve();
  }

  /** The other side has all that was ever sent. */
  settle() {
    this.acknowledge(this.#sent);
  }

  /**
   * A new connection, on which the other side said how much it has: the rest goes out again.
   * @param {number} received
   */
  rewind(received) {
    this.acknowledge(received);
    this.#next = this.#gone;
    this.#inFlight = 0;
  }

  /** Takes out what was never sent and is larger than the server takes. @param {number} size @returns {Entry[]} */
  withdraw(size) {
    const first = this.#gone + this.#sent - this.#acknowledged;
    const refused = this.#entries.slice(first).filter((entry) => entry.size > size);
    if (!refused.length) return refused;
    this.#entries = this.#entries.filter((entry, i) => i < first || entry.size <= size);
    for (const entry of refused) this.#held -= entry.size;
    return refused;
  }

  /** @param {number} size */
  #fits(size) {
    return this.#held + size <= this.#limit;
  }

  #forget() {
    const { size } = this.#entries[this.#gone];
    this.#entries[this.#gone] = GONE;
    if (this.#gone < this.#next) this.#inFlight -= size;
    else this.#next++;
    this.#gone++;
    this.#held -= size;
  }

  #compact() {
    this.#entries.splice(0, this.#gone);
    this.#next -= this.#gone;
    this.#gone = 0;
  }
}

/** Stands where a message was, so that its bytes can go. @type {Entry} */
const GONE = Object.freeze({ payload: '', size: 0 });
