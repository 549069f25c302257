// SPDX-License-Identifier: MIT
// @ts-check
/**
 * One WebSocket of a session, from its handshake to its end (docs/protocol.md, sections 2 to 4):
 * takes the `.welcome`, sends what the window allows, acknowledges, and notices a dead peer. The
 * inbox, the outbox and the parts live longer, as long as the session. close() removes the handlers
 * of the WebSocket first, so a closed socket tells its owner nothing more.
 */
import { Timer } from '../base/clock.mjs';
import { CLOSE, parseEnd } from '../proto/close-codes.mjs';
import { Liveness } from './liveness.mjs';
import { openLines } from '../base/parts.mjs';
import { isPart } from '../proto/parts.mjs';
import { parseWelcome } from '../proto/welcome.mjs';
import {
  isStatePiece,
  parseSavedBytes,
  parseSavedText,
  StatePieces,
} from '../proto/state-message.mjs';
import {
  formatControl,
  isFrame,
  parseBinary,
  parseText,
  SUBPROTOCOL,
  utf8Length,
  WireError,
} from '../proto/message.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */
/** @typedef {import('../proto/welcome.mjs').Welcome} Welcome */

/**
 * Who is told of events. Only `welcomed` and `frame` may throw.
 * @typedef {object} SessionSocketOwner
 * @property {(welcome: Welcome) => void} welcomed the first message has arrived; throws a WireError
 *   if it is wrong
 * @property {(message: import('../proto/message.mjs').SequencedMessage, size: number) => void}
 *   message
 * @property {(frame: import('../proto/channel-frame.mjs').Bytes) => void} frame a frame of a byte
 *   stream has arrived; throws a WireError if it is wrong
 * @property {() => void} partCame a part of a message, or a piece of a state, has arrived
 * @property {(saved: import('../proto/state-message.mjs').SavedMessage) => void} saved the program
 *   has saved its state; throws a WireError if it covers what it can't
 * @property {() => void} acknowledged the other side has received messages: there may be room for
 *   more
 * @property {(end: End) => void} announced `.close` says what the end will be, even if no close
 *   frame follows
 * @property {() => boolean} [isBehind] whether so much waits to be handled that the other side
 *   should wait too
 * @property {(word: string, data: any) => void} control a control message has arrived, other than
 *   `.ack` and the first `.welcome`
 * @property {(end: End, opened: boolean) => void} closed the WebSocket has closed by itself;
 *   `opened`: its handshake had succeeded
 * @property {(why: string) => void} dead the peer is silent
 * @property {(problem: string) => void} broken the other side broke the protocol; in ASCII
 */

/**
 * @typedef {object} SessionSocketOptions
 * @property {any} WebSocket
 * @property {unknown} [webSocketOptions] a third argument for the WebSocket constructor
 * @property {string} url
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {import('./inbox.mjs').Inbox} inbox
 * @property {import('./outbox.mjs').Outbox} outbox
 * @property {import('../proto/parts.mjs').Parts} parts
 */

const ACK_MS = 250;
/** How long the reason of a close frame may be, in bytes (RFC 6455, section 5.5). */
const MAX_REASON = 123;

export class SessionSocket {
  #webSocket;
  #inbox;
  #outbox;
  #owner;
  #ack;
  #liveness;
  #clock;
  #parts;
  #statePieces = new StatePieces();
  /** When a `.pong` last said that parts arrive. */
  #saidAt = 0;
  #opened = false;
  /** @type {Welcome | null} */
  #welcome = null;

