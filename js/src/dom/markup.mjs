// SPDX-License-Identifier: MIT
// @ts-check
/**
 * HTML as a program writes it, made into nodes that are not in the page yet. They are parsed where nothing is loaded and
 * nothing runs, and a `<script>` among them never will. Where the page asks for Trusted Types, the policy is `httpsocket`.
 *
 * Markup from another origin goes through the browser's own sanitizer; where there is none, it is refused.
 */

const SVG = 'http://www.w3.org/2000/svg';
const MATHML = 'http://www.w3.org/1998/Math/MathML';

/** What a stranger's markup may not have, beyond what the sanitizer takes out by itself: all that could run a script. */
const NOT_FOR_STRANGERS = { removeElements: ['base', 'link', 'meta', 'style'] };

/** @type {{ createHTML(html: string): string } | null | undefined} */
let trustedPolicy;

/**
 * @param {string} html
 * @param {Element} context whose children they would be
 * @param {boolean} stranger whether it comes from another origin
 * @returns {DocumentFragment}
 * @throws {Error} if this browser, or the page's policy, does not let it
 */
export function parseMarkup(html, context, stranger) {
  const template = document.createElement('template');
  const { wrap, depth } = wrapping(context);
  fill(template, `${wrap}${html}`, stranger);
  const found = template.content;
  if (depth === 0) return found;
  const inner = document.createDocumentFragment();
  inner.append(...(found.firstChild?.childNodes ?? []));
  return inner;
}

/** @param {HTMLTemplateElement} template @param {string} html @param {boolean} stranger */
function fill(template, html, stranger) {
  if (!stranger) template.innerHTML = trusted(html);
  else if ('setHTML' in template)
    /** @type {any} */ (template).setHTML(html, { sanitizer: NOT_FOR_STRANGERS });
  else throw new Error('this browser has no sanitizer for the markup of another origin');
}

/** Elements of SVG and MathML are made by the parser only inside of their own. @param {Element} context */
function wrapping({ namespaceURI, localName }) {
  const html = ['foreignObject', 'desc', 'title', 'annotation-xml'].includes(localName);
  if (namespaceURI === SVG && !html) return { wrap: '<svg>', depth: 1 };
  if (namespaceURI === MATHML && !html) return { wrap: '<math>', depth: 1 };
  return { wrap: '', depth: 0 };
}

/** @param {string} html @returns {any} */
function trusted(html) {
  if (trustedPolicy === undefined) trustedPolicy = makePolicy();
  return trustedPolicy ? trustedPolicy.createHTML(html) : html;
}

function makePolicy() {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  try {
    return (
      trustedTypes?.createPolicy('httpsocket', {
        createHTML: (/** @type {string} */ html) => html,
      }) ?? null
    );
  } catch {
    return null; // the page's policy does not have this name: the browser says so when it matters
  }
}
