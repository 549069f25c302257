// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The sequenced messages that this side has to deliver: numbered by counting, kept until the other side has
 * acknowledged them, sent again after a drop, and never more than a window of them at a time (docs/protocol.md,
 * section 3).
 *
 * At its limit push() throws and keeps nothing: what has been accepted is delivered or counted as undelivered, never
 * dropped, but for what its sender has allowed: a message with a `subject` gives way to a later one of the same
 * subject, and one that `expires` is not sent after that. Either is possible only while the message is not on its way: a
 * number is nothing but the place on the wire. Pure state: it neither sends nor waits.
 */
import { ServerConnectionError } from '../base/errors.mjs';
import { Fifo } from '../base/fifo.mjs';
import { WireError } from '../proto/message.mjs';

/**
 * @typedef {import('../proto/message.mjs').Outgoing & {
 *   refused?: (error: ServerConnectionError) => void,
 *   subject?: object,
 *   expires?: number,
 *   dropped?: boolean,
 * }} Entry
 */

/** So many messages with a subject may be on their way; the next ones wait, and give way to later ones. */
const SUBJECTS_AHEAD = 32;

export class Outbox {
  /** What has gone out on this connection. @type {Fifo<Entry>} */
  #flying = new Fifo();
  /** What has not. Those in it that are dropped count for nothing. @type {Fifo<Entry>} */
  #queue = new Fifo();
  #dropped = 0;
  /** The latest in the queue of each subject. @type {Map<object, Entry>} */
  #latest = new Map();
  /** The number of messages acknowledged since the session began. */
  #acknowledged = 0;
  #held = 0;
  #inFlight = 0;
  #subjectsFlying = 0;
  #limit;
  #date;
  /** @type {Array<{ size: number, resolve: () => void }>} */
  #waiting = [];

  /** @param {number} limit bytes that it holds at most @param {() => number} [date] what `expires` is compared with */
  constructor(limit, date = Date.now) {
    this.#limit = limit;
    this.#date = date;
  }

  /** Bytes that the other side has not acknowledged, sent or not. */
  get held() {
    return this.#held;
  }

  /** Messages that the other side has not acknowledged. */
  get undelivered() {
    return this.#flying.length + this.unsent;
  }

  /** Messages that have not gone out on this connection. */
  get unsent() {
    return this.#queue.length - this.#dropped;
  }

  /** @param {Entry} entry @throws {ServerConnectionError} `too-large`, `buffer-full` */
  push(entry) {
    if (entry.size > this.#limit)
      throw new ServerConnectionError(
        'too-large',
        `${entry.size} bytes; the outgoing buffer has ${this.#limit}`,
      );
    if (!this.#takes(entry)) this.#drop((queued) => this.#isOld(queued));
    if (!this.#takes(entry))
      throw new ServerConnectionError(
        'buffer-full',
        `${this.#held} of ${this.#limit} bytes wait for the program, and ${entry.size} more do not fit`,
      );
    this.#enqueue(entry);
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
    this.#trim();
    const entry = this.#queue.first;
    if (!entry || (this.#inFlight > 0 && this.#inFlight + entry.size > window)) return null;
    if (this.#subjectsFlying >= SUBJECTS_AHEAD && this.#latest.size === this.unsent) return null;
    this.#queue.shift();
    this.#unname(entry);
    this.#flying.push(entry);
    this.#inFlight += entry.size;
    if (entry.subject) this.#subjectsFlying++;
    return entry;
  }

  /** The other side has `count` messages in all. @param {number} count @throws {WireError} */
  acknowledge(count) {
    const sent = this.#acknowledged + this.#flying.length;
    if (count < this.#acknowledged || count > sent)
      throw new WireError(
        `an acknowledgement of ${count}, between ${this.#acknowledged} and ${sent} expected`,
      );
    for (; this.#acknowledged < count; this.#acknowledged++) this.#forget();
    this.#serveWaiting();
  }

  /** The other side has all that went out on this connection. */
  settle() {
    this.acknowledge(this.#acknowledged + this.#flying.length);
  }

  /**
   * A new connection, on which the other side said how much it has: the rest goes out again.
   * @param {number} received
   */
  rewind(received) {
    this.acknowledge(received);
    const again = [...this.#flying.all(), ...this.#queue.all()];
    for (const fifo of [this.#flying, this.#queue]) fifo.replace([]);
    this.#inFlight = this.#subjectsFlying = this.#dropped = this.#held = 0;
    this.#latest.clear();
    for (const entry of again) if (!entry.dropped) this.#enqueue(entry);
  }

  /** Takes out of the queue what is larger than the server takes. @param {number} size @returns {Entry[]} */
  withdraw(size) {
    return this.#drop((entry) => entry.size > size);
  }

  /** @param {Entry} entry */
  #enqueue(entry) {
    if (entry.subject) {
      const older = this.#latest.get(entry.subject);
      if (older) this.#dropOne(older);
      this.#latest.set(entry.subject, entry);
    }
    this.#queue.push(entry);
    this.#held += entry.size;
    if (this.#dropped > 1000 && this.#dropped * 2 > this.#queue.length) this.#compact();
  }

  /** Takes off the front of the queue what is dropped, or too old. */
  #trim() {
    for (let first; (first = this.#queue.first) && (first.dropped || this.#isOld(first));) {
      if (!first.dropped) this.#dropOne(first);
      this.#queue.shift();
      this.#dropped--;
    }
    this.#serveWaiting();
  }

  /** @param {(entry: Entry) => boolean} which @returns {Entry[]} those of the queue */
  #drop(which) {
    const out = this.#queue.all().filter((entry) => !entry.dropped && which(entry));
    for (const entry of out) this.#dropOne(entry);
    if (out.length) this.#compact();
    return out;
  }

  /** @param {Entry} entry of the queue */
  #dropOne(entry) {
    entry.dropped = true;
    this.#unname(entry);
    this.#dropped++;
    this.#held -= entry.size;
  }

  #compact() {
    this.#queue.replace(this.#queue.all().filter((entry) => !entry.dropped));
    this.#dropped = 0;
  }

  /** It is not the one in the queue that gives way any more. @param {Entry} entry */
  #unname({ subject }) {
    if (subject) this.#latest.delete(subject);
  }

  /** @param {Entry} entry */
  #isOld({ expires }) {
    return expires !== undefined && expires < this.#date();
  }

  /** Whether there is room for it, once the one that gives way to it is gone. @param {Entry} entry */
  #takes({ size, subject }) {
    return this.#fits(size - ((subject && this.#latest.get(subject)?.size) ?? 0));
  }

  /** @param {number} size */
  #fits(size) {
    return this.#held + size <= this.#limit;
  }

  #serveWaiting() {
    while (this.#waiting.length && this.#fits(this.#waiting[0].size))
      this.#waiting.shift()?.resolve();
  }

  /** The first on its way has arrived. */
  #forget() {
    const { size, subject } = /** @type {Entry} */ (this.#flying.shift());
    this.#inFlight -= size;
    this.#held -= size;
    if (subject) this.#subjectsFlying--;
  }
}
