// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Chooses the session that carries a TCPConnection. A page that has a program uses the program's
 * session. Otherwise all connections through one URL share a session; it is made for the first of
 * them, and closed a minute after the last has gone.
 */
import { Timer, systemClock } from './base/clock.mjs';
import { internalsOf, ServerConnection } from './connection.mjs';
import { connectionOfPage, findSession } from './document.mjs';
import { webSocketUrl } from './connection-options.mjs';

const IDLE_MS = 60_000;
/** Where a server takes connections of pages without a program. */
const COMMON_PATH = '/.httpsocket/connect';

/** @typedef {{ connection: ServerConnection, release: () => void }} Gateway */

/** @typedef {{ connection: ServerConnection, users: number, idle: Timer }} SharedGateway */

/** By URL. @type {Map<string, SharedGateway>} */
const sharedGateways = new Map();

/**
 * @param {unknown} [via] a ServerConnection, a URL, or undefined: the page's own
 * @returns {Gateway} call its release() once
 * @throws {TypeError}
 */
export function findGateway(via) {
  if (via === undefined) return pageGateway();
  if (via instanceof ServerConnection) return { connection: via, release: () => {} };
  if (typeof via !== 'string' && !(via instanceof URL))
    throw new TypeError('via: a ServerConnection or a URL');
  try {
    return shareGateway(webSocketUrl(via));
  } catch (cause) {
    throw new TypeError(`via: ${/** @type {Error} */ (cause).message}`, { cause });
  }
}

/**
 * The key of the bans for a TCP target. It names the server too: what one server refuses, another
 * may allow.
 * @param {{ host: string, port: number }} target
 * @param {ServerConnection} connection
 * @returns {import('./access/bans.mjs').BanKey}
 */
export function targetBanKey({ host, port }, connection) {
  const { url, origin } = internalsOf(connection);
  const { protocol, host: server } = new URL(url);
  return {
    origin: origin ?? '',
    target: `tcp://${host.toLowerCase()}:${port} ${protocol}//${server}`,
    path: '/',
  };
}

/** @returns {Gateway} */
function pageGateway() {
  const { document, location } = globalThis;
  if (!location) throw new TypeError('via: there is no page here whose server could be meant');
  if (document && findSession(document, undefined))
    return { connection: connectionOfPage(), release: () => {} };
  return shareGateway(webSocketUrl(new URL(COMMON_PATH, location.href)));
}

/** @param {string} url @returns {Gateway} */
function shareGateway(url) {
  const there = sharedGateways.get(url);
  const shared =
    there && there.connection.readyState !== ServerConnection.CLOSED
      ? there
      : makeSharedGateway(url);
  shared.users++;
  shared.idle.clear();
  const release = () => {
    if (--shared.users === 0) shared.idle.set(IDLE_MS, () => closeIdleGateway(url, shared));
  };
  return { connection: shared.connection, release };
}

/** @param {string} url @returns {SharedGateway} */
function makeSharedGateway(url) {
  const shared = { connection: new ServerConnection(url), users: 0, idle: new Timer(systemClock) };
  sharedGateways.set(url, shared);
  return shared;
}

/** @param {string} url @param {SharedGateway} shared */
function closeIdleGateway(url, shared) {
  if (sharedGateways.get(url) === shared) sharedGateways.delete(url);
  shared.connection.close('idle');
}
