// SPDX-License-Identifier: MIT
// @ts-check
/**
 * One WebSocket of a session, from its handshake to its end: it greets, sends what the window lets, acknowledges, and
 * notices a dead peer (docs/protocol.md, sections 2 to 4). It lives for one connection; the {@link Inbox} and the
 * Outbox outlive it. A line that was closed can't be heard any more: its socket's handlers are taken off first.
 */
import { Alarm } from '../base/clock.mjs';
import { isFrame } from '../proto/channel-frame.mjs';
import { CLOSE, parseEnd } from '../proto/close-codes.mjs';
import { Watch } from './liveness.mjs';
import { parseWelcome } from '../proto/welcome.mjs';
import {
  formatControl,
  parseBinary,
  parseText,
  SUBPROTOCOL,
  utf8Length,
  WireError,
} from '../proto/message.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */
/** @typedef {import('../proto/welcome.mjs').Welcome} Welcome */

/**
 * Who is told. None of these may throw, `welcomed` and `frame` aside.
 * @typedef {object} LineOwner
 * @property {(welcome: Welcome) => void} welcomed the first message; throws a WireError if it can't be so
 * @property {(message: import('../proto/message.mjs').SequencedMessage, size: number) => void} message
 * @property {(frame: import('../proto/channel-frame.mjs').Bytes) => void} frame a binary message of a byte stream; throws a WireError
 *   if it can't be so
 * @property {() => void} acknowledged the other side has taken something of ours: there may be room for more
 * @property {(end: End) => void} announced by `.close`: what the end will be, even if its close frame never comes
 * @property {(word: string, data: any) => void} control each control message but `.ack` and the first `.welcome`
 * @property {(end: End, opened: boolean) => void} closed the socket has closed by itself; `opened`: its handshake had
 *   succeeded
 * @property {(why: string) => void} dead the peer says nothing any more
 * @property {(problem: string) => void} broken the other side broke the rules; ASCII
 */

/**
 * @typedef {object} LineOptions
 * @property {any} WebSocket
 * @property {unknown} [webSocketOptions] a third argument for its constructor
 * @property {string} url
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {import('./inbox.mjs').Inbox} inbox
 * @property {import('./outbox.mjs').Outbox} outbox
 */

const ACK_MS = 250;
/** Bytes of a close frame's reason (RFC 6455, section 5.5). */
const MAX_REASON = 123;

export class Line {
  #socket;
  #inbox;
  #outbox;
  #owner;
  #ack;
  #watch;
  #opened = false;
  /** @type {Welcome | null} */
  #welcome = null;

