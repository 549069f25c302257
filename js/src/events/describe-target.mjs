// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Describes the target of an event in JSON, so that a program knows which element or object it is.
 * Pure.
 */
import { domCall, domGet, isElement } from '../base/dom-property.mjs';

/**
 * @param {any} target
 * @returns {Record<string, any>} of an element its `tag`, and if it has them `id`, `name`, `kind`
 *   (its `type`), `classes`, `dataset`, `path` (a selector); of anything else `object`
 */
export function describeTarget(target) {
  if (!isElement(target)) return { object: nameOf(target) };
  const [tag, id, classList, dataset, type] = [
    'localName',
    'id',
    'classList',
    'dataset',
    'type',
  ].map((property) => domGet(target, property));
  const name = domCall(target, 'getAttribute', 'name');
  const kind = typeof type === 'string' ? type : '';
  return {
    tag,
    ...(id && { id }),
    ...(name && { name }),
    ...(kind && { kind }),
    ...(classList.length && { classes: [...classList] }),
    ...(Object.keys(dataset ?? {}).length && { dataset: { ...dataset } }),
    path: pathOf(target),
  };
}

/** @param {any} target `window`, `document`, `MediaQueryList`, … */
function nameOf(target) {
  if (target === globalThis) return 'window';
  if (target && domGet(target, 'nodeType') === 9) return 'document';
  return Object.prototype.toString.call(target).slice(8, -1);
}

/**
 * A selector that finds the element in its tree as that is now, from the nearest ancestor with an
 * id.
 * @param {Element} element
 */
function pathOf(element) {
  const steps = [];
  for (let at = /** @type {Element | null} */ (element); at; at = domGet(at, 'parentElement')) {
    const step = stepOf(at);
    steps.unshift(step);
    if (step.startsWith('#')) break;
  }
  return steps.join(' > ');
}

/** @param {Element} element */
function stepOf(element) {
  const root = domCall(element, 'getRootNode');
  const id = domGet(element, 'id');
  if (id && domGet(root, 'getElementById') && domCall(root, 'getElementById', id) === element)
    return `#${CSS.escape(id)}`;
  const name = domGet(element, 'localName');
  const tag = CSS.escape(name);
  if (element === domGet(document, 'documentElement') || element === domGet(document, 'body'))
    return tag;
  let place = 1;
  const before = (/** @type {Element} */ at) => domGet(at, 'previousElementSibling');
  for (let at = before(element); at; at = before(at)) if (domGet(at, 'localName') === name) place++;
  return `${tag}:nth-of-type(${place})`;
}
