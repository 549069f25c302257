// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A channel as two web streams: `readable`, a byte stream whose reader decides how much arrives,
 * and `writable`, whose writer waits for the other side's credit. The two hold no bytes of their
 * own.
 *
 * `readable` is done when it was read to the end or cancelled, `writable` when it was closed and
 * the other side has all bytes. `closed` is fulfilled when both are done. If the other side still
 * sends then, its bytes are dropped, and after half a minute the channel is reset. abort() resets
 * the channel at once, and so does a write of something that is no bytes.
 */
import { Timer } from '../base/clock.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Reset} Reset */

/**
 * @typedef {object} DuplexOwner
 * @property {(data: any) => void} opened the other side has accepted the stream, and says this of
 *   it
 * @property {(reset: Reset, cause?: unknown) => Error} failed makes the error for all who wait;
 *   called once, and not after `closed` is fulfilled
 * @property {() => void} gone the channel is over; the last call
 */

/**
 * @typedef {object} DuplexOptions
 * @property {import('./channels.mjs').Channels} channels
 * @property {object} request what kind of stream is wanted, as OPEN says it
 * @property {number} receiveBuffer bytes that are held for the reader at most
 * @property {number} sendBuffer bytes that may be written before the writer is asked to wait
 * @property {import('../base/clock.mjs').Clock} clock
 */

/** Bytes that are copied at a time, as a written chunk may be large. */
const PIECE = 65_536;
const LINGER_MS = 30_000;

const GIVEN_UP = Object.freeze({ reason: 'aborted', message: 'the page has given it up' });

export class Duplex {
  /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */
  readable;
  /** @type {WritableStream<ArrayBufferLike | ArrayBufferView>} */
  writable;
  /** @type {Promise<void>} */
  closed;
  #channel;
  #owner;
  /** @type {any} */
  #reading;
  /** @type {any} */
  #writing;
  #written = 0;
  /** Answers the stream's pull() when bytes arrive. */
  #pull = () => {};
  /**
   * Ends the present write() or close(): all is sent, or, with an error, it has failed.
   * @type {(error?: Error) => void}
   */
  #proceed = () => {};
  #done = { reading: false, writing: false };
  #over = false;
  #settle = { resolve: () => {}, reject: (/** @type {Error} */ _error) => {} };
  #linger;

  /** @param {DuplexOptions} options @param {DuplexOwner} owner */
  constructor({ channels, request, receiveBuffer, sendBuffer, clock }, owner) {
    this.#owner = owner;
    this.#linger = new Timer(clock);
    this.closed = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#channel = channels.open(request, receiveBuffer, {
      opened: (data) => owner.opened(data),
      arrived: () => (this.#channel.drained ? this.#ended() : this.#pull()),
      delivered: () => this.#proceed(),
      over: (failure) => this.#channelOver(failure),
    });
    this.readable = byteStream({
      start: (controller) => void (this.#reading = controller),
      pull: () => this.#serve(),
      cancel: () => this.#cancel(),
    });
    this.writable = new WritableStream(
      {
        start: (controller) => this.#begin(controller),
        write: (chunk) => this.#write(chunk),
        close: () => this.#close(),
      },
      { highWaterMark: sendBuffer, size: (chunk) => this.#count(chunk) },
    );
  }

  /** Bytes that were written and that the other side is not known to have. */
  get held() {
    return this.#written - this.#channel.received;
  }

  /**
   * Gives up both directions.
   * @param {unknown} [cause] @param {Reset} [told] what the other side is told
   */
  abort(cause, told) {
    if (this.#over) return;
    const { reason, message } = told ?? GIVEN_UP;
    const reset = { reason, message };
    this.#channel.reset(reset);
    this.#fail(reset, cause);
  }

  /**
   * The size of a chunk. The stream calls this once for each chunk that is written.
   * @param {ArrayBufferLike | ArrayBufferView} chunk
   */
  #count(chunk) {
    const size = chunk?.byteLength ?? 1;
    this.#written += size;
    return size;
  }

  /** @param {WritableStreamDefaultController} controller */
  #begin(controller) {
    this.#writing = controller;
    // The stream's own abort() would wait for a write, which may wait for credit. Deferred, because
    // the stream is still at work.
    const { signal } = controller;
    signal.addEventListener('abort', () => queueMicrotask(() => this.abort(signal.reason)));
  }

  /** Gives the stream what was received, now or when it arrives. @returns {Promise<void> | void} */
  #serve() {
    const view = this.#reading.byobRequest?.view;
    const served = view ? this.#fill(view) : this.#enqueue();
    if (this.#channel.drained) this.#ended();
    if (served || this.#done.reading) return;
    return new Promise((resolve) => {
      this.#pull = () => {
        this.#pull = () => {};
        this.#serve();
        resolve();
      };
    });
  }

  /** @returns {boolean} */
  #enqueue() {
    const bytes = this.#channel.take(Infinity);
    if (bytes) this.#reading.enqueue(bytes);
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
    if (at > 0) this.#reading.byobRequest.respond(at);
    return at > 0;
  }

  /** The other side's direction is complete, and all of it was read. */
  #ended() {
    if (this.#done.reading) return;
    this.#directionDone('reading');
    this.#reading.close();
    this.#reading.byobRequest?.respond(0);
  }

  #cancel() {
    this.#channel.discard();
    this.#directionDone('reading');
  }

  /** @param {ArrayBufferLike | ArrayBufferView} chunk */
  async #write(chunk) {
    try {
      const bytes = bytesOf(chunk);
      const size = bytes.length;
      for (let at = 0; at < size; at += PIECE) {
        if (bytes.length !== size)
          throw new TypeError('these bytes have been given away while they were written');
        await this.#waitFor((taken) => this.#channel.write(bytes.slice(at, at + PIECE), taken));
      }
    } catch (error) {
      this.abort(error);
      throw error;
    }
  }

  /** Fulfilled when the other side has all bytes. */
  async #close() {
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
    this.#settle.resolve();
    if (!this.#over) this.#linger.set(LINGER_MS, () => this.abort());
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
      if (!this.#done.reading) this.#reading.error(error);
      this.#writing.error(error);
      this.#proceed(error);
      this.#settle.reject(error);
    }
    this.#gone();
  }

  #gone() {
    this.#over = true;
    this.#linger.clear();
    this.#owner.gone();
  }
}

/**
 * A byte stream. A browser that has none gets a stream without BYOB readers.
 * @param {{ start(controller: any): void, pull(): Promise<void> | void, cancel(): void }} source
 * @returns {ReadableStream<any>}
 */
function byteStream(source) {
  try {
    return new ReadableStream({ ...source, type: 'bytes' }, { highWaterMark: 0 });
  } catch {
    return new ReadableStream(source, { highWaterMark: 0 });
  }
}

/** @param {unknown} chunk @returns {Uint8Array} a view of the bytes */
export function bytesOf(chunk) {
  if (ArrayBuffer.isView(chunk))
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const type = Object.prototype.toString.call(chunk);
  if (type !== '[object ArrayBuffer]' && type !== '[object SharedArrayBuffer]')
    throw new TypeError('bytes are written: an ArrayBuffer or a view of one');
  return new Uint8Array(/** @type {ArrayBuffer} */ (chunk));
}
