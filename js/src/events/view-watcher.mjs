// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Watches which elements come into view and leave it: `enterview` and `leaveview`, two types that
 * only listeners of a program know. Elements that come later are watched too.
 */
import { domCall } from '../base/dom-property.mjs';
import { DomProblem } from '../dom/problem.mjs';

/**
 * When an element counts as in view: how far beyond the window's edges, and how much of it.
 * @typedef {{ rootMargin: string, threshold: number }} View
 */

const VIEW_TYPES = Object.freeze(['enterview', 'leaveview']);

/** @param {string} type */
export function isViewType(type) {
  return VIEW_TYPES.includes(type);
}

/** @param {any} margin @param {any} threshold @returns {View} @throws {DomProblem} */
export function parseView(margin = '0px', threshold = 0) {
  try {
    if (typeof margin !== 'string' || typeof threshold !== 'number') throw new TypeError();
    new IntersectionObserver(() => {}, { rootMargin: margin, threshold });
  } catch {
    throw new DomProblem('margin: as in CSS, such as "200px"; threshold: 0 to 1');
  }
  return { rootMargin: margin, threshold };
}

export class ViewWatcher {
  #select;
  #type;
  #hear;
  #observer;
  #changes;
  /** The elements, and whether they are in view. @type {Map<Element, boolean>} */
  #watched = new Map();

  /**
   * @param {{ on: string, select: string | null, view: View | null }} options
   * @param {(event: Event, element: Element) => void} hear
   */
  constructor({ on, select, view }, hear) {
    this.#select = select;
    this.#type = on;
    this.#hear = hear;
    this.#observer = new IntersectionObserver((seen) => this.#seen(seen), view ?? {});
    this.#changes = new MutationObserver(() => this.#find());
    this.#changes.observe(document, { childList: true, subtree: true, attributes: true });
    this.#find();
  }

  close() {
    this.#observer.disconnect();
    this.#changes.disconnect();
  }

  #find() {
    const found = new Set(domCall(document, 'querySelectorAll', this.#select));
    for (const element of this.#watched.keys()) {
      if (found.has(element)) continue;
      this.#observer.unobserve(element);
      this.#watched.delete(element);
    }
    for (const element of found) {
      if (this.#watched.has(element)) continue;
      this.#watched.set(element, false);
      this.#observer.observe(element);
    }
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { target, isIntersecting, intersectionRatio: ratio } of entries) {
      if (!this.#watched.has(target) || this.#watched.get(target) === isIntersecting) continue;
      this.#watched.set(target, isIntersecting);
      if (isIntersecting === (this.#type === 'enterview'))
        this.#hear(new CustomEvent(this.#type, { detail: { ratio } }), target);
    }
  }
}
