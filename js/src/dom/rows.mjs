// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The rows of a list: the children of one element, each with its `data-key`. Finding a row costs
 * the same in a list of ten and of ten thousand, because keys are read once, and later only of
 * children that come or go.
 */
import { domCall, domGet, isElement } from '../base/dom-property.mjs';
import { arrange } from './arrange.mjs';

/** @type {WeakMap<Element, Rows>} */
const rowsOf = new WeakMap();

/** @param {Element} list @returns {Rows} */
export function rowsIn(list) {
  const known = rowsOf.get(list);
  if (known) return known;
  const rows = new Rows(list);
  rowsOf.set(list, rows);
  return rows;
}

/** @param {any} node @returns {string | null} */
export function rowKey(node) {
  return isElement(node) ? domCall(node, 'getAttribute', 'data-key') : null;
}

class Rows {
  #list;
  /** @type {Map<string, Element>} */
  #byKey = new Map();
  #comings;
  #renamings;

  /** @param {Element} list */
  constructor(list) {
    this.#list = list;
    this.#comings = new MutationObserver((records) => this.#changed(records));
    this.#comings.observe(list, { childList: true });
    this.#renamings = new MutationObserver(() => this.#read());
    this.#renamings.observe(list, { subtree: true, attributeFilter: ['data-key'] });
    this.#read();
  }

  /** @param {string} key @returns {Element | undefined} */
  get(key) {
    this.#changed(this.#comings.takeRecords());
    if (this.#renamings.takeRecords().length) this.#read();
    return this.#byKey.get(key);
  }

  /**
   * Puts these rows first, in this order. The others follow in their old order.
   * @param {Element[]} first
   */
  order(first) {
    const wanted = new Set(first);
    const all = [...domGet(this.#list, 'children')];
    const places = new Map(all.map((row, i) => [row, i]));
    const rows = [...wanted, ...all.filter((row) => !wanted.has(row))];
    arrange(
      this.#list,
      rows,
      rows.map((row) => /** @type {number} */ (places.get(row))),
      null,
    );
  }

  #read() {
    this.#byKey.clear();
    for (const row of domGet(this.#list, 'children')) this.#add(row);
  }

  /** @param {MutationRecord[]} records */
  #changed(records) {
    for (const { addedNodes, removedNodes } of records) {
      for (const node of removedNodes) this.#forget(node);
      for (const node of addedNodes) if (domGet(node, 'parentNode') === this.#list) this.#add(node);
    }
  }

  /** @param {Node} node */
  #add(node) {
    const key = rowKey(node);
    if (key !== null && !this.#byKey.has(key)) this.#byKey.set(key, /** @type {Element} */ (node));
  }

  /** @param {Node} node */
  #forget(node) {
    const key = rowKey(node);
    if (key !== null && this.#byKey.get(key) === node && domGet(node, 'parentNode') !== this.#list)
      this.#byKey.delete(key);
  }
}
