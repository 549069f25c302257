// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Joins a channel with two web streams (late-duplex.mjs): `readable`, a byte stream whose reader
 * decides how much arrives, and `writable`, whose writer waits for the other side's credit. The two
 * hold no bytes of their own.
 *
 * `readable` is done when it was read to the end or cancelled, `writable` when it was closed and
 * the other side has all bytes. `closed` is fulfilled when both are done. If the other side still
 * sends then, its bytes are dropped, and after half a minute the channel is reset. abort() resets
 * the channel at once, and so does a write of something that is no bytes.
 */
import { Timer } from '../base/clock.mjs';
import { bytesOf, GIVEN_UP } from './late-duplex.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Reset} Reset */

/** Bytes that are copied at a time, as a written chunk may be large. */
const PIECE = 65_536;
const LINGER_MS = 30_000;

export class Duplex {
  #ends;
  #channel;
  #owner;
  /** Answers the stream's pull() when bytes arrive. */
  #pull = () => {};
  /**
   * Ends the present write() or close(): all is sent, or, with an error, it has failed.
   * @type {(error?: Error) => void}
   */
  #proceed = () => {};
  #done = { reading: false, writing: false };
  #over = false;
  #linger;

  /**
   * @param {import('./channels.mjs').Channels} channels
   * @param {import('./late-duplex.mjs').DuplexOptions} options
   * @param {import('./late-duplex.mjs').DuplexOwner} owner
   * @param {import('./late-duplex.mjs').DuplexEnds} ends
   */
  constructor(channels, { request, receiveBuffer, clock }, owner, ends) {
    this.#ends = ends;
    this.#owner = owner;
    this.#linger = new Timer(clock);
    this.#channel = channels.open(request, receiveBuffer, {
      opened: (data) => owner.opened(data),
      arrived: () => (this.#channel.drained ? this.#ended() : this.#pull()),
      delivered: () => this.#proceed(),
      over: (failure) => this.#channelOver(failure),
    });
  }

  /** How many of the bytes that were written the other side has. */
  get received() {
    return this.#channel.received;
  }

  /**
   * Gives up both directions.
   * @param {Reset} reset what the other side is told @param {unknown} [cause]
   */
  abort(reset, cause) {
    if (this.#over) return;
    this.#channel.reset(reset);
    this.#fail(reset, cause);
  }

  /** Gives the stream what was received, now or when it arrives. @returns {Promise<void> | void} */
  serve() {
    const view = this.#ends.reading.byobRequest?.view;
    const served = view ? this.#fill(view) : this.#enqueue();
    if (this.#channel.drained) this.#ended();
    if (served || this.#done.reading) return;
    return new Promise((resolve) => {
      this.#pull = () => {
        this.#pull = () => {};
        this.serve();
        resolve();
      };
    });
  }

  /** @returns {boolean} */
  #enqueue() {
    const bytes = this.#channel.take(Infinity);
    if (bytes) this.#ends.reading.enqueue(bytes);
    return bytes !== null;
  }

  /**
   * Fills the buffer of a BYOB reader with what was received.
   * @param {ArrayBufferView<ArrayBuffer>} view
   * @returns {boolean}
   */
  #fill({ buffer, byteOffset, byteLength }) {
    const into = new Uint8Array(buffer, byteOffset, byteLength);
    let at = 0;
    for (
      let bytes;
      at < into.length && (bytes = this.#channel.take(into.length - at));
      at += bytes.length
    )
      into.set(bytes, at);
    if (at > 0) this.#ends.reading.byobRequest.respond(at);
    return at > 0;
  }

  /** The other side's direction is complete, and all of it was read. */
  #ended() {
    if (this.#done.reading) return;
    this.#directionDone('reading');
    this.#ends.reading.close();
    this.#ends.reading.byobRequest?.respond(0);
  }

  /** Nobody reads any more. */
  cancel() {
    this.#channel.discard();
    this.#directionDone('reading');
  }

  /** @param {ArrayBufferLike | ArrayBufferView} chunk */
  async write(chunk) {
    try {
      const bytes = bytesOf(chunk);
      const size = bytes.length;
      for (let at = 0; at < size; at += PIECE) {
        if (bytes.length !== size)
          throw new TypeError('these bytes have been given away while they were written');
        await this.#waitFor((taken) => this.#channel.write(bytes.slice(at, at + PIECE), taken));
      }
    } catch (error) {
      this.abort(GIVEN_UP, error);
      throw error;
    }
  }

  /** Fulfilled when the other side has all bytes. */
  async close() {
    await this.#waitFor(() => this.#channel.end());
    this.#directionDone('writing');
  }

  /** @param {(done: () => void) => void} begin @returns {Promise<void>} */
  #waitFor(begin) {
    return new Promise((resolve, reject) => {
      this.#proceed = (error) => (error ? reject(error) : resolve());
      begin(() => resolve());
    });
  }

  /** One direction is done. @param {'reading' | 'writing'} which */
  #directionDone(which) {
    this.#done[which] = true;
    if (!this.#done.reading || !this.#done.writing) return;
    this.#ends.settle.resolve();
    if (!this.#over) this.#linger.set(LINGER_MS, () => this.abort(GIVEN_UP));
  }

  /** The channel is over. @param {Reset | null} failure */
  #channelOver(failure) {
    if (failure) return this.#fail(failure);
    this.#gone();
  }

  /** @param {Reset} reset @param {unknown} [cause] */
  #fail(reset, cause) {
    if (!this.#done.reading || !this.#done.writing) {
      const error = this.#owner.failed(reset, cause);
      if (!this.#done.reading) this.#ends.reading.error(error);
      this.#ends.writing.error(error);
      this.#proceed(error);
      this.#ends.settle.reject(error);
    }
    this.#gone();
  }

  #gone() {
    this.#over = true;
    this.#linger.clear();
    this.#owner.gone();
  }
}
