// SPDX-License-Identifier: MIT
// @ts-check
/**
 * `document.serverConnection`: the connection to the program that made this page. It connects when
 * a script first uses the property, or else when the document has been parsed.
 */
import { systemClock } from './base/clock.mjs';
import { ServerConnection } from './connection.mjs';
import { domCall, domGet } from './base/dom-property.mjs';
import { watchScrolling } from './dom/scrolled.mjs';
import { EarlyPage } from './events/early-page.mjs';
import { typed } from './dom/typed.mjs';
import { isOldCopy, navigation } from './page/navigation.mjs';
import { PageLife } from './page/page-life.mjs';
import { Unheard } from './session/unheard.mjs';
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
  typed.watch(document);
  watchScrolling(document);
  // From now on nothing is lost that happens before the program listens.
  const early = domGet(document, 'defaultView') ? new EarlyPage(document, systemClock) : undefined;
  const unheard = early && new Unheard(document, systemClock, navigation());
  const url = document.location.href; // read now, as scripts may change it
  const script = domGet(document, 'currentScript');
  const declared = script?.dataset?.session;
  const marked = script ?? domCall(document, 'querySelector', 'script[data-sign]');
  const life = new PageLife(document, {
    clock: systemClock,
    url: url.replace(/#.*/, ''),
    sign: marked?.dataset?.sign !== 'off',
    probe: clientUrl(script?.src, url),
    secrets: early?.secrets,
  });
  /** @type {ServerConnection | undefined} */
  let connection;
  const touch = () => {
    if (connection) return connection;
    const session = findSession(document, declared);
    if (session === null) early?.stop();
    connection = new ServerConnection(url, {
      session,
      early,
      unheard,
      ends: (manner) => life.endsBy(manner),
      recover: (end) => reloadStalePage(end, life),
    });
    connection.addEventListener('open', forgetReload);
    if (session !== null) life.follow(connection);
    return connection;
  };
  document[PAGE_CONNECTION] = touch;
  const property = { get: touch, enumerable: true, configurable: true };
  if (!Reflect.defineProperty(document, 'serverConnection', property))
    Reflect.defineProperty(Object.getPrototypeOf(document), 'serverConnection', property);
  const parsed = () => {
    life.parsed();
    if (findSession(document, declared)) touch();
    else early?.stop();
  };
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
 * @param {import('./proto/close-codes.mjs').End} end @param {PageLife} life
 * @returns {boolean} whether the page is being loaded again
 */
function reloadStalePage({ code }, life) {
  if (code !== CLOSE.SESSION_TAKEN && !(code === CLOSE.SESSION_GONE && isOldCopy())) return false;
  try {
    if (sessionStorage.getItem(RELOADED) === location.href) return false;
    sessionStorage.setItem(RELOADED, location.href);
  } catch {
    return false; // sessionStorage is forbidden
  }
  return life.load();
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
 * Where the server has the client: a cheap address to ask whether the server is there.
 * @param {string | undefined} src of the script element @param {string} page
 */
function clientUrl(src, page) {
  const own = src && new URL(src, page);
  if (own && own.origin === location.origin && own.pathname.includes('/.httpsocket/')) return src;
  return '/.httpsocket/client.js';
}
