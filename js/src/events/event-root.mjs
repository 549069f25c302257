// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Catches the events of one type for any number of listeners. They are caught at the window, in the
 * capturing and the bubbling phase, so that listeners hear elements that do not exist yet; or at an
 * object outside of the document. The event then meets the listeners in the order in which the
 * document would call them: inwards the capturing ones, then outwards the others.
 */
import { domCall } from '../base/dom-property.mjs';
import { isCausedByUs } from './controls.mjs';

/** @typedef {import('./listener.mjs').DomListener} DomListener */

/**
 * Types that have to be caught at the document. The load of an element, such as an image, does not
 * reach the window (HTML, "Events and the Window object"), and Chromium fires the others only if
 * something listens at the document or below.
 */
const NOT_AT_THE_WINDOW = Object.freeze([
  'load',
  'mouseenter',
  'mouseleave',
  'pointerenter',
  'pointerleave',
]);

export class EventRoot {
  #type;
  #objects;
  /** Whether events of inner nodes arrive here. */
  #isWindow;
  /** @type {Set<DomListener>} */
  #listeners = new Set();
  #passive = true;
  /** Ends the listening; null: there is none. @type {AbortController | null} */
  #listening = null;

  /** @param {EventTarget} object @param {string} type */
  constructor(object, type) {
    this.#type = type;
    this.#isWindow = object === window;
    this.#objects =
      this.#isWindow && NOT_AT_THE_WINDOW.includes(type) ? [document, window] : [object];
  }

  get isIdle() {
    return this.#listeners.size === 0;
  }

  /** @param {DomListener} listener */
  add(listener) {
    this.#listeners.add(listener);
    this.#catch();
  }

  /** @param {DomListener} listener */
  delete(listener) {
    this.#listeners.delete(listener);
    this.#catch();
  }

  /**
   * Listens anew if needed. The listener is passive unless an event is to be prevented, as only a
   * passive one does not delay scrolling.
   */
  #catch() {
    const passive = ![...this.#listeners].some(({ options }) => options.prevent);
    if (this.#listening && !this.isIdle && passive === this.#passive) return;
    this.#listening?.abort();
    this.#listening = this.isIdle ? null : new AbortController();
    this.#passive = passive;
    if (!this.#listening) return;
    const { signal } = this.#listening;
    for (const object of this.#objects)
      for (const capture of this.#isWindow ? [true, false] : [true])
        domCall(
          object,
          'addEventListener',
          this.#type,
          (/** @type {Event} */ event) => this.#caught(object, event, capture),
          { capture, passive, signal },
        );
  }

  /** @param {EventTarget} object @param {Event} event @param {boolean} inwards */
  #caught(object, event, inwards) {
    const path = event.composedPath();
    const seen = object === window && this.#objects.length > 1 && path.includes(document);
    if (!seen && !isCausedByUs(event)) this.#heard(event, path, inwards);
  }

  /** @param {Event} event @param {EventTarget[]} path @param {boolean} inwards */
  #heard(event, path, inwards) {
    const met = [...this.#listeners]
      .filter(({ options }) => !this.#isWindow || inwards === (options.capture || !event.bubbles))
      .map((listener) => ({ listener, index: listener.pathIndexOf(event, path) }))
      .filter(({ index }) => index >= 0);
    let stopped = -1;
    for (const { listener, index } of met.sort(byDispatchOrder)) {
      if (stopped >= 0 && index !== stopped) break;
      if (listener.hear(event, path, index) && listener.options.stop) stopped = index;
    }
    if (stopped >= 0) event.stopPropagation();
  }
}

/** @typedef {{ listener: DomListener, index: number }} Match */

/**
 * The capturing ones first, inwards, and then the others, outwards.
 * @param {Match} a @param {Match} b
 */
function byDispatchOrder(a, b) {
  const way = (/** @type {Match} */ { listener, index }) =>
    listener.options.capture ? -1 - index : index;
  return way(a) - way(b);
}
