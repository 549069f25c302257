// @ts-check
/**
 * The session's line to the server: one WebSocket at a time and any number of them one after the other, until the
 * session ends. It greets, pings, acknowledges, resends and reconnects (docs/protocol.md, sections 1 and 3 to 5), and
 * hands what came to its owner.
 *
 *   IDLE --connect()--> CONNECTING --open--> GREETING --.welcome--> OPEN --all sent after finish()--> LEAVING
 *                         ^   |                 |                    |                                  |
 *                         |   +------#lost()----+--------------------+----------------------------------+
 *                         |                     v
 *                         +--timer, nudge()-- WAITING
 *
 *   any --freeze()--> FROZEN --thaw()--> CONNECTING, or WAITING if the server has asked for time
 *   any --#end()----> ENDED
 *
 * #enter() alone changes the state. A socket that was left can't be heard any more: its handlers are taken off first.
 */
import { Alarm } from './clock.mjs';
import { parseEnd, verdict } from './ends.mjs';
import { Inbox } from './inbox.mjs';
import { Pace } from './pace.mjs';
import { formatControl, parseBinary, parseText, SUBPROTOCOL, utf8Length, WireError } from './wire.mjs';
import { Watch } from './watch.mjs';
import { parseWelcome } from './welcome.mjs';

/** Each state, and those that may follow it. */
const NEXT = Object.freeze({
  IDLE: ['CONNECTING', 'FROZEN', 'ENDED'],
  CONNECTING: ['GREETING', 'WAITING', 'FROZEN', 'ENDED'],
  GREETING: ['OPEN', 'WAITING', 'FROZEN', 'ENDED'],
  OPEN: ['LEAVING', 'WAITING', 'FROZEN', 'ENDED'],
  LEAVING: ['WAITING', 'FROZEN', 'ENDED'],
  WAITING: ['CONNECTING', 'FROZEN', 'ENDED'],
  FROZEN: ['CONNECTING', 'WAITING', 'ENDED'],
  ENDED: [],
});

/** @typedef {keyof typeof NEXT} State */
/** @typedef {import('./ends.mjs').End} End */

/**
 * Who is told. None of these may throw.
 * @typedef {object} Owner
 * @property {(welcome: import('./welcome.mjs').Welcome, first: boolean) => void} welcomed
 * @property {(end: End, wasOpen: boolean) => void} lost an open connection is gone, or an attempt has failed; another
 *   follows
 * @property {(end: End) => void} ended the session is over; told once
 * @property {(message: import('./wire.mjs').SequencedMessage, size: number) => void} message
 */

/**
 * @typedef {object} LinkOptions
 * @property {string} url
 * @property {string} key
 * @property {string} [session] the id, if the page has one
 * @property {any} WebSocket
 * @property {unknown} [webSocketOptions] a third argument for its constructor
 * @property {import('./clock.mjs').Clock} clock
 * @property {import('./outbox.mjs').Outbox} outbox
 * @property {Owner} owner
 */

/** Codes that say, after our own `.close`, that the server has got it. */
const LEFT = Object.freeze([1000, 1005, 4410]);

const ACK_MS = 250;
/** How long an attempt may take to its `.welcome`: the start of the program is in it. */
const ATTEMPT_MS = 60_000;
/** Bytes of a close frame's reason (RFC 6455, section 5.5). */
const MAX_REASON = 123;

export class Link {
  /** @type {State} */
  #state = 'IDLE';
  /** @type {any} */
  #socket = null;
  #options;
  #clock;
  #outbox;
  #owner;
  #inbox = new Inbox();
  #session;
  /** @type {import('./welcome.mjs').Welcome | null} */
  #welcome = null;
  #pace = new Pace();
  /**
   * What `.close` of the server announced: the end, even if the connection breaks before the close frame.
   * @type {End | null}
   */
  #announced = null;
  /** The reason given to finish(). @type {string | null} */
  #finish = null;
  #saidClose = false;
  /** @type {Record<'attempt' | 'retry' | 'ack' | 'finish', Alarm>} */
  #alarms;
  #watch;

  /** Touches no network: connect() does. @param {LinkOptions} options */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock;
    this.#outbox = options.outbox;
    this.#owner = options.owner;
    this.#session = options.session ?? null;
    const alarm = () => new Alarm(this.#clock);
    this.#alarms = { attempt: alarm(), retry: alarm(), ack: alarm(), finish: alarm() };
    const ask = () => this.#say('ping');
    this.#watch = new Watch(this.#clock, ask, (why) => this.#drop(why));
  }

  get state() {
    return this.#state;
  }

  /** The session's id, or null before it is known. */
  get session() {
    return this.#session;
  }

  /** What the server said last, or null before it said anything. */
  get welcome() {
    return this.#welcome;
  }

