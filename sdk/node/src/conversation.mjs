// SPDX-License-Identifier: MIT
// @ts-check
/** The conversation with a page: events, calls, listeners, topics. Each kind of program has it. */
import { PageError } from './errors.mjs';
import { Handlers } from './handlers.mjs';
import { Queue, Room } from './queue.mjs';
import { State } from './state.mjs';
import { streamOf } from './stream.mjs';
import { checked } from './wire.mjs';

const CALL_MS = 30_000;

/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./functions.mjs').Handler} Handler
 * @typedef {{ timeout?: number, signal?: AbortSignal }} CallOptions milliseconds, 30 s unless said
 *   otherwise; Infinity: no limit
 * @typedef {{ as?: string, select?: string, target?: string, fields?: string[],
 *   keys?: string | string[], prevent?: boolean, stop?: boolean, once?: boolean, files?: 'stream',
 *   passive?: boolean, capture?: boolean, coalesce?: boolean, throttle?: number,
 *   debounce?: number, maxAge?: number, busy?: boolean, modifiers?: 'any' | string[],
 *   margin?: string, threshold?: number }} ListenOptions
 * @typedef {{ history?: number, last?: boolean, presence?: unknown, watch?: boolean,
 *   self?: boolean, to?: 'page' }} SubscribeOptions
 * @typedef {(event: string, data?: unknown, options?: { keep?: boolean }) => Room} Publish
 * @typedef {{ name: string, publish: Publish, presence: (handler: Handler) => void,
 *   subscribed: (handler: Handler) => void, stop: () => Room }} Topic
 */

export class Conversation extends Handlers {
  over = false;
  /** Streams whose function runs. @type {Map<number, import('./stream.mjs').PageStream>} */
  streams = new Map();
  /** For the helper's own use. @type {State} */
  saving;
  #connection;
  #lead;
  #numbers = 0;
  /** @type {Map<number, Queue<Message | null>>} */
  #waiting = new Map();

  /**
   * @param {import('./connection.mjs').Connection} connection
   * @param {import('./functions.mjs').Functions} functions
   * @param {string} [lead] of each line
   * @param {boolean} [restoring] it goes on from a state, which is to come
   */
  constructor(connection, functions, lead = '', restoring = false) {
    super(functions);
    this.saving = new State(connection, lead, restoring);
    this.#connection = connection;
    this.#lead = lead;
  }

  // -- the state --

  /**
   * What outlives the process: JSON, at first `{}`. It is saved when it has changed, after each
   * function, and is there again before the functions of the next process run.
   * @returns {any}
   */
  get state() {
    return this.saving.value;
  }

  set state(value) {
    this.saving.value = value;
  }

  /** What is being heard may have been seen by a process before this one. @returns {boolean} */
  get resent() {
    return this.saving.resent;
  }

  /** Saves the state now, if it has changed: in the midst of a long function. */
  save() {
    this.saving.save();
  }

  // -- what it says --

  /**
   * An event for the page: JSON, or bytes as bytes. It is queued at once; `await page.send(…)`
   * waits while the page is slower than the program. After the end of the session nothing is sent,
   * and awaiting rejects with `ended`.
   * @param {string} name
   * @param {unknown} [data]
   */
  send(name, data) {
    return this.post(checked(name), data);
  }

  /** The session is over; the page is told why. @param {string} [reason] */
  close(reason) {
    return this.post('.close', reason ? { reason } : undefined);
  }

  // -- the page's document --

  /**
   * Hears these events of the page's document; times are milliseconds. They come to `handler`, or,
   * without one, as events of the name `as`.
   * @param {string | string[]} on
   * @param {string | ListenOptions | null} [select] a selector, or all options
   * @param {ListenOptions | Handler} [options]
   * @param {Handler} [handler]
   * @returns {{ name: string, stop: () => Room }}
   */
  listen(on, select, options, handler) {
    if (typeof options === 'function') return this.listen(on, select, {}, options);
    const all = { ...(typeof select === 'string' ? { select } : select), ...options };
    const name = checked(
      all.as ?? `${typeof on === 'string' && /^\w+$/.test(on) ? on : 'heard'}:${++this.#numbers}`,
    );
    if (handler) this.functions.keep('event', name, handler);
    this.post('.listen', { on, ...all, as: name });
    return { name, stop: () => this.unlisten({ as: name }) };
  }

  /**
   * No more of what listen() began and all of this fits.
   * @param {{ on?: string | string[], as?: string, select?: string, target?: string }} which
   */
  unlisten(which) {
    return this.post('.unlisten', which);
  }

  /**
   * Changes the page's document, all in one frame.
   * @param {...Record<string, unknown>} operations
   */
  dom(...operations) {
    return this.post('.dom', operations.length === 1 ? operations[0] : operations);
  }

  // -- topics --

