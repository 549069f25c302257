// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a TCPConnection does (tcp.mjs): asks the gateway for the connection, and joins its streams
 * with the events and methods of the simple form. A part of the client.
 */
import { Bans } from './access/bans.mjs';
import { pageStore } from './access/expiring-store.mjs';
import { internalsOf, ServerLifecycleEvent } from './connection.mjs';
import { LateDuplex } from './streams/late-duplex.mjs';
import { CLOSE } from './proto/close-codes.mjs';
import { TCPConnectionError } from './base/errors.mjs';
import { findGateway, targetBanKey } from './gateways.mjs';
import { ServerEvent } from './base/handler-target.mjs';
import { checkRoom, invalidState, TCP_STATE, tcpRequest } from './tcp-options.mjs';

/** @typedef {import('./proto/channel-frame.mjs').Reset} Reset */

/**
 * @typedef {object} TCPOwner
 * @property {EventTarget} target what the events are fired at
 * @property {(info: import('./tcp.mjs').TCPConnectionOpenInfo) => void} opened
 * @property {(error: TCPConnectionError) => void} refused it is never open
 */

export class TCPMachine {
  #target;
  #options;
  #owner;
  /** @type {number} */
  #state = TCP_STATE.CONNECTING;
  #gateway;
  #bans;
  #banKey;
  /** @type {LateDuplex | null} */
  #duplex = null;
  /** @type {TCPConnectionError | null} */
  #error = null;
  /** @type {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | null} */
  #reader = null;
  /** @type {WritableStreamDefaultWriter<ArrayBufferLike | ArrayBufferView> | null} */
  #writer = null;
  #peer = '';
  /** @type {Promise<void>} */
  #closed;

  /**
   * @param {{ host: string, port: number }} target
   * @param {import('./tcp-options.mjs').CheckedTCPOptions} options
   * @param {TCPOwner} owner
   * @throws {TypeError}
   */
  constructor(target, options, owner) {
    this.#target = target;
    this.#options = options;
    this.#owner = owner;
    this.#gateway = findGateway(options.via);
    const { connection } = this.#gateway;
    const { store, clock } = internalsOf(connection);
    this.#banKey = targetBanKey(target, connection);
    this.#bans = new Bans(store ?? pageStore, clock.date);
    this.#closed = this.#connect();
    this.#closed.then(
      () => this.#close(),
      () => this.#close(),
    );
  }

  get state() {
    return this.#state;
  }

  /** Fulfilled, or rejected, when it is over. */
  get closed() {
    return this.#closed;
  }

  /** The address of the target, or empty before the target is reached. */
  get peer() {
    return this.#peer;
  }

  /** Bytes that were written here and that the server is not known to have. */
  get held() {
    return this.#duplex?.held ?? 0;
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} bytes are given away
   * @throws {TCPConnectionError | DOMException}
   */
  send(bytes) {
    if (this.#state >= TCP_STATE.CLOSING)
      throw new TCPConnectionError('closed', 'the connection is closed', { cause: this.#error });
    checkRoom(this.held, bytes, this.#options);
    const writer = this.#lockWriter();
    if (!bytes.length) return;
    writer.write(bytes).catch(() => {}); // reported by `error`
  }

  disconnect() {
    if (this.#state >= TCP_STATE.CLOSING) return;
    this.#checkLocks();
    if (this.#state === TCP_STATE.CONNECTING && !this.held) this.#duplex?.abort();
    else this.#closeStreams();
  }

  async close() {
    if (this.#state === TCP_STATE.CONNECTING) throw invalidState('it is not open yet');
    if (this.#state === TCP_STATE.OPEN) {
      this.#checkLocks();
      this.#closeStreams();
    }
    return this.#closed;
  }

  /** @returns {Promise<void>} becomes `closed` */
  #connect() {
    const ban = this.#bans.check(this.#banKey);
    if (ban) {
      this.#state = TCP_STATE.CLOSING;
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
    this.#duplex = new LateDuplex(options, {
      opened: (info) => this.#open(info),
      failed: (reset, cause) => this.#failed(reset, cause),
      gone: () => this.#gateway.release(),
    });
    return this.#duplex.closed;
  }

  /** @param {any} info what the server says of the connection */
  #open({ remoteAddress, remotePort, localAddress, localPort }) {
    const { readable, writable } = /** @type {LateDuplex} */ (this.#duplex);
    const info = { readable, writable, remoteAddress, remotePort, localAddress, localPort };
    this.#peer = String(remoteAddress ?? '');
    if (this.#state === TCP_STATE.CONNECTING) this.#state = TCP_STATE.OPEN;
    this.#owner.opened(info);
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
    this.#owner.refused(this.#error);
    return this.#error;
  }

  /** `closed` is settled. */
  #close() {
    this.#state = TCP_STATE.CLOSED;
    const error = this.#error;
    if (error && error.code !== 'aborted') this.#fire('error', error);
    const { code = 'closed', message: reason = '', retryAfter = null } = error ?? {};
    this.#fire('close', { code, reason, retryAfter });
  }

  /** @param {string} name @param {object} detail */
  #fire(name, detail) {
    this.#owner.target.dispatchEvent(new ServerLifecycleEvent(name, Object.freeze(detail)));
  }

  /** From now on `read` is fired. @throws {DOMException} */
  startReading() {
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
      this.#owner.target.dispatchEvent(new ServerEvent('read', value));
    }
    if (this.#writer || !this.#duplex?.writable.locked) this.#closeStreams();
  }

  #lockWriter() {
    const { writable } = /** @type {LateDuplex} */ (this.#duplex);
    if (!this.#writer && writable.locked) throw invalidState('the page writes to `writable`');
    this.#writer ??= writable.getWriter();
    return this.#writer;
  }

  /** Throws if the page itself has locked a stream. */
  #checkLocks() {
    const { readable, writable } = /** @type {LateDuplex} */ (this.#duplex);
    if ((readable.locked && !this.#reader) || (writable.locked && !this.#writer))
      throw invalidState('a stream of it is locked: cancel or close that');
  }

  /** Delivers what was written, and reads no more. */
  #closeStreams() {
    if (this.#state >= TCP_STATE.CLOSING) return;
    const { readable, writable } = /** @type {LateDuplex} */ (this.#duplex);
    this.#state = TCP_STATE.CLOSING;
    const ignore = () => {}; // reported by `closed`
    (this.#reader ?? readable).cancel().catch(ignore);
    (this.#writer ?? writable).close().catch(ignore);
  }
}
