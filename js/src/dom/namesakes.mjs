// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Elements that have their name, or wrongly their id, in common, such as the fields `tags[]` of a
 * form: which one of the page is which one of new markup. Only those inside of the same row (an
 * ancestor with an `id` or a `data-key`) are the same. If there are as many as before, each is the
 * one in its place. Otherwise those at the beginning and at the end that say the same text are the
 * same, and the others in their order.
 */
import { domCall, domGet } from '../base/dom-property.mjs';

/**
 * @param {Element[]} olds of the page, in its order @param {Node} page their root
 * @param {Element[]} news of the markup @param {Node} markup their root
 * @returns {[old: Element, node: Element][]}
 */
export function pairNamesakes(olds, page, news, markup) {
  if (!news.length) return [];
  const said = byRow(news, markup);
  return [...byRow(olds, page)].flatMap(([row, some]) => aligned(some, said.get(row) ?? []));
}

/** @param {Element[]} elements @param {Node} root @returns {Map<string, Element[]>} */
function byRow(elements, root) {
  const rows = /** @type {Map<string, Element[]>} */ (new Map());
  for (const element of elements) {
    const row = rowOf(element, root);
    if (!rows.get(row)?.push(element)) rows.set(row, [element]);
  }
  return rows;
}

/**
 * The ids and keys of the elements around, up to the root.
 * @param {Node} element @param {Node} root
 */
function rowOf(element, root) {
  const keys = [];
  for (
    let at = domGet(element, 'parentNode');
    at && at !== root && domGet(at, 'nodeType') === 1;
    at = domGet(at, 'parentNode')
  ) {
    const id = domCall(at, 'getAttribute', 'id');
    const key = id ? null : domCall(at, 'getAttribute', 'data-key');
    if (id || key !== null) keys.push([id, key]);
  }
  return JSON.stringify(keys);
}

/** @param {any[]} olds @param {any[]} news @returns {[Element, Element][]} */
function aligned(olds, news) {
  const most = Math.min(olds.length, news.length);
  if (olds.length === news.length) return olds.map((old, i) => [old, news[i]]);
  if (new Set([...olds].map(({ form }) => form)).size > 1) return []; // it may be a form that went
  let head = 0;
  while (head < most && saySame(olds[head], news[head])) head++;
  let tail = 0;
  while (tail < most - head && saySame(olds.at(-1 - tail), news.at(-1 - tail))) tail++;
  const pairs = /** @type {[Element, Element][]} */ ([]);
  for (let i = 0; i < most - tail; i++) pairs.push([olds[i], news[i]]);
  for (let i = 1; i <= tail; i++) pairs.push([olds.at(-i), news.at(-i)]);
  return pairs;
}

/** Whether the markup says what the field has, or what it was said to have. */
function saySame(/** @type {any} */ old, /** @type {any} */ fresh) {
  const { value, defaultValue } = fresh;
  return old.value === value || old.defaultValue === defaultValue;
}
