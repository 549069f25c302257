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
 * @param {() => void} [lastWords] sends what is held back: the page is hidden or left
 * @returns {() => void} stops
 */
export function followPageLifecycle(link, scope, lastWords = () => {}) {
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
  on(scope, 'beforeunload', lastWords); // Firefox closes the socket between this and pagehide
  let hiding = new AbortController();
  on(scope, 'pagehide', ({ persisted }) => {
    lastWords();
    hiding.abort();
    hiding = new AbortController();
    const both = AbortSignal.any?.([signal, hiding.signal]) ?? hiding.signal;
    afterLastListener(scope, both, () => (persisted ? link.freeze() : link.freeze('left')));
  });
  on(scope, 'pageshow', () => {
    hiding.abort();
    link.thaw();
  });
  const { document } = scope;
  if (document) {
    on(document, 'visibilitychange', () => {
      if (domGet(document, 'visibilityState') === 'visible') link.probe();
      else lastWords(); // a phone may end a hidden page without another event
    });
    on(document, 'resume', () => link.probe()); // the socket may be dead
  }
  return () => following.abort();
}

/**
 * Runs something when the others who hear of the page's end have said what they have to say. They
 * may have come later than this listener, and Chromium calls listeners of the window in that order,
 * capturing or not. A visible page is told that it is hidden after all `pagehide` listeners, in the
 * same task.
 * @param {Scope} scope @param {AbortSignal} signal @param {() => void} run
 */
function afterLastListener(scope, signal, run) {
  const { document } = scope;
  if (
    document &&
    'onvisibilitychange' in document &&
    domGet(document, 'visibilityState') === 'visible'
  )
    scope.addEventListener('visibilitychange', run, { once: true, signal });
  else run();
}

/**
 * Runs at once, or when the page is shown that the browser has prepared before anybody wanted it.
 * @param {any} document or none @param {() => void} run
 */
export function whenShown(document, run) {
  if (document && domGet(document, 'prerendering'))
    domCall(document, 'addEventListener', 'prerenderingchange', run, { once: true });
  else run();
}

/** The window or worker around, or null in Node. @returns {Scope | null} */
export function globalScope() {
  return typeof globalThis.addEventListener === 'function' ? /** @type {any} */ (globalThis) : null;
}
