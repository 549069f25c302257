// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Where the events of one type are caught, for any number of listeners: at the window, on the way in and on the way out,
 * so that elements to come are heard too; or at an object that is in no document. Among the listeners an event goes the
 * way that it goes in the document, outwards, and inwards for those that capture it.
 */
import { isOurs } from './controls.mjs';

/** @typedef {import('./listener.mjs').DomListener} DomListener */

/**
 * Types that have to be caught at the document: the load of an element, an image say, does not reach the window (HTML,
 * "Events and the Window object"), and Chromium makes the others only for whoever listens at the document or below.
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
  /** Whether what is caught here may have happened elsewhere. */
  #wide;
  /** @type {Set<DomListener>} */
  #listeners = new Set();
  #passive = true;
  /** Ends the listening here; null where there is none. @type {AbortController | null} */
  #caught = null;

  /** @param {EventTarget} object @param {string} type */
  constructor(object, type) {
    this.#type = type;
    this.#wide = object === window;
    this.#objects = this.#wide && NOT_AT_THE_WINDOW.includes(type) ? [document, window] : [object];
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

  /** Not passive only where somebody prevents: a passive one holds up no scrolling. */
  #catch() {
    const passive = ![...this.#listeners].some(({ options }) => options.prevent);
    if (this.#caught && !this.isIdle && passive === this.#passive) return;
    this.#caught?.abort();
    this.#caught = this.isIdle ? null : new AbortController();
    this.#passive = passive;
    if (!this.#caught) return;
    const { signal } = this.#caught;
    for (const object of this.#objects)
      for (const capture of this.#wide ? [true, false] : [true])
        object.addEventListener(this.#type, (event) => this.#caughtAt(object, event, capture), {
          capture,
          passive,
          signal,
        });
  }

  /** @param {EventTarget} object @param {Event} event @param {boolean} inwards */
  #caughtAt(object, event, inwards) {
    const path = event.composedPath();
    const seen = object === window && this.#objects.length > 1 && path.includes(document);
    if (!seen && !isOurs(event)) this.#heard(event, path, inwards);
  }

  /** @param {Event} event @param {EventTarget[]} path @param {boolean} inwards */
  #heard(event, path, inwards) {
    const met = [...this.#listeners]
      .filter(({ options }) => !this.#wide || inwards === (options.capture || !event.bubbles))
      .map((listener) => ({ listener, place: listener.placeOf(event, path) }))
      .filter(({ place }) => place >= 0);
    let stopped = -1;
    for (const { listener, place } of met.sort(asItGoes)) {
      if (stopped >= 0 && place !== stopped) break;
      if (listener.hear(event, path, place) && listener.options.stop) stopped = place;
    }
    if (stopped >= 0) event.stopPropagation();
  }
}

/** @typedef {{ listener: DomListener, place: number }} Meeting */

/** First inwards, by those that capture it, then outwards. @param {Meeting} a @param {Meeting} b */
function asItGoes(a, b) {
  const way = (/** @type {Meeting} */ { listener, place }) =>
    listener.options.capture ? -1 - place : place;
  return way(a) - way(b);
}
