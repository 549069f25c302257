// SPDX-License-Identifier: MIT
// @ts-check
/** Who waits for what: a queue that is read by awaiting, and the room that a sender waits for. */

/**
 * What send() gives: awaiting it waits until the page has room for more.
 * @implements {PromiseLike<void>}
 */
export class Room {
  #wait;

  /** @param {() => Promise<void>} wait */
  constructor(wait) {
    this.#wait = wait;
  }

  /**
   * @template A, B
   * @param {((value: void) => A | PromiseLike<A>) | null} [resolve]
   * @param {((reason: any) => B | PromiseLike<B>) | null} [reject]
   * @returns {Promise<A | B>}
   */
  then(resolve, reject) {
    return this.#wait().then(resolve, reject);
  }
}

/** A queue that is read by awaiting. @template T */
export class Queue {
  /** @type {T[]} */
  items = [];
  #wake = () => {};

  /** @param {T} item */
  push(item) {
    this.items.push(item);
    this.#wake();
  }

  /**
   * Resolves when there is something, or `ms` are over.
   * @param {number} [ms]
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>}
   */
  async wait(ms = Infinity, signal) {
    if (this.items.length || signal?.aborted) return;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const woken = new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      if (ms < 2 ** 31) timer = setTimeout(this.#wake, ms);
      signal?.addEventListener('abort', this.#wake);
    });
    await woken;
    clearTimeout(timer);
    signal?.removeEventListener('abort', this.#wake);
  }
}
