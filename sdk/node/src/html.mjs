// SPDX-License-Identifier: MIT
// @ts-check
/** Text in HTML and in scripts. */

/** @type {Record<string, string>} */
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text that stands for itself in HTML. @param {unknown} text @returns {string} */
export function escape(text) {
  return String(text).replace(/[&<>"']/g, (c) => ENTITIES[c]);
}

/**
 * A value as JSON that may stand inside of a <script> element.
 * @param {unknown} value
 * @returns {string}
 */
export function scriptJson(value) {
  return JSON.stringify(value ?? null).replace(/</g, '\\u003c');
}

/** HTML that needs no escaping any more. */
export class Html {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/**
 * html`<p>${anything}</p>`: what is put in is escaped, unless it is html``
 * itself; of an array its elements.
 * @param {TemplateStringsArray} texts
 * @param {...unknown} values
 * @returns {Html}
 */
export function html(texts, ...values) {
  return new Html(texts.reduce((whole, text, i) => whole + inserted(values[i - 1]) + text));
}

/** @param {unknown} value @returns {string} */
function inserted(value) {
  if (Array.isArray(value)) return value.map(inserted).join('');
  return value instanceof Html ? value.text : escape(value ?? '');
}
