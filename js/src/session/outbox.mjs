// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The sequenced messages that this side sends: keeps each until the other side has acknowledged it,
 * sends it again after a reconnect, and lets no more than a window of them be unacknowledged
 * (docs/protocol.md, section 3).
 *
 * When the limit is reached, push() throws and keeps nothing. A message that was accepted is
 * delivered or counted as undelivered, and never dropped, except where its sender allows that: a
 * message with a `subject` gives way to a later one with that subject, and a message that `expires`
 * is not sent after that time. Messages are numbered only by their position on the wire, so a
 * message may be dropped until it is sent. Pure state: an outbox neither sends nor waits.
 */
import { ServerConnectionError } from '../base/errors.mjs';
import { Fifo } from '../base/fifo.mjs';
import { Kept } from './kept.mjs';
import { WireError } from '../proto/message.mjs';

/**
 * @typedef {import('../proto/message.mjs').Outgoing & {
 *   refused?: (error: ServerConnectionError) => void,
 *   subject?: object,
 *   expires?: number,
 *   dropped?: boolean,
 *   taken?: () => void,
 *   gone?: () => void,
 *   wasSent?: boolean,
 *   isWaiting?: () => boolean,
 *   mortal?: boolean,
 * }} Entry  `isWaiting`: of a call, whether its answer is still to come; `mortal`: it is for this
 *   process only, and not for one that takes its place
 */

/**
 * How many messages with a subject may be unacknowledged. More of them wait in the queue, where
 * they give way to later ones.
 */
const SUBJECTS_AHEAD = 32;

export class Outbox {
  /** Sent on this connection, and not acknowledged. @type {Fifo<Entry>} */
  #sent = new Fifo();
  /**
   * Not sent on this connection. Dropped entries stay in the queue and count for nothing.
   * @type {Fifo<Entry>}
   */
  #queue = new Fifo();
  #dropped = 0;
  /** The latest entry of each subject in the queue. @type {Map<object, Entry>} */
  #latest = new Map();
  /** How many messages were acknowledged since the session began. */
  #acknowledged = 0;
  /** What a new process would need again; null: nothing is kept. @type {Kept | null} */
  #kept = null;
  #held = 0;
  #inFlight = 0;
  #subjectsSent = 0;
  #limit;
  #date;
  /** @type {Array<{ size: number, resolve: () => void }>} */
  #waiting = [];

  /**
   * @param {number} limit bytes that the outbox holds at most
   * @param {() => number} [date] the clock for `expires`
   */
  constructor(limit, date = Date.now) {
    this.#limit = limit;
    this.#date = date;
  }

  /** Bytes of the messages that were not acknowledged, sent or not. */
  get held() {
    return this.#held;
  }

  /** How many messages were not acknowledged. */
  get undelivered() {
    return this.#sent.length + this.unsent;
  }

