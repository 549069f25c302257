// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Parses the HTML of a program into nodes that are not in the page yet. Nothing is loaded and no
 * script runs meanwhile, and a `<script>` in the markup never runs. In a page that requires Trusted
 * Types, the policy is named `httpsocket`.
 *
 * Markup of a program of another origin goes through the browser's sanitizer. Where the browser has
 * none, such markup is refused.
 */

import { domCall, domGet } from '../base/dom-property.mjs';
import { trustedHtml } from '../base/trusted.mjs';

const SVG = 'http://www.w3.org/2000/svg';
const MATHML = 'http://www.w3.org/1998/Math/MathML';

/**
 * Removed from foreign markup, besides all that could run a script, which the sanitizer removes by
 * itself.
 */
const FOREIGN_SANITIZER = { removeElements: ['base', 'link', 'meta', 'style'] };

/**
 * @param {string} html
 * @param {Element} context the parent that the nodes are for
 * @param {boolean} foreign whether the program is of another origin
 * @returns {DocumentFragment}
 * @throws {Error} if this browser, or the page's policy, does not allow it
 */
export function parseMarkup(html, context, foreign) {
  const template = domCall(document, 'createElement', 'template');
  const { wrap, depth } = wrapping(context);
  fill(template, `${wrap}${html}`, foreign);
  const found = template.content;
  silence(found);
  if (depth === 0) return found;
  const inner = domCall(document, 'createDocumentFragment');
  inner.append(...(found.firstChild?.childNodes ?? []));
  return inner;
}

/** @param {HTMLTemplateElement} template @param {string} html @param {boolean} foreign */
function fill(template, html, foreign) {
  if (!foreign && 'setHTMLUnsafe' in template)
    template.setHTMLUnsafe(trustedHtml(html)); // makes declarative shadow trees too
  else if (!foreign) template.innerHTML = trustedHtml(html);
  else if ('setHTML' in template)
    /** @type {any} */ (template).setHTML(html, { sanitizer: FOREIGN_SANITIZER });
  else throw new Error('this browser has no sanitizer for the markup of another origin');
}

/**
 * The contents of a <noscript> become text, as in a page that is loaded: the parser of a template
 * makes elements of them, and a style sheet among these would apply.
 * @param {DocumentFragment | ShadowRoot} markup
 */
function silence(markup) {
  for (const element of markup.querySelectorAll('noscript'))
    if (element.firstElementChild) element.textContent = element.innerHTML;
  for (const { content } of markup.querySelectorAll('template')) silence(content);
}

/**
 * The parser makes elements of SVG and MathML only inside of an `<svg>` or `<math>`.
 * @param {Element} context
 */
function wrapping(context) {
  const [namespaceURI, localName] = ['namespaceURI', 'localName'].map((name) =>
    domGet(context, name),
  );
  const html = ['foreignObject', 'desc', 'title', 'annotation-xml'].includes(localName);
  if (namespaceURI === SVG && !html) return { wrap: '<svg>', depth: 1 };
  if (namespaceURI === MATHML && !html) return { wrap: '<math>', depth: 1 };
  return { wrap: '', depth: 0 };
}
