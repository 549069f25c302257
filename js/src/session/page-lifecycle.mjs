// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What happens to the page around a link: the network goes and comes, the page is hidden and shown, put away and
 * taken out again, left. Where there is no page (Node), nothing happens.
 */

/** The part of a Link that this needs.
 * @typedef {{ probe(): void, nudge(): void, freeze(goodbye?: string): void, thaw(): void }} Living */

/**
 * The part of a window, or of a worker's global scope, that this needs.
 * @typedef {EventTarget & { origin?: string, navigator?: { onLine?: boolean },
 *   document?: EventTarget & { visibilityState: string } }} Scope
 */

/**
 * @param {Living} link
 * @param {Scope | null} scope
 * @returns {() => void} follows no longer
 */
export function followLife(link, scope) {
  if (!scope) return () => {};
  const following = new AbortController();
  const { signal } = following;
  const on = (
    /** @type {EventTarget} */ target,
    /** @type {string} */ name,
    /** @type {(event: any) => void} */ run,
  ) => target.addEventListener(name, run, { signal });

  on(scope, 'online', () => {
    link.nudge();
    link.probe();
  });
  on(scope, 'offline', () => link.probe());
  // A page that may come back from the history keeps its session whole; a socket would keep it out of there.
  on(scope, 'pagehide', (event) => (event.persisted ? link.freeze() : link.freeze('left')));
  on(scope, 'pageshow', () => link.thaw());
  const { document } = scope;
  if (document) {
    on(document, 'visibilitychange', () => document.visibilityState === 'visible' && link.probe());
    on(document, 'resume', () => link.probe()); // thawed by the browser: the socket may have died meanwhile
  }
  return () => following.abort();
}

/** The window or worker that we are in, or null. @returns {Scope | null} */
export function ownScope() {
  return typeof globalThis.addEventListener === 'function' ? /** @type {any} */ (globalThis) : null;
}