  /**
   * Connects. Throws what the constructor of the WebSocket throws.
   * @param {SessionSocketOptions} options @param {string[]} subprotocols identify the session
   * @param {SessionSocketOwner} owner
   */
  constructor(
    { WebSocket, webSocketOptions, url, clock, inbox, outbox, parts },
    subprotocols,
    owner,
  ) {
    const webSocket = new WebSocket(
      url,
      subprotocols,
      ...(webSocketOptions === undefined ? [] : [webSocketOptions]),
    );
    webSocket.binaryType = 'arraybuffer';
    webSocket.onopen = () => this.#open();
    webSocket.onmessage = (/** @type {any} */ event) => this.#messageCame(event.data);
    webSocket.onclose = (/** @type {any} */ event) => this.#closed(event.code, event.reason);
    webSocket.onerror = () => {}; // onclose follows
    this.#webSocket = webSocket;
    this.#inbox = inbox;
    this.#outbox = outbox;
    this.#parts = parts;
    this.#owner = owner;
    this.#clock = clock;
    this.#ack = new Timer(clock);
    this.#liveness = new Liveness(
      clock,
      () => this.say('ping'),
      (why) => owner.dead(why),
      () => webSocket.bufferedAmount,
    );
  }

  /** Sends what the window allows. @returns {boolean} whether all messages are sent */
  flush() {
    const { window } = /** @type {Welcome} */ (this.#welcome);
    for (let entry; (entry = this.#outbox.next(window));) this.#webSocket.send(entry.payload);
    return this.#outbox.unsent === 0;
  }

  /** Where it leads, of ws or wss. */
  get url() {
    return this.#webSocket.url;
  }

  /** Bytes that the WebSocket has not sent yet. */
  get buffered() {
    return this.#webSocket.bufferedAmount;
  }

  /** Sends a frame of a byte stream. @param {import('../proto/channel-frame.mjs').Bytes} frame */
  send(frame) {
    this.#webSocket.send(frame);
  }

  /** Sends a control message, if the WebSocket is open. @param {string} word @param {any} [data] */
  say(word, data) {
    if (this.#webSocket.readyState === 1) this.#webSocket.send(formatControl(word, data));
  }

  /** Asks whether the peer is alive. If it is silent, `dead` is called. */
  probe() {
    this.#liveness.probe();
  }

  /**
   * Tells the server that the session is over, and closes the WebSocket; `closed` follows.
   * @param {string} reason
   */
  leave(reason) {
    this.acknowledge();
    this.say('close', { reason });
    this.#webSocket.close(CLOSE.NORMAL);
  }

  /**
   * Closes the WebSocket. Its owner is told nothing more.
   * @param {number} [code] @param {string} [reason]
   */
  close(code, reason) {
    openLines.delete(this);
    const webSocket = this.#webSocket;
    this.#ack.clear();
    this.#liveness.stop();
    webSocket.onopen = webSocket.onmessage = webSocket.onclose = null;
    try {
      if (code === undefined) webSocket.close();
      else webSocket.close(code, reason?.slice(0, MAX_REASON));
    } catch {
      // the WebSocket was never open, or is closed already
    }
  }

  #open() {
    this.#opened = true;
    if (this.#webSocket.protocol !== SUBPROTOCOL)
      this.#owner.broken(`the server does not speak ${SUBPROTOCOL}`);
  }

  /** @param {number} code @param {string} text */
  #closed(code, text) {
    this.close();
    this.#owner.closed(parseEnd(code, text), this.#opened);
  }

  /** @param {string | ArrayBuffer} data one WebSocket message */
  #messageCame(data) {
    this.#liveness.heard();
    try {
      if (typeof data === 'string') this.#receiveText(data);
      else this.#receiveBytes(new Uint8Array(data), data);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#owner.broken(error.message);
    }
  }

  /**
   * @param {import('../proto/channel-frame.mjs').Bytes} bytes
   * @param {ArrayBuffer} data the bytes of `bytes`
   */
  #receiveBytes(bytes, data) {
    if (isPart(bytes)) return this.#receivePart(bytes);
    if (isStatePiece(bytes)) return this.#receivePiece(bytes);
    const saved = parseSavedBytes(bytes);
    if (saved)
      return this.#saved(saved.count, this.#statePieces.end(saved.rest, this.#mostState()));
    if (!isFrame(bytes)) return this.#receive(parseBinary(bytes), data);
    if (!this.#welcome) throw new WireError('no .welcome first');
    this.#owner.frame(bytes);
  }

  /** @param {string} text */
  #receiveText(text) {
    const covered = parseSavedText(text);
    if (covered === null) this.#receive(parseText(text), text);
    else this.#saved(covered, null);
  }

  /** @param {number} count @param {import('../proto/channel-frame.mjs').Bytes | null} state */
  #saved(count, state) {
    this.#mostState();
    this.#owner.saved({ count, state });
    this.#webSocket.send(`.stored ${count}`);
  }

  /** @param {import('../proto/channel-frame.mjs').Bytes} piece */
  #receivePiece(piece) {
    this.#statePieces.add(piece, this.#mostState());
    this.#owner.partCame();
  }

  /** @returns {number} bytes of the largest state @throws {WireError} */
  #mostState() {
    if (!this.#welcome?.state) throw new WireError('a state that was not asked for');
    return this.#welcome.maxMessage;
  }

  /** @param {import('../proto/channel-frame.mjs').Bytes} part */
  #receivePart(part) {
    const { maxMessage, ping } = this.#welcome ?? { maxMessage: 0, ping: 0 };
    const whole = this.#parts.take(part, maxMessage);
    this.#owner.partCame();
    // The answer to the server's pings waits behind the parts, perhaps in a proxy.
    if (this.#clock.now() - this.#saidAt >= ping / 2) {
      this.#saidAt = this.#clock.now();
      this.say('pong');
    }
    if (whole === null) return;
    if (typeof whole === 'string') this.#receive(parseText(whole), whole);
    else if (isFrame(whole)) throw new WireError('a frame in parts');
    else this.#receive(parseBinary(whole), whole.buffer);
  }

  /** @param {import('../proto/message.mjs').Message} message @param {string | ArrayBuffer} data */
  #receive(message, data) {
    if (!this.#welcome) return this.#greeted(message);
    if (message.kind === 'ack') return this.#acknowledged(message.count);
    if (message.kind === 'control') return this.#controlled(message);
    if (this.#parts.size) throw new WireError('a message between the parts of another');
    if (message.kind === 'command' && message.word === 'problem')
      throw new WireError('a .problem of the server');
    const size = typeof data === 'string' ? utf8Length(data) : data.byteLength;
    const urgent = this.#inbox.receive(size, this.#welcome.window);
    if (urgent) this.acknowledge();
    else if (!this.#ack.isSet) this.#ack.set(ACK_MS, () => this.acknowledge());
    this.#owner.message(message, size);
  }

  /** @param {import('../proto/message.mjs').Message} message the first on this connection */
  #greeted(message) {
    if (message.kind !== 'control' || message.word !== 'welcome')
      throw new WireError('no .welcome first');
    const welcome = parseWelcome(message.data);
    this.#welcome = welcome;
    this.#parts.goOn(welcome.parts ?? 0);
    this.#liveness.start(welcome.ping * 2);
    openLines.add(this);
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

  /** Says how much has arrived, unless too much of it waits to be handled. */
  acknowledge() {
    this.#ack.clear();
    if (this.#owner.isBehind?.()) return;
    if (this.#inbox.hasUnacknowledged && this.#webSocket.readyState === 1)
      this.#webSocket.send(`.ack ${this.#inbox.acknowledge()}`);
  }
}
