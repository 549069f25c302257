// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The calls that this page makes of the program: numbers the calls and matches the answers. A call
 * that was given up is forgotten. The program is not told of that, and its late answers are
 * ignored.
 */
import { Timer } from '../base/clock.mjs';
import { ServerConnectionError } from '../base/errors.mjs';
import { formatCall } from '../proto/message.mjs';

/** @typedef {import('../proto/message.mjs').AnswerMessage} AnswerMessage */
/** @typedef {{ timeout?: number, signal?: AbortSignal }} CallOptions */

/**
 * Waits for the answers to one call. `take` returns whether that was the last answer; `hasBegun`:
 * whether some have come, and would come again from another process.
 * @typedef {{ take: (message: AnswerMessage, size: number) => boolean, fail: (error:
 *   ServerConnectionError) => void, hasBegun?: boolean }} Waiter
 */

export class Calls {
  /** @type {Map<number, Waiter>} */
  #waiters = new Map();
  #made = 0;
  #send;
  #clock;
  #streamLimit;

  /**
   * @param {(message: import('./outbox.mjs').Entry) => void} send throws if the outbox can't take
   *   it
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {number} streamLimit bytes of answers that a stream() holds for a slow reader
   */
  constructor(send, clock, streamLimit) {
    this.#send = send;
    this.#clock = clock;
    this.#streamLimit = streamLimit;
  }

  /**
   * @param {string} name @param {any} data @param {CallOptions} [options] @returns {Promise<any>}
   */
  async call(name, data, options = {}) {
    return new Promise((resolve, reject) => {
      const deadline = new Deadline(this.#clock, options);
      const take = (/** @type {AnswerMessage} */ message) => {
        deadline.clear();
        if (message.kind === 'answer') resolve(message.data);
        else if (message.kind === 'failure') reject(remoteError(message.data));
        else
          reject(
            new ServerConnectionError(
              'several-answers',
              `${name} gives several answers: use stream()`,
            ),
          );
        return true;
      };
      const fail = (/** @type {ServerConnectionError} */ error) => (
        deadline.clear(),
        reject(error)
      );
      const number = this.#make(name, data, { take, fail });
      deadline.start((error) => this.#giveUp(number, error));
    });
  }

  /**
   * @param {string} name @param {any} data @param {CallOptions} [options] @returns {AnswerStream}
   */
  stream(name, data, options = {}) {
    const deadline = new Deadline(this.#clock, options);
    const stream = new AnswerStream(this.#streamLimit, deadline, () =>
      this.#waiters.delete(number),
    );
    const number = this.#make(name, data, stream);
    deadline.start((error) => this.#giveUp(number, error));
    return stream;
  }

  /**
   * An answer has arrived.
   * @param {AnswerMessage} message @param {number} size of the message in bytes
   * @returns {boolean} false: no such call was ever made
   */
  take(message, size) {
    const waiter = this.#waiters.get(message.call);
    if (!waiter) return message.call < this.#made;
    if (waiter.take(message, size)) this.#waiters.delete(message.call);
    return true;
  }

  /**
   * Another process takes the place of the program's. It is asked again for what has no answer yet.
   * @param {ServerConnectionError} error
   */
  beginAgain(error) {
    for (const [number, { hasBegun }] of [...this.#waiters])
      if (hasBegun) this.#giveUp(number, error);
  }

  /** The session is over: rejects every call. @param {ServerConnectionError} error */
  close(error) {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.fail(error);
  }

  /** @param {string} name @param {any} data @param {Waiter} waiter */
  #make(name, data, waiter) {
    const number = this.#made;
    const message = formatCall(name, number, data);
    this.#send({
      ...message,
      refused: (error) => this.#giveUp(number, error),
      isWaiting: () => this.#waiters.has(number),
    });
    this.#made++;
    this.#waiters.set(number, waiter);
    return number;
  }

  /** @param {number} number @param {ServerConnectionError} error */
  #giveUp(number, error) {
    const waiter = this.#waiters.get(number);
    this.#waiters.delete(number);
    waiter?.fail(error);
  }
}

/** How long the caller waits: until the timeout, or until the signal is aborted. */
class Deadline {
  #timer;
  #timeout;
  #signal;
  #giveUp = (/** @type {ServerConnectionError} */ _error) => {};

  /**
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {CallOptions} options
   * @throws {ServerConnectionError} `aborted`, `bad-option`
   */
  constructor(clock, { timeout, signal }) {
    if (timeout !== undefined && !(timeout >= 0))
      throw new ServerConnectionError('bad-option', 'timeout: milliseconds');
    if (signal?.aborted) throw abortedError(signal);
    this.#timer = new Timer(clock);
    this.#timeout = timeout;
    this.#signal = signal;
  }

  /** @param {(error: ServerConnectionError) => void} giveUp */
  start(giveUp) {
    this.#giveUp = giveUp;
    this.#signal?.addEventListener('abort', this.#onabort);
    this.restart();
  }

  /** Starts the timeout again: an answer has arrived, and more are to follow. */
  restart() {
    const timeout = this.#timeout;
    if (timeout === undefined || timeout === Infinity) return;
    this.#timer.set(timeout, () =>
      this.#giveUp(new ServerConnectionError('timeout', `no answer in ${timeout} ms`)),
    );
  }

  clear() {
    this.#timer.clear();
    this.#signal?.removeEventListener('abort', this.#onabort);
  }

  #onabort = () => this.#giveUp(abortedError(/** @type {AbortSignal} */ (this.#signal)));
}

/**
 * The several answers to a call, as an async iterator. Answers that were not read yet are held up
 * to a limit of bytes; beyond it the stream fails with `overrun`. The call is given up when the
 * reader leaves a `for await` early, or calls return().
 * @implements {AsyncIterableIterator<any>}
 */
export class AnswerStream {
  /** @type {Array<{ data: any, size: number }>} */
  #parts = [];
  #held = 0;
  /**
   * @type {Array<{ resolve: (result: IteratorResult<any>) => void, reject: (error: Error) => void
   *   }>}
   */
  #readers = [];
  #over = false;
  /** Whether an answer has come. */
  hasBegun = false;
  /** @type {ServerConnectionError | null} */
  #error = null;
  #limit;
  #deadline;
  #forget;

