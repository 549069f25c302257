// SPDX-License-Identifier: MIT
// @ts-check
/** Checks the arguments of a TCPConnection, as the Direct Sockets API does. Pure. */
import { TCPConnectionError } from './base/errors.mjs';

/**
 * Options that TCPSocketOptions of the Direct Sockets API has too have the same names and meanings.
 * @typedef {object} TCPConnectionOptions
 * @property {boolean} [secure] TLS to the target, whose certificate must be valid for its name; by
 *   default false
 * @property {boolean} [noDelay] TCP_NODELAY: small pieces are sent at once; by default false
 * @property {number} [keepAliveDelay] milliseconds without traffic before TCP asks whether the
 *   target is alive, at least 1000; by default it never asks
 * @property {number} [receiveBufferSize] bytes that the target may send ahead of the reader, by
 *   default 1 MiB; the server has a limit of its own
 * @property {number} [sendBufferSize] bytes that may be written before `ready` makes the writer
 *   wait, by default 64 KiB
 * @property {number} [buffer] bytes that may wait behind send(), by default 16 MiB; beyond it
 *   send() throws `buffer-full`
 * @property {import('./connection.mjs').ServerConnection | string | URL} [via] the session that
 *   carries it: a connection, or a URL whose session all connections through it share. By default
 *   the session of the page's own program, or else of `/.httpsocket/connect` on the page's server
 */

/**
 * Options with their defaults.
 * @typedef {{ receiveBufferSize: number, sendBufferSize: number, buffer: number }} TCPSizes
 * @typedef {TCPConnectionOptions & TCPSizes} CheckedTCPOptions
 */

/** In bytes. */
const DEFAULT_SIZES = Object.freeze({
  receiveBufferSize: 1024 * 1024,
  sendBufferSize: 64 * 1024,
  buffer: 16 * 1024 * 1024,
});
const LEAST_KEEP_ALIVE_MS = 1000;
const MOST_NUMBER = 2 ** 32 - 1;

/**
 * @param {unknown} host
 * @param {unknown} port
 * @returns {{ host: string, port: number }}
 * @throws {TypeError | RangeError}
 */
export function checkedTarget(host, port) {
  if (typeof host !== 'string' || !host) throw new TypeError('the host is the name of one');
  const number = typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : port;
  if (typeof number !== 'number' || !Number.isInteger(number))
    throw new TypeError('the port is a whole number');
  if (number < 1 || number > 65_535)
    throw new RangeError(`the port is from 1 to 65535, not ${number}`);
  return { host, port: number };
}

/**
 * @param {TCPConnectionOptions} given
 * @returns {CheckedTCPOptions}
 * @throws {TypeError | DOMException} a NotSupportedError for `dnsQueryType`, as the server looks up
 *   the name
 */
export function checkedTCPOptions(given) {
  if (typeof given !== 'object' || given === null) throw new TypeError('the options are an object');
  const { keepAliveDelay, via } = given;
  if (/** @type {any} */ (given).dnsQueryType !== undefined)
    throw new DOMException(
      'dnsQueryType: the server looks for both kinds of address',
      'NotSupportedError',
    );
  if (keepAliveDelay !== undefined)
    checkNumber('keepAliveDelay', keepAliveDelay, LEAST_KEEP_ALIVE_MS);
  const sizes = { ...DEFAULT_SIZES };
  for (const name of /** @type {Array<keyof typeof DEFAULT_SIZES>} */ (Object.keys(sizes))) {
    const size = given[name];
    if (size !== undefined) sizes[name] = checkNumber(name, size, 1);
  }
  return {
    ...sizes,
    keepAliveDelay,
    via,
    secure: Boolean(given.secure),
    noDelay: Boolean(given.noDelay),
  };
}

/**
 * What the server is asked for.
 * @param {{ host: string, port: number }} target @param {TCPConnectionOptions} options
 */
export function tcpRequest({ host, port }, { secure, noDelay, keepAliveDelay }) {
  return {
    kind: 'tcp',
    host,
    port,
    ...(secure && { secure }),
    ...(noDelay && { noDelay }),
    ...(keepAliveDelay !== undefined && { keepAliveDelay }),
  };
}

/** @param {string} name @param {unknown} value @param {number} least @returns {number} */
function checkNumber(name, value, least) {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > MOST_NUMBER)
    throw new TypeError(`${name}: a whole number from ${least}`);
  return value;
}

/** The states of a TCPConnection. */
export const TCP_STATE = Object.freeze({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });

/**
 * @param {number} held bytes that wait for the target already @param {Uint8Array} bytes
 * @param {CheckedTCPOptions} options
 * @throws {TCPConnectionError} `buffer-full`
 */
export function checkRoom(held, bytes, { buffer }) {
  if (held + bytes.length > buffer)
    throw new TCPConnectionError('buffer-full', `${held} of ${buffer} bytes wait for the target`);
}

/** @param {string} why */
export function invalidState(why) {
  return new DOMException(why, 'InvalidStateError');
}
