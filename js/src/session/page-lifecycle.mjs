// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Tells a link what happens to its page: the network goes or comes back, the browser hides, shows,
 * freezes or restores the page, or the user leaves it. In Node there is no page, and nothing
 * happens.
 */
import { domCall, domGet } from '../base/dom-property.mjs';

/**
 * The part of a Link that is used here.
 * @typedef {{ probe(): void, retryNow(): void, freeze(goodbye?: string): void, thaw(): void }}
 *   LifecycleLink
 */

/**
 * The part of a window, or of a worker's global scope, that is used here.
 * @typedef {EventTarget & { origin?: string, navigator?: { onLine?: boolean }, document?:
 *   EventTarget & { visibilityState: string } }} Scope
 */

/**
 * @param {LifecycleLink} link
 * @param {Scope | null} scope
 * @returns {() => void} stops
 */
export function followPageLifecycle(link, scope) {
  if (!scope) return () => {};
  const following = new AbortController();
  const { signal } = following;
  const on = (
    /** @type {EventTarget} */ target,
    /** @type {string} */ name,
    /** @type {(event: any) => void} */ run,
  ) => domCall(target, 'addEventListener', name, run, { signal });

  on(scope, 'online', () => {
    link.retryNow();
    link.probe();
  });
  on(scope, 'offline', () => link.probe());
  // A page that may come back from the history keeps its session. Its socket is closed, because a
  // page with an open socket is not kept in the history.
  on(scope, 'pagehide', (event) => (event.persisted ? link.freeze() : link.freeze('left')));
  on(scope, 'pageshow', () => link.thaw());
  const { document } = scope;
  if (document) {
    on(
      document,
      'visibilitychange',
      () => domGet(document, 'visibilityState') === 'visible' && link.probe(),
    );
    on(document, 'resume', () => link.probe()); // the socket may be dead
  }
  return () => following.abort();
}

/** The window or worker around, or null in Node. @returns {Scope | null} */
export function globalScope() {
  return typeof globalThis.addEventListener === 'function' ? /** @type {any} */ (globalThis) : null;
}