  /**
   * @param {number} limit @param {Deadline} deadline
   * @param {() => void} forget removes this call from the waiters
   */
  constructor(limit, deadline, forget) {
    this.#limit = limit;
    this.#deadline = deadline;
    this.#forget = forget;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<any>>} */
  next() {
    const part = this.#parts.shift();
    if (part) {
      this.#held -= part.size;
      return Promise.resolve({ value: part.data, done: false });
    }
    const error = this.#error;
    this.#error = null; // thrown once, as by a generator
    if (error) return Promise.reject(error);
    if (this.#over) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Gives up the call. @returns {Promise<IteratorResult<any>>} */
  return() {
    this.#parts = [];
    this.#error = null;
    if (!this.#over) this.#forget();
    this.#end();
    return Promise.resolve(DONE);
  }

  /**
   * @param {AnswerMessage} message @param {number} size
   * @returns {boolean} whether that was the last answer
   */
  take(message, size) {
    if (message.kind === 'failure') return this.#finish(remoteError(message.data));
    const last = message.kind === 'answer';
    this.hasBegun = true;
    if (!(last && message.bare)) this.#add(message.data, size);
    if (last || this.#over) return this.#finish(null);
    this.#deadline.restart();
    return false;
  }

  /** @param {ServerConnectionError} error */
  fail(error) {
    this.#finish(error);
  }

  /** @param {any} data @param {number} size */
  #add(data, size) {
    const reader = this.#readers.shift();
    if (reader) return reader.resolve({ value: data, done: false });
    if (this.#held + size > this.#limit) {
      const problem = `${this.#held} bytes of answers were not read; the stream holds ${this.#limit}`;
      return void this.#finish(new ServerConnectionError('overrun', problem));
    }
    this.#held += size;
    this.#parts.push({ data, size });
  }

  /** @param {ServerConnectionError | null} error */
  #finish(error) {
    if (this.#over) return true;
    const reader = error && this.#readers.shift();
    if (reader) reader.reject(/** @type {Error} */ (error));
    else this.#error = error;
    this.#end();
    return true;
  }

  #end() {
    this.#over = true;
    this.#deadline.clear();
    for (const { resolve } of this.#readers.splice(0)) resolve(DONE);
  }
}

const DONE = Object.freeze({ value: undefined, done: true });

/** @param {any} data the program's error */
function remoteError(data) {
  const message =
    typeof data?.message === 'string' ? data.message : 'the program answered with an error';
  return new ServerConnectionError('remote', message, { data });
}

/** @param {AbortSignal} signal */
function abortedError(signal) {
  return new ServerConnectionError('aborted', 'the call was given up', { cause: signal.reason });
}
