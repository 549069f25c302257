// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Which controls hold what is nobody's business: passwords, one-time codes, payment cards, and what stands in an element
 * with `data-hs-secret`. A field that was a password stays one, also while the page shows it as text.
 */

const AUTOCOMPLETE = /(?:^|\s)(?:cc-[a-z-]+|one-time-code|new-password|current-password)(?:\s|$)/i;

export class Secrets {
  /** Those that were passwords once. @type {WeakSet<Element>} */
  #passwords = new WeakSet();
  #observer;

  /** @param {Document} document */
  constructor(document) {
    this.#observer = new MutationObserver((changes) => this.#note(changes));
    const attributeFilter = ['type'];
    this.#observer.observe(document, {
      subtree: true,
      attributes: true,
      attributeFilter,
      attributeOldValue: true,
    });
  }

  /** @param {any} element a control, or where something happened */
  has(element) {
    if (element.nodeType !== 1) return false;
    this.#note(this.#observer.takeRecords());
    if (element.type === 'password') this.#passwords.add(element);
    const told = element.getAttribute('autocomplete') ?? '';
    return this.#passwords.has(element) || AUTOCOMPLETE.test(told) || isInSecret(element);
  }

  close() {
    this.#observer.disconnect();
  }

  /** @param {MutationRecord[]} changes */
  #note(changes) {
    for (const { target, oldValue } of changes)
      if (oldValue?.toLowerCase() === 'password')
        this.#passwords.add(/** @type {Element} */ (target));
  }
}

/** Also from within a shadow tree. @param {any} element */
function isInSecret(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host)
    if (at.hasAttribute('data-hs-secret')) return true;
  return false;
}
