// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Lets a `.dom` wait for an element that the browser has not parsed yet, and all that the program
 * says after it too, so that the order stays. The wait ends when the document has been parsed, but
 * also after some seconds and when too much waits: a page may be streamed for hours.
 */
import { domCall, domGet } from '../base/dom-property.mjs';

const LONGEST_PARSE_WAIT_MS = 10_000;
const MOST_WAITING_BYTES = 1 << 20;

export class ParseWait {
  /** What the program has said since. @type {{ size: number, run: () => void }[]} */
  #queue = [];
  #bytes = 0;
  /**
   * Goes on with what waits; null: nothing does. `isLast`: for the last time.
   * @type {((isLast: boolean) => boolean) | null}
   */
  #step = null;
  #watching = new AbortController();

  /** Whether the document may still get the element. */
  get isParsing() {
    return domGet(document, 'readyState') === 'loading';
  }

  /**
   * Runs what a message asks for, now or in its turn.
   * @param {number} size @param {() => void} run
   */
  take(size, run) {
    if (!this.#step) return run();
    this.#queue.push({ size, run });
    this.#bytes += size;
    if (this.#bytes > MOST_WAITING_BYTES) this.finish();
  }

  /** @param {(isLast: boolean) => boolean} step returns whether all is done */
  wait(step) {
    this.#step = step;
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    const observer = new MutationObserver(() => this.#goOn(false));
    const timer = setTimeout(() => this.finish(), LONGEST_PARSE_WAIT_MS);
    observer.observe(document, { childList: true, subtree: true });
    domCall(document, 'addEventListener', 'readystatechange', () => this.finish(), { signal });
    signal.addEventListener('abort', () => {
      observer.disconnect();
      clearTimeout(timer);
    });
  }

  /** Nothing waits any longer. */
  finish() {
    while (this.#step) this.#goOn(true);
  }

  /** @param {boolean} isLast */
  #goOn(isLast) {
    const step = this.#step;
    if (!step?.(isLast)) return;
    this.#step = null;
    this.#watching.abort();
    for (let next; !this.#step && (next = this.#queue.shift());) {
      this.#bytes -= next.size;
      next.run();
    }
  }
}
