// SPDX-License-Identifier: MIT
// @ts-check
/** The options, the URL and the key of a ServerConnection. Pure, except for the key. */
import { domGet } from './base/dom-property.mjs';
import { ServerConnectionError } from './base/errors.mjs';
import { isSession } from './proto/welcome.mjs';

/**
 * @typedef {object} ServerConnectionOptions
 * @property {string | null} [session] the id of a session that a page's answer has begun; null:
 *   there is none, so the connection fails at once
 * @property {number} [buffer] bytes that may wait for the program, by default 16 MiB; beyond it
 *   send() throws `buffer-full`
 * @property {number} [streamBuffer] bytes of answers that a stream() holds for a slow reader, by
 *   default 16 MiB
 * @property {number} [closeTimeout] milliseconds that close() may take to deliver what is queued,
 *   by default 30 s
 * @property {boolean} [dom] whether the program may listen to this page's document and change it;
 *   by default only a program of the page's own origin may
 * @property {any} [WebSocket] its constructor, where there is none, as in Node 20: that of the npm
 *   package `ws`
 * @property {unknown} [webSocketOptions] a third argument for that constructor; with `ws`: `{
 *   origin: 'https://a.example' }`
 * @property {typeof globalThis.fetch} [fetch] asks a server of another origin why it refused; by
 *   default the platform's
 * @property {import('./access/expiring-store.mjs').ExpiringStore} [store] where bans are kept, for
 *   tests
 * @property {import('./base/clock.mjs').Clock} [clock] time and chance, for tests
 * @property {import('./session/page-lifecycle.mjs').Scope | null} [scope] the window or worker
 *   whose events it follows, for tests
 * @property {import('./events/early-page.mjs').EarlyPage} [early] knows what has happened in the
 *   page so far, if the program is the page's own
 * @property {import('./session/unheard.mjs').Unheard} [unheard] what waits until the scripts of the
 *   page hear it, if the program is the page's own
 * @property {(end: import('./proto/close-codes.mjs').End) => boolean} [recover] called when the
 *   session ends before it was ever open; true: the caller has recovered (by a reload of the page),
 *   so no `close` is fired
 * @property {(manner: import('./page/page-life.mjs').EndManner) => void} [ends] called before that
 */

/** @type {ReadonlyArray<'buffer' | 'streamBuffer' | 'closeTimeout'>} */
const NUMBERS = Object.freeze(['buffer', 'streamBuffer', 'closeTimeout']);

/** @type {Readonly<Record<'buffer' | 'streamBuffer' | 'closeTimeout', number>>} */
const DEFAULTS = Object.freeze({
  buffer: 16 * 1024 * 1024,
  streamBuffer: 16 * 1024 * 1024,
  closeTimeout: 30_000,
});

/**
 * @param {ServerConnectionOptions} given
 * @returns {ServerConnectionOptions & typeof DEFAULTS}
 * @throws {ServerConnectionError} `bad-option`
 */
export function checkedOptions(given) {
  const { WebSocket, fetch } = globalThis;
  const options = { ...DEFAULTS, WebSocket, fetch: fetch?.bind(globalThis), ...definedOf(given) };
  for (const name of NUMBERS)
    if (typeof options[name] !== 'number' || !(options[name] >= 0))
      throw badOption(`${name}: a number from 0`);
  if (options.session != null && !isSession(options.session))
    throw badOption('session: 24 of A-Z a-z 0-9 - _');
  if (options.dom !== undefined && typeof options.dom !== 'boolean')
    throw badOption('dom: true or false');
  if (typeof options.WebSocket !== 'function')
    throw badOption('there is no WebSocket here: give one');
  return options;
}

/**
 * Without the options that are undefined, which stand for their defaults.
 * @param {ServerConnectionOptions} given @returns {ServerConnectionOptions}
 */
function definedOf(given) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** @param {string} what */
function badOption(what) {
  return new ServerConnectionError('bad-option', what);
}

const SCHEMES = new Map([
  ['http:', 'ws:'],
  ['https:', 'wss:'],
  ['ws:', 'ws:'],
  ['wss:', 'wss:'],
]);

/**
 * @param {string | URL} url relative to the document or the worker's script
 * @returns {string} absolute, of ws or wss, without a fragment
 * @throws {ServerConnectionError} `bad-url`
 */
export function webSocketUrl(url) {
  const base = (globalThis.document && domGet(document, 'baseURI')) ?? globalThis.location?.href;
  let whole;
  try {
    whole = new URL(url, base);
  } catch (cause) {
    throw new ServerConnectionError('bad-url', `no URL: ${url}`, { cause });
  }
  const scheme = SCHEMES.get(whole.protocol);
  if (!scheme || whole.username || whole.password)
    throw new ServerConnectionError(
      'bad-url',
      'a URL of http, https, ws or wss, without a password',
    );
  whole.protocol = scheme;
  whole.hash = '';
  return whole.href;
}

/**
 * The origin that connections are made for: the page's, or the one that a client in Node gives to
 * `ws`. Null: none.
 * @param {ServerConnectionOptions} options
 * @param {import('./session/page-lifecycle.mjs').Scope | null} scope
 * @returns {string | null}
 */
export function originOf({ webSocketOptions }, scope) {
  const given = /** @type {any} */ (webSocketOptions)?.origin ?? scope?.origin;
  return typeof given === 'string' ? given : null;
}

/**
 * Why a program at `url` may not use this document, or null if it may.
 * @param {ServerConnectionOptions} options @param {string} url of a WebSocket
 * @returns {string | null}
 */
export function domRefusal({ dom }, url) {
  if (!globalThis.document) return 'there is no document here';
  if (dom === false) return 'the page keeps its document to itself ({ dom: false })';
  if (dom || !isForeign(url)) return null;
  return 'the page has not opened its document to programs of other origins ({ dom: true })';
}

/** Whether the URL has another origin than the page. @param {string} url of a WebSocket */
export function isForeign(url) {
  return new URL(url.replace(/^ws/, 'http')).origin !== globalThis.location?.origin;
}

/** 192 random bits as 32 characters. */
export function makeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}
