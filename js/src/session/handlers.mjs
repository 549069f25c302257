// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The calls that the program makes of this page: runs the page's handlers and sends their answers.
 * While the outgoing buffer is full, an answer waits for room, and no further answer is asked of a
 * generator.
 */
import { ServerConnectionError } from '../base/errors.mjs';
import { checkedName, formatAnswer, formatFailure, formatPart } from '../proto/message.mjs';

/** @typedef {(data: any, call: { name: string, signal: AbortSignal }) => any} Handler */

export class Handlers {
  /** @type {Map<string, Handler>} */
  #handlers = new Map();
  #ended = new AbortController();
  #outbox;
  #send;

  /**
   * @param {import('./outbox.mjs').Outbox} outbox tells when there is room
   * @param {(message: import('./outbox.mjs').Entry) => void} send throws if the outbox can't take
   *   it
   */
  constructor(outbox, send) {
    this.#outbox = outbox;
    this.#send = send;
  }

  /** @param {string} name @param {Handler | null} handler null removes the handler */
  set(name, handler) {
    checkedName(name);
    if (handler === null) this.#handlers.delete(name);
    else if (typeof handler === 'function') this.#handlers.set(name, handler);
    else throw new ServerConnectionError('bad-option', `a handler is a function: ${name}`);
  }

  /** @param {string} name */
  has(name) {
    return this.#handlers.has(name);
  }

  /**
   * Answers one call. Never throws or rejects.
   * @param {import('../proto/message.mjs').CallMessage} message
   */
  async serve({ name, call, data }) {
    const { signal } = this.#ended;
    try {
      const handler = this.#handlers.get(name);
      if (!handler) throw new Error(`no handler for ${name}`);
      const result = await handler(data, { name, signal });
      const last = isAsyncIterable(result) ? await this.#parts(call, result, signal) : result;
      await this.#queue(formatAnswer(call, last), signal);
    } catch (error) {
      // Fails only when the session is over, and then nobody is left to tell.
      await this.#queue(formatFailure(call, messageOf(error)), signal).catch(() => {});
    }
  }

  /** The session is over: aborts the signals and ends the generators. */
  close() {
    this.#ended.abort();
  }

  /** Another process takes the place of the program's, and has asked for none of this. */
  beginAgain() {
    this.#ended.abort();
    this.#ended = new AbortController();
  }

  /**
   * @param {number} call @param {AsyncIterable<any>} result @param {AbortSignal} signal
   * @returns {Promise<any>} what the generator returned
   */
  async #parts(call, result, signal) {
    const parts = result[Symbol.asyncIterator]();
    const stop = () => void parts.return?.()?.catch(() => {});
    signal.addEventListener('abort', stop);
    try {
      for (;;) {
        const { value, done } = await parts.next();
        if (done || signal.aborted) return value;
        await this.#queue(formatPart(call, value), signal);
      }
    } catch (error) {
      stop();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** @param {import('../proto/message.mjs').Outgoing} message @param {AbortSignal} signal */
  async #queue(message, signal) {
    for (;;) {
      if (signal.aborted) throw new ServerConnectionError('closed', 'the session is over');
      try {
        return this.#send({ ...message, mortal: true });
      } catch (error) {
        if (/** @type {any} */ (error).code !== 'buffer-full') throw error;
      }
      await this.#outbox.whenRoom(message.size);
    }
  }
}

/** @param {any} value @returns {value is AsyncIterable<any>} */
function isAsyncIterable(value) {
  return (
    typeof value === 'object' && value !== null && typeof value[Symbol.asyncIterator] === 'function'
  );
}

/** @param {any} error anything that a handler has thrown */
function messageOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return 'the handler failed';
  }
}
