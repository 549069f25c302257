// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The calls that the program makes of this page: finds who handles them and sends what they answer. Where the
 * outgoing buffer is full, an answer waits for room, and a generator is not asked for its next one meanwhile.
 */
import { ServerConnectionError } from '../base/errors.mjs';
import { checkedName, formatAnswer, formatFailure, formatPart } from '../proto/message.mjs';

/** @typedef {(data: any, call: { name: string, signal: AbortSignal }) => any} Handler */

export class Handlers {
  /** @type {Map<string, Handler>} */
  #handlers = new Map();
  #over = new AbortController();
  #outbox;
  #send;

  /**
   * @param {import('./outbox.mjs').Outbox} outbox where to wait for room
   * @param {(message: import('./outbox.mjs').Entry) => void} send throws if it can't be queued
   */
  constructor(outbox, send) {
    this.#outbox = outbox;
    this.#send = send;
  }

  /** @param {string} name @param {Handler | null} handler null takes it away */
  set(name, handler) {
    checkedName(name);
    if (handler === null) this.#handlers.delete(name);
    else if (typeof handler === 'function') this.#handlers.set(name, handler);
    else throw new ServerConnectionError('bad-option', `a handler is a function: ${name}`);
  }

  /** Answers one call; never throws and never rejects. @param {import('../proto/message.mjs').CallMessage} message */
  async serve({ name, call, data }) {
    try {
      const handler = this.#handlers.get(name);
      if (!handler) throw new Error(`no handler for ${name}`);
      const result = await handler(data, { name, signal: this.#over.signal });
      const last = isAsyncIterable(result) ? await this.#parts(call, result) : result;
      await this.#answer(formatAnswer(call, last));
    } catch (error) {
      await this.#answer(formatFailure(call, messageOf(error))).catch(() => {}); // the session is over: nobody to tell
    }
  }

  /** The session is over: signals are aborted, generators are told to return. */
  close() {
    this.#over.abort();
  }

  /** @param {number} call @param {AsyncIterable<any>} result @returns {Promise<any>} what the generator returned */
  async #parts(call, result) {
    const parts = result[Symbol.asyncIterator]();
    const stop = () => void parts.return?.()?.catch(() => {});
    this.#over.signal.addEventListener('abort', stop);
    try {
      for (;;) {
        const { value, done } = await parts.next();
        if (done || this.#over.signal.aborted) return value;
        await this.#answer(formatPart(call, value));
      }
    } catch (error) {
      stop();
      throw error;
    } finally {
      this.#over.signal.removeEventListener('abort', stop);
    }
  }

  /** @param {import('../proto/message.mjs').Outgoing} message */
  async #answer(message) {
    for (;;) {
      if (this.#over.signal.aborted)
        throw new ServerConnectionError('closed', 'the session is over');
      try {
        return this.#send(message);
      } catch (error) {
        if (/** @type {any} */ (error).code !== 'buffer-full') throw error;
      }
      await this.#outbox.room(message.size);
    }
  }
}

/** @param {any} value @returns {value is AsyncIterable<any>} */
function isAsyncIterable(value) {
  return (
    typeof value === 'object' && value !== null && typeof value[Symbol.asyncIterator] === 'function'
  );
}

/** @param {any} error whatever was thrown */
function messageOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return 'the handler failed';
  }
}
