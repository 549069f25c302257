// SPDX-License-Identifier: MIT
// @ts-check
/**
 * `TCPConnection`: a TCP connection of this page. Its server makes it, and it survives dropped
 * connections of the page, as the session does.
 */
import { Bans } from './access/bans.mjs';
import { internalsOf, ServerLifecycleEvent } from './connection.mjs';
import { bytesOf, Duplex } from './streams/duplex.mjs';
import { CLOSE } from './proto/close-codes.mjs';
import { TCPConnectionError } from './base/errors.mjs';
import { findGateway, targetBanKey } from './gateways.mjs';
import { HandlerTarget, ServerEvent } from './base/handler-target.mjs';
import { checkedTarget, checkedTCPOptions, tcpRequest } from './tcp-options.mjs';

/** @typedef {import('./tcp-options.mjs').TCPConnectionOptions} TCPConnectionOptions */
/** @typedef {import('./proto/channel-frame.mjs').Reset} Reset */

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
  #state = TCPConnection.CONNECTING;
  #gateway;
  #bans;
  #banKey;
  /** @type {Duplex | null} */
  #duplex = null;
  /** @type {TCPConnectionError | null} */
  #error = null;
  /** @type {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | null} */
  #reader = null;
  /** @type {WritableStreamDefaultWriter<ArrayBufferLike | ArrayBufferView> | null} */
  #writer = null;
  #peer = '';
  /** @type {Promise<TCPConnectionOpenInfo>} */
  #opened;
  #settleOpened = {
    resolve: (/** @type {any} */ _info) => {},
    reject: (/** @type {Error} */ _error) => {},
  };
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
    this.#gateway = findGateway(this.#options.via);
    const { connection } = this.#gateway;
    const { store, clock } = internalsOf(connection);
    this.#banKey = targetBanKey(this.#target, connection);
    this.#bans = new Bans(store, clock.date);
    this.#opened = new Promise((resolve, reject) => (this.#settleOpened = { resolve, reject }));
    this.#closed = this.#connect();
    // The event `error` reports a failure, too.
    this.#opened.catch(() => {});
    this.#closed.then(
      () => this.#close(),
      () => this.#close(),
    );
  }

  /**
   * CONNECTING 0, OPEN 1, CLOSING 2 (disconnect() was called, the target has ended the connection,
   * or a ban is in force), CLOSED 3.
   * @returns {number}
   */
  get readyState() {
    return this.#state;
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
    return this.#peer;
  }

  /** The port of the target. */
  get port() {
    return this.#target.port;
  }

  /** Bytes that were written here and that the server is not known to have. */
  get bufferedAmount() {
    return this.#duplex?.held ?? 0;
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
    if (name === 'read' && listener) this.#startReading();
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
    if (this.#state >= TCPConnection.CLOSING)
      throw new TCPConnectionError('closed', 'the connection is closed', { cause: this.#error });
    const { buffer } = this.#options;
    if (this.bufferedAmount + bytes.length > buffer)
      throw new TCPConnectionError(
        'buffer-full',
        `${this.bufferedAmount} of ${buffer} bytes wait for the target`,
      );
    const writer = this.#lockWriter();
    if (!bytes.length) return;
    writer.write(bytes).catch(() => {}); // reported by `error`
  }

  /**
   * Ends the connection: what was sent still arrives, and nothing more is read. A connection that
   * is not open yet, and by which nothing was sent, is given up. `close` is fired when it is done.
   * @throws {DOMException} InvalidStateError if the page has locked a stream
   */
  disconnect() {
    if (this.#state >= TCPConnection.CLOSING) return;
    this.#checkLocks();
    if (this.#state === TCPConnection.CONNECTING && !this.bufferedAmount) this.#duplex?.abort();
    else this.#closeStreams();
  }

  /**
   * Ends the connection as disconnect() does, with the rules of the Direct Sockets API.
   * @returns {Promise<void>} `closed`; rejected with an InvalidStateError if the connection is not
   *   open yet, or if the page has locked a stream
   */
  async close() {
    if (this.#state === TCPConnection.CONNECTING) throw invalidState('it is not open yet');
    if (this.#state === TCPConnection.OPEN) {
      this.#checkLocks();
      this.#closeStreams();
    }
    return this.#closed;
  }

  /** @returns {Promise<void>} becomes `closed` */
  #connect() {
    const ban = this.#bans.check(this.#banKey);
    if (ban) {
      this.#state = TCPConnection.CLOSING;
      this.#gateway.release();
      return Promise.reject(
        this.#failed({ ...ban, message: `refused a short while ago: ${ban.reason}` }),
      );
    }
    const { receiveBufferSize, sendBufferSize } = this.#options;
    const { channels, clock } = internalsOf(this.#gateway.connection);
    const request = tcpRequest(this.#target, this.#options);
    const options = {
      channels,
      request,
      receiveBuffer: receiveBufferSize,
      sendBuffer: sendBufferSize,
      clock,
    };
    this.#duplex = new Duplex(options, {
      opened: (info) => this.#open(info),
      failed: (reset, cause) => this.#failed(reset, cause),
      gone: () => this.#gateway.release(),
    });
    return this.#duplex.closed;
  }

  /** @param {any} info what the server says of the connection */
  #open({ remoteAddress, remotePort, localAddress, localPort }) {
    const { readable, writable } = /** @type {Duplex} */ (this.#duplex);
    const info = { readable, writable, remoteAddress, remotePort, localAddress, localPort };
    this.#peer = String(remoteAddress ?? '');
    if (this.#state === TCPConnection.CONNECTING) this.#state = TCPConnection.OPEN;
    this.#settleOpened.resolve(info);
    this.#fire('open', info);
  }

  /** @param {Reset} reset @param {unknown} [cause] */
  #failed({ reason, message, retryAfter }, cause) {
    const { host, port } = this.#target;
    const text = `${host}:${port}: ${message ?? reason}`;
    this.#error = new TCPConnectionError(reason, text, {
      retryAfter,
      ...(cause !== undefined && { cause }),
    });
    if (retryAfter !== undefined)
      // Whatever the reason was, the target is not asked again for as long as it has said.
      this.#bans.add(this.#banKey, { code: CLOSE.FORBIDDEN, reason, retryAfter });
    this.#settleOpened.reject(this.#error);
    return this.#error;
  }

  /** `closed` is settled. */
  #close() {
    this.#state = TCPConnection.CLOSED;
    const error = this.#error;
    if (error && error.code !== 'aborted') this.#fire('error', error);
    const { code = 'closed', message: reason = '', retryAfter = null } = error ?? {};
    this.#fire('close', { code, reason, retryAfter });
  }

  /** @param {string} name @param {object} detail */
  #fire(name, detail) {
    this.dispatchEvent(new ServerLifecycleEvent(name, Object.freeze(detail)));
  }

  #startReading() {
    if (this.#reader || !this.#duplex) return;
    const { readable } = this.#duplex;
    if (readable.locked) throw invalidState('the page reads from `readable`');
    this.#reader = readable.getReader();
    this.#read(this.#reader).catch(() => {}); // reported by `error`
  }

  /** @param {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>} reader */
  async #read(reader) {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      this.dispatchEvent(new ServerEvent('read', value));
    }
    if (this.#writer || !this.#duplex?.writable.locked) this.#closeStreams();
  }

  #lockWriter() {
    const { writable } = /** @type {Duplex} */ (this.#duplex);
    if (!this.#writer && writable.locked) throw invalidState('the page writes to `writable`');
    this.#writer ??= writable.getWriter();
    return this.#writer;
  }

  /** Throws if the page itself has locked a stream. */
  #checkLocks() {
    const { readable, writable } = /** @type {Duplex} */ (this.#duplex);
    if ((readable.locked && !this.#reader) || (writable.locked && !this.#writer))
      throw invalidState('a stream of it is locked: cancel or close that');
  }

  /** Delivers what was written, and reads no more. */
  #closeStreams() {
    if (this.#state >= TCPConnection.CLOSING) return;
    const { readable, writable } = /** @type {Duplex} */ (this.#duplex);
    this.#state = TCPConnection.CLOSING;
    const ignore = () => {}; // reported by `closed`
    (this.#reader ?? readable).cancel().catch(ignore);
    (this.#writer ?? writable).close().catch(ignore);
  }
}

/** @param {string} why */
function invalidState(why) {
  return new DOMException(why, 'InvalidStateError');
}
