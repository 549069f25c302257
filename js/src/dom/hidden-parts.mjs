// SPDX-License-Identifier: MIT
// @ts-check
/** Parts of an element that are no children: the contents of a template, and a shadow tree. */
import { domCall, domGet } from '../base/dom-property.mjs';

/**
 * The nodes of the markup that are, or contain, templates and elements with a shadow tree.
 * @param {any} markup @returns {Set<Node>}
 */
export function hiddenParts(markup) {
  const found = /** @type {Set<Node>} */ (new Set());
  const mark = (/** @type {any} */ element) => {
    if (domGet(element, 'localName') !== 'template' && !domGet(element, 'shadowRoot')) return;
    for (let at = element; at && !found.has(at); at = domGet(at, 'parentNode')) found.add(at);
  };
  mark(markup);
  for (const element of domCall(markup, 'querySelectorAll', '*')) mark(element);
  return found;
}

/**
 * Whether the two templates have equal contents.
 * @param {HTMLTemplateElement} a @param {HTMLTemplateElement} b @returns {boolean}
 */
export function sameTemplate(a, b) {
  if (!a.content.isEqualNode(b.content)) return false;
  const [inA, inB] = [a, b].map(({ content }) => [...content.querySelectorAll('template')]);
  return inA.every((template, i) => sameTemplate(template, inB[i]));
}

/**
 * Gives the element the shadow tree of the markup, which is used up.
 * @param {any} element @param {any} said a ShadowRoot
 */
export function attachShadowOf(element, said) {
  const { mode, delegatesFocus, slotAssignment, clonable, serializable } = said;
  const root = domCall(element, 'attachShadow', {
    mode,
    delegatesFocus,
    slotAssignment,
    clonable,
    serializable,
  });
  root.append(...said.childNodes);
}
