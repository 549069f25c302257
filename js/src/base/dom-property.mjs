// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Reads, sets and calls properties of nodes as their interfaces define them. A form shows its
 * controls, and a document its forms, images and frames, as properties by their names, in front of
 * its own (HTML, [LegacyOverrideBuiltIns]): `form.id` is a field in `<form><input name="id">`. So
 * nothing reads a property of a node that may be a form, or of the document, but through here.
 */

/** The interfaces whose objects have names of the page in front of their own properties. */
const SHADOWED = new Set(['HTMLFormElement', 'HTMLDocument', 'Document', 'XMLDocument']);

/** @param {any} node */
function isShadowed(node) {
  return SHADOWED.has(node?.[Symbol.toStringTag]);
}

/** @param {any} node @param {string} name @returns {any} */
export function domGet(node, name) {
  return isShadowed(node) ? Reflect.get(Object.getPrototypeOf(node), name, node) : node[name];
}

/** @param {any} node @param {string} name @param {any} value */
export function domSet(node, name, value) {
  if (isShadowed(node)) Reflect.set(Object.getPrototypeOf(node), name, value, node);
  else node[name] = value;
}

/** @param {any} node @param {string} name @param {any[]} values @returns {any} */
export function domCall(node, name, ...values) {
  return isShadowed(node) ? Reflect.apply(domGet(node, name), node, values) : node[name](...values);
}

/** Whether it is an element, and no other node or object. @param {any} node */
export function isElement(node) {
  return Boolean(node) && domGet(node, 'nodeType') === 1;
}

/**
 * Whether the element is an HTML element of that name.
 * @param {any} node @param {string} name
 */
export function isHtml(node, name) {
  return domGet(node, 'localName') === name && domGet(node, 'namespaceURI') === HTML;
}

const HTML = 'http://www.w3.org/1999/xhtml';
