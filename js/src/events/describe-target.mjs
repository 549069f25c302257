// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Describes the target of an event in JSON, so that a program knows which element or object it is.
 * Pure.
 */

/**
 * @param {any} target
 * @returns {Record<string, any>} of an element its `tag`, and if it has them `id`, `name`, `kind`
 *   (its `type`), `classes`, `dataset`, `path` (a selector); of anything else `object`
 */
export function describeTarget(target) {
  if (target?.nodeType !== 1) return { object: nameOf(target) };
  const { localName: tag, id, classList, dataset } = target;
  const name = target.getAttribute('name');
  const kind = typeof target.type === 'string' ? target.type : '';
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
  if (target?.nodeType === 9) return 'document';
  return Object.prototype.toString.call(target).slice(8, -1);
}

/**
 * A selector that finds the element in its tree as that is now, from the nearest ancestor with an
 * id.
 * @param {Element} element
 */
function pathOf(element) {
  const steps = [];
  for (let at = /** @type {Element | null} */ (element); at; at = at.parentElement) {
    const step = stepOf(at);
    steps.unshift(step);
    if (step.startsWith('#')) break;
  }
  return steps.join(' > ');
}

/** @param {Element} element */
function stepOf(element) {
  const root = /** @type {any} */ (element.getRootNode());
  if (element.id && root.getElementById?.(element.id) === element)
    return `#${CSS.escape(element.id)}`;
  const tag = CSS.escape(element.localName);
  if (element === document.documentElement || element === document.body) return tag;
  let place = 1;
  for (let at = element.previousElementSibling; at; at = at.previousElementSibling)
    if (at.localName === element.localName) place++;
  return `${tag}:nth-of-type(${place})`;
}