  /** How many messages were not sent on this connection. */
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
    if (!this.#hasRoomFor(entry)) this.#drop((queued) => this.#isExpired(queued));
    if (!this.#hasRoomFor(entry))
      throw new ServerConnectionError(
        'buffer-full',
        `${this.#held} of ${this.#limit} bytes wait for the program, and ${entry.size} more do not fit`,
      );
    this.#enqueue(entry);
  }

  /**
   * Fulfilled when `size` bytes may fit, in the order of the calls. push() may still throw.
   * @param {number} size
   * @returns {Promise<void>}
   */
  whenRoom(size) {
    if (!this.#waiting.length && this.#fits(size)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ size, resolve }));
  }

  /** The session is over: nobody waits for room any longer. */
  abandon() {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /**
   * The next message that the window allows, or null. A message larger than the window goes alone.
   * @param {number} window
   */
  next(window) {
    this.#trim();
    const entry = this.#queue.first;
    if (!entry || (this.#inFlight > 0 && this.#inFlight + entry.size > window)) return null;
    if (this.#subjectsSent >= SUBJECTS_AHEAD && this.#latest.size === this.unsent) return null;
    this.#queue.shift();
    this.#forgetSubject(entry);
    this.#sent.push(entry);
    entry.wasSent = true;
    this.#inFlight += entry.size;
    if (entry.subject) this.#subjectsSent++;
    return entry;
  }

  /**
   * The other side has received `count` messages since the session began.
   * @param {number} count @throws {WireError}
   */
  acknowledge(count) {
    const sent = this.#acknowledged + this.#sent.length;
    if (count < this.#acknowledged || count > sent)
      throw new WireError(
        `an acknowledgement of ${count}, between ${this.#acknowledged} and ${sent} expected`,
      );
    for (; this.#acknowledged < count; this.#acknowledged++) this.#forgetFirstSent();
    this.#serveWaiting();
  }

  /** From the session's beginning on: keeps what the program's state does not cover. */
  keep() {
    this.#kept ??= new Kept();
  }

  /** The program's state covers the first messages. @param {number} count @throws {WireError} */
  cover(count) {
    this.#kept?.cover(count, this.#acknowledged + this.#sent.length);
  }

  /**
   * A new session is about to go on from the state: what it does not cover is sent again, first.
   * @returns {number} how many of the first messages the old process may have seen
   */
  beginAgain() {
    const kept = this.#kept ?? new Kept();
    const sent = this.#sent
      .all()
      .filter((entry, i) => kept.needs(entry, this.#acknowledged + i + 1));
    const queued = this.#queue.all().filter(({ dropped, mortal }) => !dropped && !mortal);
    const again = [...kept.all(), ...sent, ...queued];
    for (const fifo of [this.#sent, this.#queue]) fifo.replace([]);
    this.#acknowledged = this.#inFlight = this.#subjectsSent = this.#dropped = this.#held = 0;
    this.#latest.clear();
    this.#kept = new Kept();
    const seen = again.filter(({ wasSent }) => wasSent).length;
    // What was sent gives way to nothing, so that their number stays.
    for (const { subject, expires, ...entry } of again)
      this.#enqueue(entry.wasSent ? entry : { ...entry, subject, expires });
    return seen;
  }

  /** The other side has received all that was sent on this connection. */
  acknowledgeAll() {
    this.acknowledge(this.#acknowledged + this.#sent.length);
  }

  /**
   * A new connection, on which the other side has said how many messages it has: all others are
   * sent again.
   * @param {number} received
   */
  rewind(received) {
    this.acknowledge(received);
    const again = [...this.#sent.all(), ...this.#queue.all()];
    for (const fifo of [this.#sent, this.#queue]) fifo.replace([]);
    this.#inFlight = this.#subjectsSent = this.#dropped = this.#held = 0;
    this.#latest.clear();
    for (const entry of again) if (!entry.dropped) this.#enqueue(entry);
  }

  /**
   * Removes entries that are larger than the server takes from the queue.
   * @param {number} size @returns {Entry[]}
   */
  removeLargerThan(size) {
    return this.#drop((entry) => entry.size > size);
  }

  /** @param {Entry} entry */
  #enqueue(entry) {
    if (entry.subject) {
      const older = this.#latest.get(entry.subject);
      if (older) this.#dropEntry(older);
      this.#latest.set(entry.subject, entry);
    }
    this.#queue.push(entry);
    this.#held += entry.size;
    if (this.#dropped > 1000 && this.#dropped * 2 > this.#queue.length) this.#compact();
  }

  /** Removes dropped and expired entries from the front of the queue. */
  #trim() {
    for (let first; (first = this.#queue.first) && (first.dropped || this.#isExpired(first));) {
      if (!first.dropped) this.#dropEntry(first);
      this.#queue.shift();
      this.#dropped--;
    }
    this.#serveWaiting();
  }

  /**
   * @param {(entry: Entry) => boolean} which
   * @returns {Entry[]} the entries that were dropped from the queue
   */
  #drop(which) {
    const out = this.#queue.all().filter((entry) => !entry.dropped && which(entry));
    for (const entry of out) this.#dropEntry(entry);
    if (out.length) this.#compact();
    return out;
  }

  /** @param {Entry} entry in the queue */
  #dropEntry(entry) {
    entry.dropped = true;
    entry.gone?.();
    this.#forgetSubject(entry);
    this.#dropped++;
    this.#held -= entry.size;
  }

  #compact() {
    this.#queue.replace(this.#queue.all().filter((entry) => !entry.dropped));
    this.#dropped = 0;
  }

  /** The entry no longer gives way to a later one. @param {Entry} entry */
  #forgetSubject({ subject }) {
    if (subject) this.#latest.delete(subject);
  }

  /** @param {Entry} entry */
  #isExpired({ expires }) {
    return expires !== undefined && expires < this.#date();
  }

  /** Whether the entry fits, once the entry that gives way to it is gone. @param {Entry} entry */
  #hasRoomFor({ size, subject }) {
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

  /** The first of the sent messages was received. */
  #forgetFirstSent() {
    const entry = /** @type {Entry} */ (this.#sent.shift());
    const { size, subject, taken } = entry;
    this.#kept?.add(entry, this.#acknowledged + 1);
    this.#inFlight -= size;
    this.#held -= size;
    if (subject) this.#subjectsSent--;
    taken?.();
  }
}
