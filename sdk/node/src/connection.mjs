// SPDX-License-Identifier: MIT
// @ts-check
/** Descriptor 3: lines in, lines out, and who waits when one side is slower. */
import fs from 'node:fs';
import net from 'node:net';
import { PageError } from './errors.mjs';
import { line, Reader } from './wire.mjs';

const READ_AHEAD = 1024 * 1024; // bytes not heard yet; beyond that the page waits
const READ_AHEAD_CALLING = 16 * READ_AHEAD; // the same while an answer is waited for
const OUT_MAX = 64 * 1024 * 1024; // bytes that were sent without waiting

export class Connection {
  over = false;
  #fd;
  #sort;
  /** @type {net.Socket | null} */
  #socket = null;
  #reader = new Reader();
  #unheard = 0; // bytes
  #calls = 0; // that wait for an answer
  /** @type {Array<() => void>} */
  #drains = [];

  /**
   * @param {number} fd
   * @param {(message: import('./wire.mjs').Message | null) => void} sort
   *   is called with each message, and with null at the end
   */
  constructor(fd, sort) {
    this.#fd = fd;
    this.#sort = sort;
  }

  /** @returns {net.Socket} */
  connect() {
    if (this.#socket) return this.#socket;
    if (!(this.#fd >= 0))
      throw new PageError(
        'ended',
        'there is no page to talk with: this program is to be started by httpsocketd',
      );
    const socket = (this.#socket = new net.Socket({ fd: this.#fd }));
    socket.on('data', (chunk) => {
      for (const message of this.#reader.feed(/** @type {Buffer} */ (chunk))) this.#sort(message);
    });
    socket.on('drain', () => this.#wakeWriters());
    socket.on('error', () => this.#finish()); // the server is gone: as its end of file
    for (const event of ['end', 'close']) socket.on(event, () => this.#finish());
    return socket;
  }

  /** @param {string} head @param {unknown} data */
  post(head, data) {
    this.write(line(head, data));
  }

  /** Whole lines, maybe none. @param {Buffer} whole */
  write(whole) {
    const socket = this.connect();
    if (socket.writableLength > OUT_MAX)
      throw new PageError(
        'buffer-full',
        `${OUT_MAX} bytes wait for the page: await what send() gives`,
      );
    if (!this.over && whole.length) socket.write(whole);
  }

  /** The process is about to end, and waits for nothing. @param {Buffer} whole */
  writeLast(whole) {
    try {
      if (!this.over && whole.length) fs.writeSync(this.#fd, whole);
    } catch {
      // The server is slower, or gone.
    }
  }

  /** The server has not taken all yet. */
  get isBehind() {
    return this.#socket?.writableNeedDrain ?? false;
  }

  /** Resolves when the server has taken enough; rejects with `ended`. */
  async drain() {
    if (!this.over && this.connect().writableNeedDrain)
      await new Promise((resolve) => this.#drains.push(() => resolve(undefined)));
    if (this.over) throw new PageError('ended', 'the session is over');
  }

  /**
   * So many bytes are queued for functions; negative: they have been heard.
   * @param {number} size
   */
  noteUnheard(size) {
    this.#unheard += size;
    this.#noteRoom();
  }

  /** @param {1 | -1} more */
  noteCall(more) {
    this.#calls += more;
    this.#noteRoom();
  }

  /**
   * Reading stops where the functions are slow, but goes further while one
   * of them waits for an answer.
   */
  #noteRoom() {
    const socket = this.connect();
    if (this.#unheard >= (this.#calls ? READ_AHEAD_CALLING : READ_AHEAD)) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  #finish() {
    if (this.over) return;
    this.over = true;
    this.#sort(null);
    this.#wakeWriters();
  }

  #wakeWriters() {
    for (const wake of this.#drains.splice(0)) wake();
  }
}