  connect() {
    if (this.#state === 'IDLE') this.#connect();
  }

  /** Something is in the outbox. */
  flush() {
    if (this.#state === 'OPEN') this.#pump();
  }

  /** Somebody doubts that the connection is alive: ask, and reconnect if nothing comes. While waiting, try at once. */
  probe() {
    if (this.#state === 'WAITING') return this.nudge();
    if (this.#state === 'OPEN') this.#watch.ask();
  }

  /** The network is back: don't wait any longer, unless the server has asked for it. */
  nudge() {
    if (this.#state !== 'WAITING' || this.#pace.barred(this.#clock.now())) return;
    this.#pace.hurry();
    this.#connect();
  }

  /**
   * The page is put away: no socket until thaw().
   * @param {string} [goodbye] the reason, if it is not going to be back
   */
  freeze(goodbye) {
    if (this.#state === 'FROZEN' || this.#state === 'ENDED') return;
    if (goodbye !== undefined && this.#state === 'OPEN') this.#say('bye', { reason: goodbye });
    const wasOpen = this.#state === 'OPEN' && goodbye === undefined;
    this.#discard();
    this.#enter('FROZEN');
    if (wasOpen) this.#owner.lost({ code: 1001, reason: 'page hidden', retryAfter: null }, true);
  }

  thaw() {
    if (this.#state !== 'FROZEN') return;
    this.#pace.hurry();
    const wait = this.#pace.barred(this.#clock.now());
    if (!wait) return this.#connect();
    this.#enter('WAITING');
    this.#alarms.retry.set(wait, () => this.#connect());
  }

  /**
   * Ends the session when all that is queued has been delivered, or after `ms`.
   * @param {string} reason @param {number} ms
   */
  finish(reason, ms) {
    if (this.#finish !== null || this.#state === 'ENDED') return;
    this.#finish = reason;
    if (this.#state === 'OPEN') this.#pump();
    else if (this.#state === 'IDLE' || this.#state === 'WAITING') this.#endIfNothingLeft();
    if (/** @type {State} */ (this.#state) === 'ENDED') return;
    this.#alarms.finish.set(ms, () => this.#giveUp());
  }

  /** Ends it here and now, whatever is queued. @param {End} end */
  end(end) {
    this.#end(end);
  }

  #connect() {
    const { WebSocket, url, webSocketOptions } = this.#options;
    const more = webSocketOptions === undefined ? [] : [webSocketOptions];
    let socket;
    try {
      socket = new WebSocket(url, this.#offer(), ...more);
    } catch (error) {
      return this.#end({ code: 1006, reason: `WebSocket: ${/** @type {Error} */ (error).message}`, retryAfter: null });
    }
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#opened();
    socket.onmessage = (/** @type {any} */ event) => this.#heard(event.data);
    socket.onclose = (/** @type {any} */ event) => this.#closed(event.code, event.reason);
    socket.onerror = () => {}; // a close follows
    this.#socket = socket;
    this.#enter('CONNECTING');
    this.#alarms.attempt.set(ATTEMPT_MS, () => this.#drop('no welcome'));
  }

  /** The subprotocols that say who we are. */
  #offer() {
    const offer = [SUBPROTOCOL];
    if (this.#session) offer.push(`session.${this.#session}`);
    offer.push(`key.${this.#options.key}`);
    if (this.#welcome) offer.push(`received.${this.#inbox.received}`);
    return offer;
  }

  #opened() {
    if (this.#socket.protocol !== SUBPROTOCOL) return this.#fail(`the server does not speak ${SUBPROTOCOL}`);
    this.#enter('GREETING');
  }

  /** @param {string | ArrayBuffer} data one WebSocket message */
  #heard(data) {
    this.#watch.heard();
    try {
      if (typeof data === 'string') this.#take(parseText(data), data);
      else this.#take(parseBinary(new Uint8Array(data)), data);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#fail(error.message);
    }
  }

  /** @param {import('./wire.mjs').Message} message @param {string | ArrayBuffer} data */
  #take(message, data) {
    if (this.#state === 'GREETING') return this.#greeted(message);
    if (message.kind === 'ack') return this.#acknowledged(message.count);
    if (message.kind === 'control') return this.#controlled(message);
    const size = typeof data === 'string' ? utf8Length(data) : data.byteLength;
    this.#pace.worked();
    const urgent = this.#inbox.take(size, this.#known.window);
    if (urgent) this.#acknowledge();
    else if (!this.#alarms.ack.isSet) this.#alarms.ack.set(ACK_MS, () => this.#acknowledge());
    this.#owner.message(message, size);
  }

  /** @param {import('./wire.mjs').Message} message the first on this connection */
  #greeted(message) {
    if (message.kind !== 'control' || message.word !== 'welcome') throw new WireError('no .welcome first');
    const first = this.#welcome === null;
    const welcome = parseWelcome(message.data);
    if (this.#session && welcome.session !== this.#session) throw new WireError('another session than asked for');
    if (!first && !welcome.resumed) throw new WireError('a new session in the place of ours');
    this.#outbox.rewind(welcome.received);
    this.#welcome = welcome;
    this.#session = welcome.session;
    this.#pace.opened(this.#clock.now());
    this.#inbox.acknowledge(); // `received.N` of the handshake has said it
    this.#enter('OPEN');
    this.#alarms.attempt.clear();
    this.#watch.start(welcome.ping * 2);
    this.#owner.welcomed(welcome, first);
    this.flush();
  }

  /** @param {number} count */
  #acknowledged(count) {
    this.#outbox.acknowledge(count);
    this.#pace.worked();
    this.flush();
  }

  /** @param {import('./wire.mjs').ControlMessage} message */
  #controlled({ word, data }) {
    if (word === 'ping') this.#say('pong');
    if (word === 'close' && Number.isInteger(data?.code))
      this.#announced = parseEnd(data.code, String(data.reason ?? ''));
  }

  /** Sends what the window lets, and the goodbye once all is sent. */
  #pump() {
    for (let entry; (entry = this.#outbox.next(this.#known.window));) this.#socket.send(entry.payload);
    if (this.#finish === null || this.#outbox.unsent) return;
    this.#acknowledge();
    this.#say('close', { reason: this.#finish });
    this.#saidClose = true;
    this.#enter('LEAVING');
    this.#socket.close(1000);
  }

  #acknowledge() {
    this.#alarms.ack.clear();
    if (this.#inbox.owing && this.#state === 'OPEN') this.#socket.send(`.ack ${this.#inbox.acknowledge()}`);
  }

  /** @param {string} word @param {any} [data] */
  #say(word, data) {
    if (this.#socket.readyState === 1) this.#socket.send(formatControl(word, data));
  }

  /** Gives the connection up without waiting for its end: a dead one takes minutes to close. @param {string} why */
  #drop(why) {
    this.#discard();
    this.#lost({ code: 1006, reason: why, retryAfter: null });
  }

  /** The other side broke the rules: nothing can be mended. @param {string} problem ASCII */
  #fail(problem) {
    const reason = `wire-protocol: ${problem}`;
    this.#discard(4400, reason);
    this.#end({ code: 4400, reason, retryAfter: null });
  }

  /** The socket has closed by itself. @param {number} code @param {string} text */
  #closed(code, text) {
    const end = this.#announced ?? parseEnd(code, text);
    this.#discard();
    if (this.#saidClose && LEFT.includes(end.code)) this.#left();
    else if (verdict(end.code) === 'never') this.#end(end);
    else this.#lost(end);
  }

  /** The connection is over, the session perhaps not. @param {End} end */
  #lost(end) {
    if (this.#announced) return this.#end(this.#announced);
    if (this.#welcome === null && this.#endIfNothingLeft()) return;
    const wasOpen = this.#state === 'OPEN';
    const pause = this.#pace.pause(end, this.#clock.now(), this.#clock.random());
    this.#enter('WAITING');
    this.#owner.lost(end, wasOpen);
    if (/** @type {State} */ (this.#state) !== 'WAITING') return; // the owner has done something about it
    if (pause === 0) this.#connect();
    else this.#alarms.retry.set(pause, () => this.#connect());
  }

  /** @returns {boolean} whether there was nothing to deliver, and so no reason to try again */
  #endIfNothingLeft() {
    if (this.#finish === null || this.#outbox.undelivered || this.#welcome) return false;
    this.#end({ code: 1000, reason: this.#finish, retryAfter: null });
    return true;
  }

  /** The server has our `.close`, and so all that went before it. */
  #left() {
    this.#outbox.settle();
    this.#end({ code: 1000, reason: /** @type {string} */ (this.#finish), retryAfter: null });
  }

  /** finish() has taken too long. What the window still lets go has gone. */
  #giveUp() {
    if (this.#state === 'OPEN') this.#say('close', { reason: this.#finish });
    this.#discard(1000);
    this.#end({ code: 1006, reason: 'close-timeout', retryAfter: null });
  }

  /** Leaves the socket, which can't be heard any more then. @param {number} [code] @param {string} [reason] */
  #discard(code, reason) {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      if (code === undefined) socket.close();
      else socket.close(code, reason?.slice(0, MAX_REASON));
    } catch {
      // it was never open, or is closed already
    }
  }

  /** @param {End} end */
  #end(end) {
    if (this.#state === 'ENDED') return;
    this.#discard();
    this.#enter('ENDED');
    this.#outbox.abandon();
    this.#owner.ended(end);
  }

  /** The limits and times that hold on this connection. */
  get #known() {
    return /** @type {import('./welcome.mjs').Welcome} */ (this.#welcome);
  }

  /** @param {State} state */
  #enter(state) {
    if (!(/** @type {readonly string[]} */ (NEXT[this.#state]).includes(state)))
      throw new Error(`${this.#state} -> ${state}`);
    this.#state = state;
    if (state === 'GREETING' || state === 'LEAVING') return;
    const { finish, ...ofThisState } = this.#alarms;
    for (const alarm of Object.values(ofThisState)) alarm.clear();
    this.#watch.stop();
    if (state === 'ENDED') finish.clear();
  }
}
