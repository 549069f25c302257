// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Lets an event or a call of the program wait that nobody in the page hears yet, while scripts that
 * are part of the document are still to come: a script may connect, and a later one listen. What
 * the program says after it waits too, so that the order stays. The wait ends when somebody
 * listens, or the scripts have run; but also after some seconds, and when too much waits: a page
 * may be streamed for hours.
 */
import { domCall, domGet } from '../base/dom-property.mjs';
import { Timer } from '../base/clock.mjs';

const MOST_UNHEARD_MS = 10_000;

export class Unheard {
  #clock;
  #timer;
  /** Whether the scripts of the document have run. */
  #isOver = false;
  /**
   * Looks whether what waits is heard now, or goes on without.
   * @type {(isLast: boolean) => void}
   */
  #look = () => {};

  /**
   * @param {any} document @param {import('../base/clock.mjs').Clock} clock
   * @param {any} [navigation] the entry of the document's navigation
   */
  constructor(document, clock, navigation) {
    this.#clock = clock;
    this.#timer = new Timer(clock);
    this.#isOver =
      domGet(document, 'readyState') === 'complete' || navigation?.domContentLoadedEventEnd > 0;
    const on = (/** @type {any} */ target, /** @type {string} */ type) =>
      domCall(target, 'addEventListener', type, () => this.#ran(), { once: true });
    on(document, 'DOMContentLoaded');
    on(domGet(document, 'defaultView'), 'load'); // where the other is over, and nobody tells
  }

  /** Somebody listens now to something. */
  listened() {
    if (!this.#isOver) queueMicrotask(() => this.#look(false)); // when that script has run
  }

  /**
   * @param {import('./message-queue.mjs').MessageQueue} messages wait if this one does
   * @param {() => boolean} isHeard @param {() => void} run
   */
  take(messages, isHeard, run) {
    if (this.#isOver || isHeard()) return run();
    const goOn = () => {
      this.#look = () => {};
      this.#timer.clear();
      run();
      release();
    };
    const release = messages.hold(goOn);
    this.#look = (isLast) => {
      if (isLast || isHeard()) goOn();
    };
    this.#timer.set(MOST_UNHEARD_MS, () => this.#over());
  }

  /** The scripts have run, but others may be told of that in the same task. */
  #ran() {
    if (!this.#isOver) this.#clock.setTimeout(() => this.#over(), 0);
  }

  #over() {
    this.#isOver = true;
    this.#look(true);
  }
}
