// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Which session carries a TCPConnection. A page with a program has one. Otherwise all connections through one URL share
 * a session, which is made for the first of them and closed when none has been left for a minute.
 */
import { Alarm, systemClock } from './base/clock.mjs';
import { insideOf, ServerConnection } from './connection.mjs';
import { findSession } from './document.mjs';
import { webSocketUrl } from './connection-options.mjs';

const IDLE_MS = 60_000;
/** Where a server takes connections of pages without a program. */
const COMMON_PATH = '/.httpsocket/connect';

/** @typedef {{ connection: ServerConnection, release: () => void }} Gateway */

/** @typedef {{ connection: ServerConnection, users: number, idle: Alarm }} Shared */

/** By their URLs. @type {Map<string, Shared>} */
const sharedGateways = new Map();

/**
 * @param {unknown} [via] a ServerConnection, a URL, or undefined: what there is
 * @returns {Gateway} its release() is to be called once
 * @throws {TypeError}
 */
export function findGateway(via) {
  if (via === undefined) return ownGateway();
  if (via instanceof ServerConnection) return { connection: via, release: () => {} };
  if (typeof via !== 'string' && !(via instanceof URL))
    throw new TypeError('via: a ServerConnection or a URL');
  try {
    return share(webSocketUrl(via));
  } catch (cause) {
    throw new TypeError(`via: ${/** @type {Error} */ (cause).message}`, { cause });
  }
}

/**
 * The place of a target, for bans: what one server refuses another may allow.
 * @param {{ host: string, port: number }} target
 * @param {ServerConnection} connection
 * @returns {import('./access/bans.mjs').Place}
 */
export function targetPlace({ host, port }, connection) {
  const { url, origin } = insideOf(connection);
  const { protocol, host: server } = new URL(url);
  return {
    origin: origin ?? '',
    target: `tcp://${host.toLowerCase()}:${port} ${protocol}//${server}`,
    path: '/',
  };
}

/** @returns {Gateway} */
function ownGateway() {
  const { document, location } = globalThis;
  if (!location) throw new TypeError('via: there is no page here whose server could be meant');
  if (document && findSession(document, undefined))
    return { connection: /** @type {any} */ (document).serverConnection, release: () => {} };
  return share(webSocketUrl(new URL(COMMON_PATH, location.href)));
}

/** @param {string} url @returns {Gateway} */
function share(url) {
  const there = sharedGateways.get(url);
  const shared =
    there && there.connection.readyState !== ServerConnection.CLOSED ? there : makeShared(url);
  shared.users++;
  shared.idle.clear();
  const release = () => {
    if (--shared.users === 0) shared.idle.set(IDLE_MS, () => retire(url, shared));
  };
  return { connection: shared.connection, release };
}

/** @param {string} url @returns {Shared} */
function makeShared(url) {
  const shared = { connection: new ServerConnection(url), users: 0, idle: new Alarm(systemClock) };
  sharedGateways.set(url, shared);
  return shared;
}

/** @param {string} url @param {Shared} shared */
function retire(url, shared) {
  if (sharedGateways.get(url) === shared) sharedGateways.delete(url);
  shared.connection.close('idle');
}
