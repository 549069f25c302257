// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The error that a ServerConnection throws, rejects with and reports. `code` says which error it
 * is.
 *
 * | code | when |
 * | --- | --- |
 * | `bad-url` | the constructor got a URL that can't be connected to |
 * | `bad-name` | the name of an event, a call or a handler is not valid |
 * | `bad-option` | an option makes no sense |
 * | `unsendable` | JSON can't express the data: a function, a cycle, a BigInt, nested bytes … |
 * | `too-large` | one message is larger than the server takes, or than the outgoing buffer |
 * | `buffer-full` | the outgoing buffer is full (see `bufferedAmount`); nothing was sent |
 * | `closed` | the session is over, or `close()` was called |
 * | `timeout` | a call got no answer in time |
 * | `aborted` | the caller's signal was aborted; `cause` is its reason |
 * | `remote` | the program answered with an error: `message`, and all of it in `data` |
 * | `several-answers` | the program answered a `call()` with several answers: use `stream()` |
 * | `stream-failed` | a byte stream or an upload ended early; `data.reason` says why |
 * | `part-refused` | the page's Content-Security-Policy refuses a part of client.js |
 * | `part-blocked` | something keeps a part of client.js back, though the line stands |
 * | `part-gone` | the server has another version of client.js, and not this part |
 * | `overrun` | the page read a `stream()` too slowly, and the stream's buffer is full |
 *
 * Some codes are only reported, by the event `error`: `connect-failed` (another attempt follows),
 * `part-refused`, `part-blocked` and `part-gone` (what the program has asked for is left out),
 * `reserved-name` (the program sent an event with the name of a lifecycle event), `unknown-call`
 * (the program answered a call that was never made), `too-large`, and `not-sent` (the user has
 * submitted a form that only the program could have heard; also after `close`).
 */
export class ServerConnectionError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ cause?: unknown, data?: unknown }} [more]
   */
  constructor(code, message, more = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined);
    /** Which error it is. The code stays the same, whatever the message says. */
    this.code = code;
    /** With code `remote`: what the program said. */
    this.data = more.data;
    this.name = NAMES[code] ?? 'ServerConnectionError';
  }
}

/**
 * The error that a TCPConnection rejects with and reports. `code` is a token of script access
 * (docs/access.md, section 6), such as `no-record`, `origin-not-allowed`, `script-denied` or
 * `dns-timeout`; or a token of the connection's own; or that of the session's end.
 *
 * | code | when |
 * | --- | --- |
 * | `target-refused` `connect-timeout` `tls-failed` | the target could not be reached |
 * | `connection-reset` `idle-timeout` `revoked` | an open connection was ended |
 * | `overload` `draining` `streams-full` `streams-unsupported` | the server can't carry it now |
 * | `stream-gone` | the server does not know the connection any more |
 * | `aborted` | `abort()`, or `disconnect()` before it was open; `cause` is the reason |
 * | `buffer-full` | thrown by send(): nothing was sent |
 * | `closed` | the connection is over, or this side of it is |
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
    /** Which error it is. The code stays the same, whatever the message says. */
    this.code = code;
    /**
     * How many seconds the page should wait before it tries again; null: the server did not say.
     * @type {number | null}
     */
    this.retryAfter = more.retryAfter ?? null;
    this.name = TCP_NAMES[code] ?? 'NetworkError';
  }
}

/** The `name` of an error, as the DOM names such errors. @type {Record<string, string>} */
const NAMES = { aborted: 'AbortError', timeout: 'TimeoutError' };

/** @type {Record<string, string>} */
const TCP_NAMES = {
  aborted: 'AbortError',
  'buffer-full': 'QuotaExceededError',
  closed: 'InvalidStateError',
};
