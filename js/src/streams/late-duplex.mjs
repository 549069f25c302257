// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A byte stream as two web streams, `readable` and `writable`, which are there at once. What moves
 * the bytes (duplex.mjs) is a part of the client, and joins them when it is loaded; what is read,
 * written and closed waits for that, as it waits for a connection.
 */
import { loadPart, partHere } from '../base/parts.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Reset} Reset */
/** @typedef {import('./duplex.mjs').Duplex} Duplex */

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
 * @property {import('./late-channels.mjs').LateChannels} channels
 * @property {object} request what kind of stream is wanted, as OPEN says it
 * @property {number} receiveBuffer bytes that are held for the reader at most
 * @property {number} sendBuffer bytes that may be written before the writer is asked to wait
 * @property {import('../base/clock.mjs').Clock} clock
 */

/**
 * What a Duplex moves the bytes between, besides its channel.
 * @typedef {object} DuplexEnds
 * @property {any} reading the controller of `readable`
 * @property {any} writing the controller of `writable`
 * @property {{ resolve: () => void, reject: (error: Error) => void }} settle of `closed`
 */

/** @type {Readonly<Reset>} */
export const GIVEN_UP = Object.freeze({
  reason: 'aborted',
  message: 'the page has given it up',
});

export class LateDuplex {
  /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */
  readable;
  /** @type {WritableStream<ArrayBufferLike | ArrayBufferView>} */
  writable;
  /** @type {Promise<void>} */
  closed;
  #options;
  #owner;
  /** @type {DuplexEnds} */
  #ends;
  /** @type {Duplex | null} */
  #duplex = null;
  /** @type {Promise<Duplex>} */
  #joined;
  /** @type {{ resolve: (duplex: Duplex) => void, reject: (error: Error) => void }} */
  #join;
  #written = 0;
  #failed = false;

  /** @param {DuplexOptions} options @param {DuplexOwner} owner */
  constructor(options, owner) {
    this.#options = options;
    this.#owner = owner;
    const ends = (this.#ends = /** @type {any} */ ({}));
    this.closed = new Promise((resolve, reject) => (ends.settle = { resolve, reject }));
    this.#join = /** @type {any} */ (null);
    this.#joined = new Promise((resolve, reject) => (this.#join = { resolve, reject }));
    this.#joined.catch(() => {}); // reported by `closed`
    this.readable = byteStream({
      start: (controller) => void (ends.reading = controller),
      pull: () => this.#by((duplex) => duplex.serve()),
      cancel: () => this.#by((duplex) => duplex.cancel()),
    });
    this.writable = new WritableStream(
      {
        start: (controller) => this.#begin(controller),
        write: (chunk) => this.#by((duplex) => duplex.write(chunk)),
        close: () => this.#by((duplex) => duplex.close()),
      },
      { highWaterMark: options.sendBuffer, size: (chunk) => this.#count(chunk) },
    );
    const part = partHere('streams');
    if (part) this.#joinBy(part);
    else
      loadPart('streams').then(
        (part) => this.#joinBy(part),
        ({ code, message }) => this.#fail({ reason: code, message }),
      );
  }

  /** Bytes that were written and that the other side is not known to have. */
  get held() {
    return this.#written - (this.#duplex?.received ?? 0);
  }

  /**
   * Gives up both directions.
   * @param {unknown} [cause] @param {Reset} [told] what the other side is told
   */
  abort(cause, told) {
    const { reason, message } = told ?? GIVEN_UP;
    if (this.#duplex) this.#duplex.abort({ reason, message }, cause);
    else this.#fail({ reason, message }, cause);
  }

  /** @param {any} part */
  #joinBy(part) {
    if (this.#failed) return;
    const channels = this.#options.channels.by(part);
    this.#duplex = /** @type {Duplex} */ (
      new part.Duplex(channels, this.#options, this.#owner, this.#ends)
    );
    this.#join.resolve(this.#duplex);
  }

  /**
   * It is over before it has begun.
   * @param {Reset} reset @param {unknown} [cause]
   */
  #fail(reset, cause) {
    if (this.#failed) return;
    this.#failed = true;
    const error = this.#owner.failed(reset, cause);
    const { reading, writing, settle } = this.#ends;
    try {
      reading.error(error);
    } catch {
      // it was cancelled
    }
    writing.error(error);
    this.#join.reject(error);
    settle.reject(error);
    this.#owner.gone();
  }

  /** @template T @param {(duplex: Duplex) => T} run @returns {T | Promise<Awaited<T>>} */
  #by(run) {
    return this.#duplex
      ? run(this.#duplex)
      : /** @type {Promise<Awaited<T>>} */ (this.#joined.then(run));
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
    this.#ends.writing = controller;
    // The stream's own abort() would wait for a write, which may wait for credit. Deferred, because
    // the stream is still at work.
    const { signal } = controller;
    signal.addEventListener('abort', () => queueMicrotask(() => this.abort(signal.reason)));
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