  /**
   * Connects. Throws what the WebSocket's constructor throws.
   * @param {LineOptions} options @param {string[]} offer the subprotocols that say who we are @param {LineOwner} owner
   */
  constructor({ WebSocket, webSocketOptions, url, clock, inbox, outbox }, offer, owner) {
    const socket = new WebSocket(
      url,
      offer,
      ...(webSocketOptions === undefined ? [] : [webSocketOptions]),
    );
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#open();
    socket.onmessage = (/** @type {any} */ event) => this.#heard(event.data);
    socket.onclose = (/** @type {any} */ event) => this.#closed(event.code, event.reason);
    socket.onerror = () => {}; // a close follows
    this.#socket = socket;
    this.#inbox = inbox;
    this.#outbox = outbox;
    this.#owner = owner;
    this.#ack = new Alarm(clock);
    this.#watch = new Watch(
      clock,
      () => this.say('ping'),
      (why) => owner.dead(why),
    );
  }

  /** Sends what the window lets. @returns {boolean} whether nothing is left to be sent */
  flush() {
    const { window } = /** @type {Welcome} */ (this.#welcome);
    for (let entry; (entry = this.#outbox.next(window));) this.#socket.send(entry.payload);
    return this.#outbox.unsent === 0;
  }

  /** Bytes that wait in the socket. */
  get buffered() {
    return this.#socket.bufferedAmount;
  }

  /** Sends a frame of a byte stream. @param {import('../proto/channel-frame.mjs').Bytes} frame */
  send(frame) {
    this.#socket.send(frame);
  }

  /** Sends a control message, if there is anybody to hear it. @param {string} word @param {any} [data] */
  say(word, data) {
    if (this.#socket.readyState === 1) this.#socket.send(formatControl(word, data));
  }

  /** Asks whether the peer is alive; silence is told by `dead`. */
  probe() {
    this.#watch.ask();
  }

  /** Says that the session is over, and lets the socket close: `closed` follows. @param {string} reason */
  leave(reason) {
    this.#acknowledge();
    this.say('close', { reason });
    this.#socket.close(CLOSE.NORMAL);
  }

  /** Leaves the socket, and is not heard of any more. @param {number} [code] @param {string} [reason] */
  close(code, reason) {
    const socket = this.#socket;
    this.#ack.clear();
    this.#watch.stop();
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      if (code === undefined) socket.close();
      else socket.close(code, reason?.slice(0, MAX_REASON));
    } catch {
      // it was never open, or is closed already
    }
  }

  #open() {
    this.#opened = true;
    if (this.#socket.protocol !== SUBPROTOCOL)
      this.#owner.broken(`the server does not speak ${SUBPROTOCOL}`);
  }

  /** @param {number} code @param {string} text */
  #closed(code, text) {
    this.close();
    this.#owner.closed(parseEnd(code, text), this.#opened);
  }

  /** @param {string | ArrayBuffer} data one WebSocket message */
  #heard(data) {
    this.#watch.heard();
    try {
      if (typeof data === 'string') this.#take(parseText(data), data);
      else this.#takeBytes(new Uint8Array(data), data);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#owner.broken(error.message);
    }
  }

  /** @param {import('../proto/channel-frame.mjs').Bytes} bytes @param {ArrayBuffer} data the same */
  #takeBytes(bytes, data) {
    if (!isFrame(bytes)) return this.#take(parseBinary(bytes), data);
    if (!this.#welcome) throw new WireError('no .welcome first');
    this.#owner.frame(bytes);
  }

  /** @param {import('../proto/message.mjs').Message} message @param {string | ArrayBuffer} data */
  #take(message, data) {
    if (!this.#welcome) return this.#greeted(message);
    if (message.kind === 'ack') return this.#acknowledged(message.count);
    if (message.kind === 'control') return this.#controlled(message);
    if (message.kind === 'command' && message.word === 'problem')
      throw new WireError('a .problem of the server');
    const size = typeof data === 'string' ? utf8Length(data) : data.byteLength;
    const urgent = this.#inbox.take(size, this.#welcome.window);
    if (urgent) this.#acknowledge();
    else if (!this.#ack.isSet) this.#ack.set(ACK_MS, () => this.#acknowledge());
    this.#owner.message(message, size);
  }

  /** @param {import('../proto/message.mjs').Message} message the first on this connection */
  #greeted(message) {
    if (message.kind !== 'control' || message.word !== 'welcome')
      throw new WireError('no .welcome first');
    const welcome = parseWelcome(message.data);
    this.#welcome = welcome;
    this.#watch.start(welcome.ping * 2);
    this.#owner.welcomed(welcome);
  }

  /** @param {number} count */
  #acknowledged(count) {
    this.#outbox.acknowledge(count);
    this.#owner.acknowledged();
  }

  /** @param {import('../proto/message.mjs').ControlMessage} message */
  #controlled({ word, data }) {
    if (word === 'ping') this.say('pong');
    if (word === 'close' && Number.isInteger(data?.code))
      this.#owner.announced(parseEnd(data.code, String(data.reason ?? '')));
    this.#owner.control(word, data);
  }

  #acknowledge() {
    this.#ack.clear();
    if (this.#inbox.owing && this.#socket.readyState === 1)
      this.#socket.send(`.ack ${this.#inbox.acknowledge()}`);
  }
}
