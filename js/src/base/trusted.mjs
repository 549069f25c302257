// SPDX-License-Identifier: MIT
// @ts-check
/**
 * For a page that requires Trusted Types: the client's own policy, named `httpsocket`. It passes
 * on the markup of the program, and the addresses of the client's parts.
 */

/** @type {any} null: there are no Trusted Types here, or the page does not allow this policy */
let trustedPolicy;

function policy() {
  if (trustedPolicy === undefined) trustedPolicy = makePolicy();
  return trustedPolicy;
}

/** @param {string} html @returns {any} */
export function trustedHtml(html) {
  return policy()?.createHTML(html) ?? html;
}

/** @param {string} url @returns {any} */
export function trustedScriptUrl(url) {
  return policy()?.createScriptURL(url) ?? url;
}

function makePolicy() {
  const same = (/** @type {string} */ text) => text;
  try {
    return (
      /** @type {any} */ (globalThis).trustedTypes?.createPolicy('httpsocket', {
        createHTML: same,
        createScriptURL: same,
      }) ?? null
    );
  } catch {
    return null; // the page does not allow it: the browser reports that when it matters
  }
}
