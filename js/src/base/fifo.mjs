// SPDX-License-Identifier: MIT
// @ts-check
/** A queue that removes its first item in constant time. Pure state. @template T */
export class Fifo {
  /** @type {(T | undefined)[]} */
  #items = [];
  /** Index of the first item. Items before it are gone. */
  #head = 0;

  get length() {
    return this.#items.length - this.#head;
  }

  /** @returns {T | undefined} */
  get first() {
    return this.#items[this.#head];
  }

  /** @param {T} item */
  push(item) {
    this.#items.push(item);
  }

  /** @returns {T | undefined} */
  shift() {
    const { first } = this;
    if (this.length) this.#items[this.#head++] = undefined;
    if (this.#head > 1000 && this.#head * 2 > this.#items.length) this.replace(this.all());
    return first;
  }

  /** All items, in order. @returns {T[]} */
  all() {
    return /** @type {T[]} */ (this.#items.slice(this.#head));
  }

  /** @param {T[]} items take the place of all that the queue has */
  replace(items) {
    this.#items = items;
    this.#head = 0;
  }
}
