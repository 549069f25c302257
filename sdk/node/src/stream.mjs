// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Byte streams between a page and its program (docs/page-programs/streams.md): files, and whatever
 * else is too large for an event.
 */
import { PageError } from './errors.mjs';
import { Queue } from './queue.mjs';

/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./queue.mjs').Room} Room
 */

/**
 * A byte stream of the page, such as a file: an async iterable of Buffers, and write(), end().
 * Reading or writing accepts it.
 */
export class PageStream {
  #post;
  #accepted = false;
  #ended = false;
  #over = false;
  /** @type {Queue<Message | null>} */
  #queue = new Queue();
  #heard;

  /**
   * @param {(head: string, data: unknown) => Room} post
   * @param {(size: number) => void} heard
   * @param {{ id: number, name: string, data?: any }} opened
   */
  constructor(post, heard, { id, name, data }) {
    this.#post = post;
    this.#heard = heard;
    this.id = id;
    this.name = name;
    this.data = data;
  }

  /** Lets it begin; `data` may say more to the page. @param {unknown} [data] */
  accept(data) {
    this.#accepted = true;
    return this.#post('.accept', { id: this.id, data });
  }

  /** The next bytes for the page. @param {ArrayBuffer | ArrayBufferView} bytes */
  write(bytes) {
    if (!this.#accepted) this.accept();
    return this.#post(`.stream/${this.id}`, bytes);
  }

  /** Nothing more is written. */
  end() {
    this.#ended = true;
    return this.#post('.end', { id: this.id });
  }

  /**
   * It is over at once, both ways; before accept(): it is refused.
   * @param {string} [reason]
   * @param {string} [message]
   */
  reset(reason = 'refused', message) {
    this.#over = true;
    return this.#post('.reset', { id: this.id, reason, message });
  }

  /**
   * What the page says, until its end. Throws `reset` or `ended`.
   * @returns {AsyncGenerator<Buffer, void, void>}
   */
  async *[Symbol.asyncIterator]() {
    if (!this.#accepted) this.accept();
    for (;;) {
      await this.#queue.wait();
      const message = this.#queue.items.shift();
      if (!message) throw new PageError('ended', 'the session is over');
      this.#heard(message.size);
      if (message.name === '.end') return;
      if (message.name === '.reset')
        throw new PageError('reset', message.data.message ?? message.data.reason, message.data);
      yield message.data;
    }
  }

  /** A line of it has come. @param {Message | null} message */
  take(message) {
    if (message?.name === '.reset') this.#over = true;
    this.#queue.push(message);
  }

  /** What nobody will read any more. */
  forget() {
    for (const message of this.#queue.items.splice(0)) if (message) this.#heard(message.size);
  }

  /** Its function has returned. */
  finish() {
    if (this.#over) return;
    if (!this.#accepted) this.reset();
    else if (!this.#ended) this.end();
  }
}

/**
 * The stream that a line is about, beyond its opening.
 * @param {Message} message
 * @returns {number | null}
 */
export function streamOf({ name, data }) {
  if (name.startsWith('.stream/')) return Number(name.slice(8));
  return name === '.end' || name === '.reset' ? data.id : null;
}
