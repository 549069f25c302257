// SPDX-License-Identifier: MIT
// @ts-check
/** Knows which boxes of the page were scrolled, from the page's beginning on. */
import { domCall, domGet, isElement } from '../base/dom-property.mjs';

/** The boxes that were scrolled. @type {Set<Element>} */
export const scrolledBoxes = new Set();

/** How many there are before those that have left the page are dropped. */
const MOST_SCROLLED = 64;

/** Starts watching. Call it once, before anything is scrolled. @param {Document} document */
export function watchScrolling(document) {
  domCall(document, 'addEventListener', 'scroll', noteScrolled, { capture: true, passive: true });
}

/** @param {any} event */
function noteScrolled({ target }) {
  if (!isElement(target)) return;
  if (scrolledBoxes.size >= MOST_SCROLLED)
    for (const box of scrolledBoxes) if (!domGet(box, 'isConnected')) scrolledBoxes.delete(box);
  scrolledBoxes.add(target);
}
