// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The sending half of a channel (docs/protocol.md, section 10): counts the bytes, keeps them until
 * the other side has them, sends them again after a reconnect, and never sends more than the credit
 * that the other side has granted. Pure state: it makes frames, and its channel sends them.
 *
 * Bytes are copied once, into the frame that carries them. The frame is kept in case that it has to
 * be sent again. So no more is held than the credit, and what was written before the writer was
 * asked to wait.
 */
import { formatEnd, FRAME_HEAD_BYTES, makeData } from '../proto/channel-frame.mjs';
import { WireError } from '../proto/message.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Bytes} Bytes */

/**
 * Bytes that wait for credit. `taken` is called when they are in frames.
 * @typedef {{ bytes: Uint8Array, taken: () => void }} Written
 */

/**
 * A frame that was made, and the position of its first byte in this direction.
 * @typedef {{ start: number, frame: Bytes }} Kept
 */

export class Outflow {
  #channel;
  /** @type {Written[]} */
  #written = [];
  #writtenBytes = 0;
  /** How many bytes of the first of #written are in frames already. */
  #at = 0;
  /** @type {Kept[]} */
  #kept = [];
  /** Index in #kept of the first frame that was not sent on this connection. */
  #next = 0;
  /** How many bytes were ever put into frames. */
  #framed = 0;
  #received = 0;
  #limit = 0;
  /** Whether the other side has said on this connection what it has received. */
  #heard = false;
  #end = /** @type {'open' | 'wanted' | 'sent' | 'received'} */ ('open');
  #endIsOut = false;

  /** @param {number} channel the channel's number */
  constructor(channel) {
    this.#channel = channel;
  }

  /** How many bytes the other side has. */
  get received() {
    return Math.min(this.#received, this.#framed);
  }

  /** Whether all bytes were sent, and END. */
  get sent() {
    return this.#end === 'sent' || this.#end === 'received';
  }

  /** Whether the other side has all bytes and END. */
  get complete() {
    return this.#end === 'received';
  }

  /**
   * @param {Uint8Array} bytes must not change before `taken` is called
   * @param {() => void} taken called when there is room for more
   */
  write(bytes, taken) {
    this.#written.push({ bytes, taken });
    this.#writtenBytes += bytes.length;
  }

  /** Nothing more will be written. */
  end() {
    if (this.#end === 'open') this.#end = 'wanted';
  }

  /** The connection is lost, and with it perhaps what was sent on it. */
  detach() {
    this.#heard = false;
  }

  /**
   * The other side has received `received` bytes, and grants bytes up to `limit`.
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
   * The next frame that may be sent, or null.
   * @param {number} most bytes of the stream that a new frame may carry
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

  /** A new connection: all that the other side has not received is sent again. */
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

  /** Moves written bytes into a new frame. @param {number} length @returns {Bytes} */
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
