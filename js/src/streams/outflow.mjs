// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What one channel sends (docs/protocol.md, section 10): counted, kept until the other side has it, sent again after a
 * drop, and never more than the credit that the other side has granted. Pure state: it makes frames, and somebody else
 * sends them.
 *
 * Bytes are copied once, into the frame that carries them and that is kept for a repetition. So what is held is at most
 * the credit, and what the writer has queued before he waits.
 */
import { formatEnd, FRAME_HEAD_BYTES, makeData } from '../proto/channel-frame.mjs';
import { WireError } from '../proto/message.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Bytes} Bytes */

/**
 * Bytes that wait for credit, and who is told when they have gone.
 * @typedef {{ bytes: Uint8Array, taken: () => void }} Written
 */

/**
 * A frame that went out, and where its bytes begin in this direction.
 * @typedef {{ start: number, frame: Bytes }} Kept
 */

export class Outflow {
  #channel;
  /** @type {Written[]} */
  #written = [];
  #writtenBytes = 0;
  /** How much of the first of #written stands in frames already. */
  #at = 0;
  /** @type {Kept[]} */
  #kept = [];
  /** Where in #kept the first frame is that has not gone out on this connection. */
  #next = 0;
  /** Bytes that stand in frames, ever. */
  #framed = 0;
  #received = 0;
  #limit = 0;
  /** Whether the other side has said on this connection what it has. */
  #heard = false;
  #end = /** @type {'open' | 'wanted' | 'sent' | 'received'} */ ('open');
  #endIsOut = false;

  /** @param {number} channel its number */
  constructor(channel) {
    this.#channel = channel;
  }

  /** Bytes that the other side has. */
  get received() {
    return Math.min(this.#received, this.#framed);
  }

  /** Whether all of it has gone out, with its end. */
  get sent() {
    return this.#end === 'sent' || this.#end === 'received';
  }

  /** Whether the other side has all of it, and knows that it was all. */
  get complete() {
    return this.#end === 'received';
  }

  /**
   * @param {Uint8Array} bytes not to be changed before `taken` is called
   * @param {() => void} taken there is room for more
   */
  write(bytes, taken) {
    this.#written.push({ bytes, taken });
    this.#writtenBytes += bytes.length;
  }

  /** Nothing follows what has been written. */
  end() {
    if (this.#end === 'open') this.#end = 'wanted';
  }

  /** The connection is gone: what went out on it may be lost. */
  detach() {
    this.#heard = false;
  }

  /**
   * The other side has `received` and grants `limit`.
   * @param {number} received
   * @param {number} limit
   * @throws {WireError}
   */
  state(received, limit) {
    const most = this.#framed + (this.sent ? 1 : 0);
    if (received < this.#received || received > most)
      throw new WireError('STATE counts what was not sent, or less than before');
    if (limit < this.#limit) throw new WireError('STATE takes credit back');
    this.#received = received;
    this.#limit = limit;
    if (received > this.#framed) this.#end = 'received';
    const whole = this.#kept.findIndex(
      ({ start, frame }) => start + frame.length - FRAME_HEAD_BYTES > received,
    );
    const gone = this.#kept.splice(0, whole < 0 ? this.#kept.length : whole);
    this.#next = Math.max(0, this.#next - gone.length);
    if (!this.#heard) this.#repeat();
  }

  /**
   * The next frame that may go out, or null.
   * @param {number} most bytes that a new one has at most
   * @returns {Bytes | null}
   */
  next(most) {
    if (!this.#heard) return null;
    if (this.#next < this.#kept.length) return this.#kept[this.#next++].frame;
    const length = Math.min(most, this.#writtenBytes, this.#limit - this.#framed);
    if (length > 0) return this.#frame(length);
    if (this.#end === 'open' || this.#writtenBytes || this.#endIsOut) return null;
    this.#endIsOut = true;
    if (this.#end === 'wanted') this.#end = 'sent';
    return formatEnd(this.#channel);
  }

  /** A new connection: what the other side has not got goes out again. */
  #repeat() {
    this.#heard = true;
    this.#next = 0;
    this.#endIsOut = this.#end === 'received';
    const first = this.#kept[0];
    if (!first || first.start >= this.#received) return;
    const rest = first.frame.subarray(FRAME_HEAD_BYTES + this.#received - first.start);
    const frame = makeData(this.#channel, rest.length);
    frame.set(rest, FRAME_HEAD_BYTES);
    this.#kept[0] = { start: this.#received, frame };
  }

  /** Moves bytes into a new frame. @param {number} length @returns {Bytes} */
  #frame(length) {
    const frame = makeData(this.#channel, length);
    /** @type {Written[]} */
    const done = [];
    for (let at = FRAME_HEAD_BYTES; at < frame.length;) {
      const first = this.#written[0];
      const part = first.bytes.subarray(this.#at, this.#at + frame.length - at);
      frame.set(part, at);
      at += part.length;
      this.#at += part.length;
      if (this.#at < first.bytes.length) continue;
      done.push(first);
      this.#written.shift();
      this.#at = 0;
    }
    this.#kept.push({ start: this.#framed, frame });
    this.#next++;
    this.#framed += length;
    this.#writtenBytes -= length;
    for (const { taken } of done) taken();
    return frame;
  }
}
