// SPDX-License-Identifier: MIT
// @ts-check
/**
 * `TCPConnection`: a TCP connection of this page. Its server makes it, and it survives dropped
 * connections of the page, as the session does.
 */
import { ServerConnection } from './connection.mjs';
import { bytesOf } from './streams/late-duplex.mjs';
import { TCPConnectionError } from './base/errors.mjs';
import { webSocketUrl } from './connection-options.mjs';
import { HandlerTarget, ServerEvent } from './base/handler-target.mjs';
import { loadPart, partHere } from './base/parts.mjs';
import {
  checkedTarget,
  checkedTCPOptions,
  checkRoom,
  invalidState,
  TCP_STATE,
} from './tcp-options.mjs';

/** @typedef {import('./tcp-options.mjs').TCPConnectionOptions} TCPConnectionOptions */
/** @typedef {import('./tcp-machine.mjs').TCPMachine} TCPMachine */

/**
 * What `opened` is fulfilled with. The names are those of the Direct Sockets API.
 * @typedef {object} TCPConnectionOpenInfo
 * @property {ReadableStream<Uint8Array<ArrayBuffer>>} readable a byte stream
 * @property {WritableStream<ArrayBufferLike | ArrayBufferView>} writable
 * @property {string} remoteAddress
 * @property {number} remotePort
 * @property {string} localAddress of the server: the address that the target sees
 * @property {number} localPort
 */

/**
 * A TCP connection to a server that consents to it (docs/access.md), with the names of the Direct
 * Sockets API:
 *
 *     const t = new TCPConnection("imap.b.example", 993, { secure: true });
 *     const { readable, writable } = await t.opened;
 *
 * or, simply:
 *
 *     t.onread = (bytes) => …;
 *     t.send("a LOGIN …\r\n");
 *
 * Both ways can be combined, one for each direction: the first listener for `read` locks
 * `readable`, and the first send() locks `writable`, each for good. If the page has locked that
 * stream before, they throw an InvalidStateError.
 *
 * Events, each with `data`: `open` ({@link TCPConnectionOpenInfo}); `read` (a Uint8Array); `error`
 * ({@link TCPConnectionError}: the connection has failed); `close`, once and last (`{ code, reason,
 * retryAfter }`, with code `closed` if nothing went wrong).
 */
