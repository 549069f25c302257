// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Knows which controls hold secrets: passwords, one-time codes, payment cards, and all inside of an
 * element with `data-hs-secret`. A password field stays a secret while the page shows it as text.
 */

import { domCall, domGet, isElement } from '../base/dom-property.mjs';

const AUTOCOMPLETE = /(?:^|\s)(?:cc-[a-z-]+|one-time-code|new-password|current-password)(?:\s|$)/i;

export class Secrets {
  /** Fields that were password fields once. @type {WeakSet<Element>} */
  #passwords = new WeakSet();
  #observer;

  /** @param {Document} document */
  constructor(document) {
    this.#observer = new MutationObserver((changes) => this.#remember(changes));
    const attributeFilter = ['type'];
    this.#observer.observe(document, {
      subtree: true,
      attributes: true,
      attributeFilter,
      attributeOldValue: true,
    });
  }

  /** @param {any} element a control, or the source of an event */
  has(element) {
    if (!isElement(element)) return false;
    this.#remember(this.#observer.takeRecords());
    if (domGet(element, 'type') === 'password') this.#passwords.add(element);
    const told = domCall(element, 'getAttribute', 'autocomplete') ?? '';
    return this.#passwords.has(element) || AUTOCOMPLETE.test(told) || isInSecret(element);
  }

  close() {
    this.#observer.disconnect();
  }

  /** @param {MutationRecord[]} changes */
  #remember(changes) {
    for (const { target, oldValue } of changes)
      if (oldValue?.toLowerCase() === 'password')
        this.#passwords.add(/** @type {Element} */ (target));
  }
}

/** Also looks outside of a shadow tree. @param {any} element */
function isInSecret(element) {
  for (
    let at = element;
    at;
    at = domGet(at, 'parentElement') ?? domGet(domCall(at, 'getRootNode'), 'host')
  )
    if (domCall(at, 'hasAttribute', 'data-hs-secret')) return true;
  return false;
}
