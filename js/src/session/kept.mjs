// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The messages that the program's process may have seen, but that its saved state does not cover: a
 * process that goes on from the state gets them again (docs/protocol.md, section 12). Pure state.
 *
 * At most 1 MiB or 1000 messages that were acknowledged are kept; then the oldest are forgotten, as
 * if they were covered. A call without an answer is kept in any case.
 */
import { WireError } from '../proto/message.mjs';

/** @typedef {import('./outbox.mjs').Entry} Entry */

const KEPT_BYTES = 1024 * 1024;
const KEPT_MESSAGES = 1000;

export class Kept {
  /** In their order. @type {{ entry: Entry, number: number }[]} */
  #items = [];
  #bytes = 0;
  #covered = 0;

  /**
   * A message was acknowledged.
   * @param {Entry} entry @param {number} number from 1
   */
  add(entry, number) {
    if (!this.needs(entry, number)) return;
    this.#items.push({ entry, number });
    this.#bytes += entry.size;
    for (let i = 0; this.#isFull && i < this.#items.length;)
      if (this.#items[i].entry.isWaiting?.()) i++;
      else this.#bytes -= this.#items.splice(i, 1)[0].entry.size;
  }

  /**
   * The state covers the first messages.
   * @param {number} count @param {number} sent how many there are @throws {WireError}
   */
  cover(count, sent) {
    if (count < this.#covered || count > sent)
      throw new WireError(
        `a state that covers ${count}, between ${this.#covered} and ${sent} expected`,
      );
    this.#covered = count;
    this.#items = this.#items.filter(({ entry, number }) => this.needs(entry, number));
    this.#bytes = this.#items.reduce((sum, { entry }) => sum + entry.size, 0);
  }

  /**
   * Whether a new process needs a message that the old one may have seen.
   * @param {Entry} entry @param {number} number
   */
  needs({ mortal, isWaiting }, number) {
    return !mortal && (number > this.#covered || Boolean(isWaiting?.()));
  }

  /** @returns {Entry[]} what is kept and still needed */
  all() {
    return this.#items
      .filter(({ entry, number }) => this.needs(entry, number))
      .map(({ entry }) => entry);
  }

  get #isFull() {
    return this.#bytes > KEPT_BYTES || this.#items.length > KEPT_MESSAGES;
  }
}