export class TCPConnection extends HandlerTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;

  #target;
  #options;
  /** Null: it is still being loaded. @type {TCPMachine | null} */
  #machine = null;
  /**
   * What it is to do then; and how many bytes it is to send.
   * @type {((machine: TCPMachine) => void)[]}
   */
  #orders = [];
  #sent = 0;
  /** @type {number} */
  #state = TCP_STATE.CONNECTING;
  /** @type {Promise<TCPConnectionOpenInfo>} */
  #opened;
  /** @type {Promise<void>} */
  #closed;

  /**
   * Connects. A target that has refused this origin is not asked again while the ban is in force,
   * by any tab.
   * @param {string} host a name, not an address
   * @param {number} port
   * @param {TCPConnectionOptions} [options]
   * @throws {TypeError | RangeError | DOMException} at once, for arguments that make no sense
   */
  constructor(host, port, options = {}) {
    super();
    this.#target = checkedTarget(host, port);
    this.#options = checkedTCPOptions(options);
    const part = partHere('tcp');
    if (!part) checkVia(this.#options.via);
    /** @type {any} */
    let settle;
    this.#opened = new Promise((opened, refused) => (settle = { target: this, opened, refused }));
    this.#closed = part
      ? this.#begin(part, settle)
      : loadPart('tcp').then(
          (part) => this.#begin(part, settle),
          (error) => this.#fail(error, settle),
        );
    // The event `error` reports a failure, too.
    this.#opened.catch(() => {});
    this.#closed.catch(() => {});
  }

  /**
   * CONNECTING 0, OPEN 1, CLOSING 2 (disconnect() was called, the target has ended the connection,
   * or a ban is in force), CLOSED 3.
   * @returns {number}
   */
  get readyState() {
    return this.#machine?.state ?? this.#state;
  }

  /** Fulfilled when the target is reached. Rejected with a {@link TCPConnectionError}. */
  get opened() {
    return this.#opened;
  }

  /**
   * Fulfilled when both streams are done: `readable` was read to the end or cancelled, `writable`
   * was closed. Rejected with a {@link TCPConnectionError} if the connection failed.
   */
  get closed() {
    return this.#closed;
  }

  /** `tls` if the connection is secure, otherwise `tcp`. */
  get network() {
    return this.#options.secure ? 'tls' : 'tcp';
  }

  /** The address of the target, or empty before the target is reached. */
  get peer() {
    return this.#machine?.peer ?? '';
  }

  /** The port of the target. */
  get port() {
    return this.#target.port;
  }

  /** Bytes that were written here and that the server is not known to have. */
  get bufferedAmount() {
    return this.#machine?.held ?? this.#sent;
  }

  /**
   * Adds a listener. The first listener for `read` locks `readable`.
   * @param {string} name
   * @param {((event: any) => any) | { handleEvent(event: any): any } | null} listener
   * @param {boolean | AddEventListenerOptions} [options]
   * @throws {DOMException} InvalidStateError: for `read`, if the page reads from `readable`
   */
  // @ts-ignore: the base is every EventTarget, and has overloads
  addEventListener(name, listener, options) {
    if (name === 'read' && listener) this.#order((machine) => machine.startReading());
    super.addEventListener(name, listener, options);
  }

  /**
   * Sends, now or when the connection is open. The first call locks `writable`.
   * @param {string | ArrayBufferLike | ArrayBufferView} data a string is sent as UTF-8; bytes are
   *   copied
   * @throws {TCPConnectionError | TypeError | DOMException} at once, and nothing is sent:
   *   `buffer-full`, `closed`; a TypeError for data that is neither; InvalidStateError if the page
   *   has locked `writable`
   */
  send(data) {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : bytesOf(data).slice();
    if (!this.#machine) {
      if (this.#state >= TCP_STATE.CLOSING)
        throw new TCPConnectionError('closed', 'the connection is closed');
      checkRoom(this.#sent, bytes, this.#options);
      this.#sent += bytes.length;
    }
    this.#order((machine) => machine.send(bytes));
  }

  /**
   * Ends the connection: what was sent still arrives, and nothing more is read. A connection that
   * is not open yet, and by which nothing was sent, is given up. `close` is fired when it is done.
   * @throws {DOMException} InvalidStateError if the page has locked a stream
   */
  disconnect() {
    if (this.#state < TCP_STATE.CLOSING) this.#order((machine) => machine.disconnect());
    if (!this.#machine) this.#state = Math.max(this.#state, TCP_STATE.CLOSING);
  }

  /**
   * Ends the connection as disconnect() does, with the rules of the Direct Sockets API.
   * @returns {Promise<void>} `closed`; rejected with an InvalidStateError if the connection is not
   *   open yet, or if the page has locked a stream
   */
  async close() {
    if (this.#machine) return this.#machine.close();
    if (this.#state === TCP_STATE.CONNECTING) throw invalidState('it is not open yet');
    return this.#closed;
  }

  /** @param {(machine: TCPMachine) => void} order done now, or when the part is here */
  #order(order) {
    if (this.#machine) order(this.#machine);
    else this.#orders.push(order);
  }

  /** @param {any} part @param {any} owner @returns {Promise<void>} becomes `closed` */
  #begin(part, owner) {
    const machine = /** @type {TCPMachine} */ (
      new part.TCPMachine(this.#target, this.#options, owner)
    );
    this.#machine = machine;
    for (const order of this.#orders.splice(0)) order(machine);
    return machine.closed;
  }

  /** The page can't have the part. @param {any} reason @param {any} owner @returns {any} */
  #fail({ code, message }, { refused }) {
    const error = new TCPConnectionError(code, message);
    const fire = (/** @type {string} */ name, /** @type {object} */ data) =>
      this.dispatchEvent(new ServerEvent(name, data));
    this.#state = TCP_STATE.CLOSED;
    refused(error);
    fire('error', error);
    fire('close', Object.freeze({ code, reason: message, retryAfter: null }));
    throw error;
  }
}

/** @param {unknown} via @throws {TypeError} as findGateway() does */
function checkVia(via) {
  if (via === undefined || via instanceof ServerConnection) return;
  if (typeof via !== 'string' && !(via instanceof URL))
    throw new TypeError('via: a ServerConnection or a URL');
  try {
    webSocketUrl(via);
  } catch (cause) {
    throw new TypeError(`via: ${/** @type {Error} */ (cause).message}`, { cause });
  }
}
