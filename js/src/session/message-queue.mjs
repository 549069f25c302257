// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The messages of the program on their way into the page. Usually each is handled as it comes. All
 * wait, in their order, while the first of them waits for something: for a part of the client, or
 * for an element that is not parsed yet. Changes of the page alone may wait for the next frame;
 * then any other message lets them go at once.
 */
import { Fifo } from '../base/fifo.mjs';

/** When so much waits, who holds it is told, and the server is let to wait too. */
const MUCH_BYTES = 1 << 20;

/**
 * @typedef {object} QueuedMessage
 * @property {number} size
 * @property {string} kind of the message; `end` stands behind the last one
 * @property {boolean} [changes] whether it changes the page, and does nothing else
 * @property {() => void} run
 */

export class MessageQueue {
  /** @type {Fifo<QueuedMessage>} */
  #messages = new Fifo();
  #bytes = 0;
  /**
   * Who holds the messages now; null: nobody does.
   * @type {{ isSoft: boolean, onmuch: () => void } | null}
   */
  #hold = null;
  #isRunning = false;

  /** Asked before a change: whether it is to wait. @type {() => boolean} */
  delays = () => false;
  /** Called when the server need not wait any longer. */
  oncaughtup = () => {};

  /** Whether so much waits that the server should send no more. */
  get isMuch() {
    return this.#bytes > MUCH_BYTES;
  }

  get isHeld() {
    return this.#hold !== null;
  }

  /** @param {QueuedMessage} message */
  take(message) {
    if (!this.#hold && !this.#isRunning && !(message.changes && this.delays()))
      return message.run();
    this.#messages.push(message);
    this.#bytes += message.size;
    if (this.#hold?.isSoft && !message.changes) this.#hold.onmuch();
    else if (this.isMuch) this.hurry();
  }

  /**
   * Everything waits from now on.
   * @param {() => void} [onmuch] called when much waits, or the session is over
   * @param {boolean} [isSoft] whether it is only for the next frame
   * @returns {() => void} lets them go; without effect if somebody else holds them by then
   */
  hold(onmuch = () => {}, isSoft = false) {
    const hold = (this.#hold = { isSoft, onmuch });
    return () => {
      if (this.#hold !== hold) return;
      this.#hold = null;
      this.#run();
    };
  }

  /** Who holds the messages is to let them go, if possible. */
  hurry() {
    for (let hold; (hold = this.#hold);) {
      hold.onmuch();
      if (this.#hold === hold) return;
    }
  }

  /** @param {(message: QueuedMessage) => boolean} which @returns {QueuedMessage[]} these leave */
  remove(which) {
    const all = this.#messages.all();
    this.#messages.replace(all.filter((message) => !which(message)));
    const gone = all.filter(which);
    for (const { size } of gone) this.#bytes -= size;
    return gone;
  }

  #run() {
    if (this.#isRunning) return;
    const wasMuch = this.isMuch;
    this.#isRunning = true;
    try {
      for (let next; !this.#hold && (next = this.#messages.shift());) {
        this.#bytes -= next.size;
        next.run();
      }
    } finally {
      this.#isRunning = false;
    }
    if (wasMuch && !this.isMuch) this.oncaughtup();
  }
}
