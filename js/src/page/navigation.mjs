// SPDX-License-Identifier: MIT
// @ts-check
/** How this page came into the browser. */
import { domCall } from '../base/dom-property.mjs';

/** @returns {any} the entry of this document's navigation */
export function navigation() {
  return performance.getEntriesByType?.('navigation')[0];
}

/** A page of this age has not just come from its server, if it connects only now. */
const OLD_MS = 30_000;

/**
 * Whether this page came from the history or from a cache, was fetched before the user wanted it,
 * or has waited long: its program may be gone.
 */
export function isOldCopy() {
  const entry = navigation();
  return (
    entry?.type === 'back_forward' ||
    Boolean(entry?.deliveryType) ||
    entry?.transferSize === 0 ||
    entry?.activationStart > 0 ||
    performance.now() > OLD_MS
  );
}

/**
 * Whether the page answered a POST. The server says so beside the session's id.
 * @param {any} document
 */
export function answeredPost(document) {
  const meta = domCall(document, 'querySelector', 'meta[name="httpsocket-session"]');
  if (meta?.dataset?.method === 'POST') return true;
  const timing = navigation()?.serverTiming ?? [];
  return timing.some(
    (/** @type {any} */ { name, description }) => name === 'method' && description === 'POST',
  );
}
