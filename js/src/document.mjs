// SPDX-License-Identifier: MIT
// @ts-check
/**
 * `document.serverConnection`: the connection to the program that made this page. It connects when it is first
 * touched, and at the latest when the document has been parsed.
 */
import { ServerConnection } from './connection.mjs';
import { typing } from './dom/typing.mjs';
import { isSession } from './proto/welcome.mjs';
import { CLOSE } from './proto/close-codes.mjs';

const RELOADED = 'httpsocket-reloaded';

/**
 * @param {any} document
 * @returns {void}
 */
export function installServerConnection(document) {
  if ('serverConnection' in document) return; // loaded twice: the first one has it
  typing.watch(document);
  const url = document.location.href; // now: scripts may change it later, the program's path stays
  const declared = document.currentScript?.dataset?.session;
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
  Object.defineProperty(document, 'serverConnection', {
    get: touch,
    enumerable: true,
    configurable: true,
  });
  const parsed = () => void (findSession(document, declared) && touch());
  if (document.readyState === 'loading')
    document.addEventListener('DOMContentLoaded', parsed, { once: true });
  else parsed();
}

/**
 * The session that this page's answer has begun, from the first place that has it: `data-session` on the script
 * element, the `<meta>` that the server puts into the head, the header `Server-Timing`.
 * @param {any} document
 * @param {string | undefined} declared
 * @returns {string | null}
 */
export function findSession(document, declared) {
  const places = [
    () => declared ?? document.querySelector('script[data-session]')?.dataset.session,
    () => document.querySelector('meta[name="httpsocket-session"]')?.content,
    () =>
      navigation()?.serverTiming?.find((/** @type {any} */ entry) => entry.name === 'session')
        ?.description,
  ];
  for (const place of places) {
    const found = place();
    if (isSession(found)) return found;
  }
  return null;
}

/**
 * A page out of the history, a cache or a duplicated tab names a session that is gone or that another page has. It is
 * loaded again, once: not if that was done already and was no help, nor where the browser lets no note of it be kept.
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
    return false; // storage is forbidden here
  }
  location.reload();
  return true;
}

/** The page has its session: a later copy of it may be loaded again. */
function forgetReload() {
  try {
    sessionStorage.removeItem(RELOADED);
  } catch {
    // storage is forbidden here
  }
}

/** @param {any} entry of the navigation @returns {boolean} whether this page came from the history or a cache */
export function isOldCopy(entry) {
  return (
    entry?.type === 'back_forward' || entry?.deliveryType === 'cache' || entry?.transferSize === 0
  );
}

/** @returns {any} */
function navigation() {
  return performance.getEntriesByType('navigation')[0];
}
