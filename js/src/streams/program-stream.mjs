// SPDX-License-Identifier: MIT
// @ts-check
/** A byte stream between the page and its program, both ways, which survives dropped connections as the session does. */
import { Duplex } from './duplex.mjs';
import { ServerConnectionError } from '../base/errors.mjs';
import { checkedName, parseableJson } from '../proto/message.mjs';

/**
 * @typedef {object} ProgramStreamOptions
 * @property {any} [data] anything JSON has: what the program is told of it
 * @property {AbortSignal} [signal] gives it up
 */

/** @typedef {{ channels: import('./channels.mjs').Channels, clock: import('../base/clock.mjs').Clock }} StreamHost */

/** The program, and the page, may be so far ahead of each other. */
const RECEIVE_BYTES = 1024 * 1024;
const SEND_BYTES = 64 * 1024;

/**
 * Bytes to the program and from it. Made by `ServerConnection.openStream()`.
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
   * @param {StreamHost} host the session that carries it
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
    this.#duplex = new Duplex(
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
    this.#opened.catch(() => {}); // whoever waits for `closed` alone has heard of it
    this.#duplex.closed.catch(() => {});
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
  }

  /** Fulfilled when the program has accepted it, with what it says of it, or null. @returns {Promise<any>} */
  get opened() {
    return this.#opened;
  }

  /** What the program sends: a byte stream. */
  get readable() {
    return this.#duplex.readable;
  }

  /** What is written here reaches the program; its writer waits while the program does not read. Closing it is the end. */
  get writable() {
    return this.#duplex.writable;
  }

  /** Fulfilled when both directions are over: `readable` read to its end or cancelled, `writable` closed. */
  get closed() {
    return this.#duplex.closed;
  }

  /** Bytes that were written and that the program's server is not known to have. */
  get bufferedAmount() {
    return this.#duplex.held;
  }

  /** Gives both directions up. @param {unknown} [reason] the `cause` of the errors */
  abort(reason) {
    this.#stopListening();
    this.#duplex.abort(reason);
  }
}

/** @param {string} name @param {import('../proto/channel-frame.mjs').Reset} reset @param {unknown} cause */
function failureOf(name, reset, cause) {
  const code = reset.reason === 'aborted' ? 'aborted' : 'stream-failed';
  const more = { data: reset, ...(cause !== undefined && { cause }) };
  return new ServerConnectionError(code, `${name}: ${reset.message ?? reset.reason}`, more);
}
