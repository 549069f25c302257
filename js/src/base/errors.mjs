// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a ServerConnection throws, rejects with and reports: one class, told apart by `code`.
 *
 * | code | when |
 * | --- | --- |
 * | `bad-url` | the constructor got a URL that can't be connected to |
 * | `bad-name` | the name of an event, a call or a handler is not one |
 * | `bad-option` | an option has no sense |
 * | `unsendable` | data that JSON has no way to say: a function, a cycle, a BigInt, bytes inside of a structure … |
 * | `too-large` | one message is larger than the server takes, or than the outgoing buffer |
 * | `buffer-full` | the outgoing buffer is full; `bufferedAmount` shows it, nothing was sent |
 * | `closed` | the session is over, or `close()` was called |
 * | `timeout` | a call got no answer in time |
 * | `aborted` | the caller's signal was aborted; `cause` is its reason |
 * | `remote` | the program answered with an error; `message` is the program's, `data` all of it |
 * | `several-answers` | the program answered a `call()` with several answers: use `stream()` |
 * | `stream-failed` | a byte stream or an upload is over before its end; `data.reason` is the program's or the server's |
 * | `overrun` | a `stream()` was read so much slower than the program wrote that its buffer is full |
 *
 * Only reported, by the event `error`: `connect-failed` (it is tried again), `reserved-name` (the program sent an event
 * with the name of a lifecycle event), `unknown-call` (the program answered what was never asked) and `too-large`.
 */
export class ServerConnectionError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ cause?: unknown, data?: unknown }} [more]
   */
  constructor(code, message, more = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined);
    /** Which error it is; it stays the same, whatever the message says. */
    this.code = code;
    /** With code `remote`: what the program said. */
    this.data = more.data;
    this.name = NAMES[code] ?? 'ServerConnectionError';
  }
}

/**
 * What a TCPConnection rejects with and reports. Its `code` is the token of what happened: one of script access
 * (docs/access.md, section 6), such as `no-record`, `origin-not-allowed`, `script-denied`, `dns-timeout`; one of the
 * connection's own, or of the session's end.
 *
 * | code | when |
 * | --- | --- |
 * | `target-refused` `connect-timeout` `tls-failed` | the target could not be reached so |
 * | `connection-reset` `idle-timeout` `revoked` | it was open |
 * | `overload` `draining` `streams-full` `streams-unsupported` | the server has no room, or no streams, for it |
 * | `stream-gone` | the server does not know it any more |
 * | `aborted` | we gave it up: `abort()`, or `disconnect()` before it was open; `cause` is the reason |
 * | `buffer-full` | thrown by send(): nothing was sent |
 * | `closed` | it is over, or our side of it is |
 * | `session-gone`, `program-exit`, … `session-over` | the session that carried it has ended |
 */
export class TCPConnectionError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ cause?: unknown, retryAfter?: number | null }} [more]
   */
  constructor(code, message, more = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined);
    /** Which error it is; it stays the same, whatever the message says. */
    this.code = code;
    /** Seconds not to come back before, or null where nobody said. @type {number | null} */
    this.retryAfter = more.retryAfter ?? null;
    this.name = TCP_NAMES[code] ?? 'NetworkError';
  }
}

/** The names that DOM code knows for the same. @type {Record<string, string>} */
const NAMES = { aborted: 'AbortError', timeout: 'TimeoutError' };

/** @type {Record<string, string>} */
const TCP_NAMES = {
  aborted: 'AbortError',
  'buffer-full': 'QuotaExceededError',
  closed: 'InvalidStateError',
};
