// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A byte stream between the page and its program, in both directions. The stream survives dropped
 * connections, as the session does.
 */
import { LateDuplex } from './late-duplex.mjs';
import { ServerConnectionError } from '../base/errors.mjs';
import { checkedName, parseableJson } from '../proto/message.mjs';

/**
 * @typedef {object} ProgramStreamOptions
 * @property {any} [data] anything JSON has: what the program is told of the stream
 * @property {AbortSignal} [signal] gives up the stream when it is aborted
 */

/**
 * @typedef {object} StreamHost
 * @property {import('./late-channels.mjs').LateChannels} channels
 * @property {import('../base/clock.mjs').Clock} clock
 */

/** How many bytes the program, and the page, may send before the other reads them. */
const RECEIVE_BYTES = 1024 * 1024;
const SEND_BYTES = 64 * 1024;

/**
 * A byte stream to and from the program. Made by `ServerConnection.openStream()`.
 *
 *     const s = c.openStream("upload", { data: { name: "a.txt" } });
 *     await s.opened;
 *     await file.stream().pipeTo(s.writable);
 *     await s.closed;
 */
export class ProgramStream {
  #duplex;
  #opened;
  #stopListening;

  /**
   * @param {StreamHost} host of the session that carries the stream
   * @param {string} name @param {ProgramStreamOptions} options
   */
  constructor({ channels, clock }, name, { data, signal }) {
    const request = {
      kind: 'stream',
      name: checkedName(name),
      ...(data !== undefined && { data: parseableJson(data) }),
    };
    let accept = (/** @type {any} */ _data) => {};
    let refuse = (/** @type {Error} */ _error) => {};
    this.#opened = new Promise((resolve, reject) => ([accept, refuse] = [resolve, reject]));
    const abort = () => this.abort(signal?.reason);
    this.#stopListening = () => signal?.removeEventListener('abort', abort);
    this.#duplex = new LateDuplex(
      { channels, request, receiveBuffer: RECEIVE_BYTES, sendBuffer: SEND_BYTES, clock },
      {
        opened: (info) => accept(info?.data ?? null),
        failed: (reset, cause) => {
          const error = failureOf(name, reset, cause);
          refuse(error);
          return error;
        },
        gone: () => this.#stopListening(),
      },
    );
    this.#opened.catch(() => {}); // reported by `closed` too
    this.#duplex.closed.catch(() => {});
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
  }

  /**
   * Fulfilled when the program has accepted the stream, with the data that it accepts it with, or
   * null.
   * @returns {Promise<any>}
   */
  get opened() {
    return this.#opened;
  }

  /** What the program sends: a byte stream. */
  get readable() {
    return this.#duplex.readable;
  }

  /**
   * What the page sends. The writer waits while the program does not read. Closing `writable` tells
   * the program that this was all.
   */
  get writable() {
    return this.#duplex.writable;
  }

  /**
   * Fulfilled when both directions are done: `readable` was read to its end or cancelled,
   * `writable` was closed.
   */
  get closed() {
    return this.#duplex.closed;
  }

  /** Bytes that were written and that the program's server is not known to have. */
  get bufferedAmount() {
    return this.#duplex.held;
  }

  /**
   * Gives up both directions.
   * @param {unknown} [reason] becomes the `cause` of the errors
   * @param {import('../proto/channel-frame.mjs').Reset} [told] what the program is told
   */
  abort(reason, told) {
    this.#stopListening();
    this.#duplex.abort(reason, told);
  }
}

/**
 * @param {string} name @param {import('../proto/channel-frame.mjs').Reset} reset
 * @param {unknown} cause
 */
function failureOf(name, reset, cause) {
  const code = reset.reason === 'aborted' ? 'aborted' : 'stream-failed';
  const more = { data: reset, ...(cause !== undefined && { cause }) };
  return new ServerConnectionError(code, `${name}: ${reset.message ?? reset.reason}`, more);
}