  /**
   * Hears what programs of this server publish in the topic: {event, data, from, seq, time, …}.
   * Options are those of `.subscribe`.
   * @param {string} topic
   * @param {SubscribeOptions | Handler} [options]
   * @param {Handler} [handler]
   * @returns {Topic}
   */
  subscribe(topic, options = {}, handler) {
    if (typeof options === 'function') return this.subscribe(topic, {}, options);
    if (handler) this.functions.ofTopic('.topic', topic, handler);
    this.post('.subscribe', { topic, ...options });
    return {
      name: topic,
      publish: (event, data, more) => this.publish(topic, event, data, more),
      presence: (heard) => this.functions.ofTopic('.presence', topic, heard),
      subscribed: (heard) => this.functions.ofTopic('.subscribed', topic, heard),
      stop: () => this.unsubscribe(topic),
    };
  }

  /** @param {string} topic */
  unsubscribe(topic) {
    this.functions.forgetTopic(topic);
    return this.post('.unsubscribe', { topic });
  }

  /**
   * An event for all that are subscribed to the topic. `keep: true`: it is the topic's last value.
   * @param {string} topic
   * @param {string} event
   * @param {unknown} [data]
   * @param {{ keep?: boolean }} [options]
   */
  publish(topic, event, data, options) {
    return this.post('.publish', { topic, event: checked(event), data, ...options });
  }

  // -- TCPConnections of the page --

  /** The page's TCPConnections are refused, all of them. @param {number} [retry] seconds */
  refuseTcp(retry) {
    return this.post('.tcp', { allow: false, retryAfter: retry });
  }

  // -- calls --

  /**
   * The page's answer.
   * @param {string} name
   * @param {unknown} [data]
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  async call(name, data, options) {
    for await (const message of this.#answersTo(name, data, options)) {
      if (message.kind === 'part')
        throw new PageError('several-answers', `${name} gives several answers: use stream()`);
      return message.data;
    }
  }

  /**
   * The page's several answers; `timeout` counts from one to the next.
   * Leaving the loop gives the call up.
   * @param {string} name
   * @param {unknown} [data]
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<any, void, void>}
   */
  async *stream(name, data, options) {
    for await (const message of this.#answersTo(name, data, options))
      if (message.kind === 'part' || !message.bare) yield message.data;
  }

  /**
   * @param {string} name
   * @param {unknown} data
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<Message, void, void>}
   */
  async *#answersTo(name, data, { timeout = CALL_MS, signal } = {}) {
    if (signal?.aborted) throw new PageError('aborted', `${name}: aborted`);
    const number = ++this.#numbers;
    /** @type {Queue<Message | null>} */
    const answers = new Queue();
    this.#waiting.set(number, answers);
    this.#connection.noteCall(1);
    try {
      await this.post(`${checked(name)}?${number}`, data);
      for (;;) {
        await answers.wait(timeout, signal);
        const message = answers.items.shift();
        if (message === null || (!message && this.over))
          throw new PageError('ended', 'the session is over');
        if (!message)
          throw signal?.aborted
            ? new PageError('aborted', `${name}: aborted`)
            : new PageError('timeout', `${name}: no answer in ${timeout} ms`);
        if (message.kind === 'failure')
          throw new PageError(
            'remote',
            String(message.data?.message ?? 'the call failed'),
            message.data,
          );
        yield message;
        if (message.kind === 'answer') return;
      }
    } finally {
      this.#waiting.delete(number);
      this.#connection.noteCall(-1);
    }
  }

  // -- for the helper's own use --

  /** A line. @param {string} head @param {unknown} [data] @returns {Room} */
  post(head, data) {
    if (!this.over) this.#connection.post(this.#lead + head, data);
    this.saving.saveSoon();
    return new Room(() => this.room());
  }

  /** Resolves when the page has room; rejects with `ended`. @returns {Promise<void>} */
  async room() {
    await this.#connection.drain();
    if (this.over) throw new PageError('ended', 'the session is over');
  }

  /** Bytes that wait for a function have been heard, or given up. @param {number} size */
  noteHeard(size) {
    this.#connection.noteUnheard(-size);
  }

  /**
   * Whether it was for somebody who waits, and for no function.
   * @param {Message} message
   * @returns {boolean}
   */
  take(message) {
    this.saving.number(message);
    if (message.kind === 'answer' || message.kind === 'part' || message.kind === 'failure') {
      this.#waiting.get(message.call)?.push(message); // one that was given up is passed over
      return true;
    }
    const number = message.kind === 'system' ? streamOf(message) : null;
    const stream = number === null ? undefined : this.streams.get(number);
    if (stream) {
      this.#connection.noteUnheard(message.size);
      stream.take(message);
    }
    return number !== null;
  }

  /** The session is over: whoever waits hears it. */
  endConversation() {
    this.over = true;
    this.saving.end();
    for (const answers of this.#waiting.values()) answers.push(null);
    for (const stream of this.streams.values()) stream.take(null);
  }
}
