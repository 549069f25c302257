// SPDX-License-Identifier: MIT
// @ts-check
/**
 * `document.serverConnection`: the connection to the program that made this page. It connects when
 * a script first uses the property, or else when the document has been parsed.
 */
import { ServerConnection } from './connection.mjs';
import { domCall, domGet } from './base/dom-property.mjs';
import { watchScrolling } from './dom/places.mjs';
import { typing } from './dom/typing.mjs';
import { isSession } from './proto/welcome.mjs';
import { CLOSE } from './proto/close-codes.mjs';

const RELOADED = 'httpsocket-reloaded';

/**
 * Where the document has the function that returns its connection. Unlike `serverConnection` this
 * is no name that an image or a form of the page can have.
 */
const PAGE_CONNECTION = Symbol.for('httpsocket.connection');

/**
 * @param {any} document
 * @returns {void}
 */
export function installServerConnection(document) {
  if (document[PAGE_CONNECTION]) return; // this script was loaded twice
  typing.watch(document);
  watchScrolling(document);
  const url = document.location.href; // read now, as scripts may change it
  const declared = domGet(document, 'currentScript')?.dataset?.session;
  /** @type {ServerConnection | undefined} */
  let connection;
  const touch = () => {
    if (connection) return connection;
    connection = new ServerConnection(url, {
      session: findSession(document, declared),
      recover: reloadStalePage,
    });
    connection.addEventListener('open', forgetReload);
    return connection;
  };
  document[PAGE_CONNECTION] = touch;
  const property = { get: touch, enumerable: true, configurable: true };
  if (!Reflect.defineProperty(document, 'serverConnection', property))
    Reflect.defineProperty(Object.getPrototypeOf(document), 'serverConnection', property);
  const parsed = () => void (findSession(document, declared) && touch());
  if (domGet(document, 'readyState') === 'loading')
    domCall(document, 'addEventListener', 'DOMContentLoaded', parsed, { once: true });
  else parsed();
}

/** The connection of the page. @returns {ServerConnection} */
export function connectionOfPage() {
  return /** @type {any} */ (document)[PAGE_CONNECTION]();
}

/**
 * The session that this page's answer has begun, from the first place that has it: `data-session`
 * of the script element, the `<meta>` that the server puts into the head, or the header
 * `Server-Timing`.
 * @param {any} document
 * @param {string | undefined} declared
 * @returns {string | null}
 */
export function findSession(document, declared) {
  const candidates = [
    () => declared ?? findIn(document, 'script[data-session]')?.dataset.session,
    () => findIn(document, 'meta[name="httpsocket-session"]')?.content,
    () =>
      navigation()?.serverTiming?.find((/** @type {any} */ entry) => entry.name === 'session')
        ?.description,
  ];
  for (const candidate of candidates) {
    const found = candidate();
    if (isSession(found)) return found;
  }
  return null;
}

/** @param {any} document @param {string} selector */
function findIn(document, selector) {
  return domCall(document, 'querySelector', selector);
}

/**
 * A page from the history, from a cache or in a duplicated tab has a session that is over, or that
 * another page uses. Such a page is loaded again, but only once, and only where the browser can
 * remember that.
 * @param {import('./proto/close-codes.mjs').End} end
 * @returns {boolean} whether the page is being loaded again
 */
function reloadStalePage({ code }) {
  if ((code !== CLOSE.SESSION_TAKEN && code !== CLOSE.SESSION_GONE) || !isOldCopy(navigation()))
    return false;
  try {
    if (sessionStorage.getItem(RELOADED) === location.href) return false;
    sessionStorage.setItem(RELOADED, location.href);
  } catch {
    return false; // sessionStorage is forbidden
  }
  location.reload();
  return true;
}

/** The page has its session, so a later copy of it may be loaded again. */
function forgetReload() {
  try {
    sessionStorage.removeItem(RELOADED);
  } catch {
    // sessionStorage is forbidden
  }
}

/**
 * @param {any} entry the navigation's performance entry
 * @returns {boolean} whether this page came from the history or from a cache
 */
export function isOldCopy(entry) {
  return (
    entry?.type === 'back_forward' || entry?.deliveryType === 'cache' || entry?.transferSize === 0
  );
}

/** @returns {any} */
function navigation() {
  return performance.getEntriesByType('navigation')[0];
}
