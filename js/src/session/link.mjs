// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Keeps a session connected to its server until the session ends (docs/protocol.md, section 5):
 * opens one {@link SessionSocket} after the other, and hands each message to its owner.
 *
 *   IDLE --connect()--> CONNECTING --.welcome--> OPEN --all sent after finish()--> LEAVING
 *                         ^  |   |                 |                                  |
 *                         |  |   +-----#lost()-----+----------------------------------+
 *                         |  |            v
 *     timer, retryNow() --+--|-------- WAITING <--+
 *                            |                    | the session may go on
 *                            +--handshake---> FETCHING_REASON (from a server of another origin)
 *                               failed
 *
 *   IDLE --connect()--> WAITING or ENDED, if a ban is in force
 *   any --freeze()--> FROZEN --thaw()--> CONNECTING, or WAITING if the server has asked for time
 *   any --#end()----> ENDED
 *
 * Only #enter() changes the state.
 */
import { Timer } from '../base/clock.mjs';
import { CLOSE, verdict } from '../proto/close-codes.mjs';
import { Inbox } from './inbox.mjs';
import { SessionSocket } from './session-socket.mjs';
import { Backoff } from './backoff.mjs';
import { SUBPROTOCOL, WireError } from '../proto/message.mjs';
import { Parts } from '../proto/parts.mjs';

/** The legal moves from each state. */
const NEXT = Object.freeze({
  IDLE: ['CONNECTING', 'WAITING', 'FROZEN', 'ENDED'],
  CONNECTING: ['OPEN', 'FETCHING_REASON', 'WAITING', 'FROZEN', 'ENDED'],
  OPEN: ['LEAVING', 'WAITING', 'FROZEN', 'ENDED'],
  LEAVING: ['WAITING', 'FROZEN', 'ENDED'],
  FETCHING_REASON: ['WAITING', 'FROZEN', 'ENDED'],
  WAITING: ['CONNECTING', 'FROZEN', 'ENDED'],
  FROZEN: ['CONNECTING', 'WAITING', 'ENDED'],
  ENDED: [],
});

/** @typedef {keyof typeof NEXT} State */
/** @typedef {import('../proto/close-codes.mjs').End} End */
/** @typedef {import('../proto/welcome.mjs').Welcome} Welcome */

/**
 * Who is told of events. None of these functions may throw.
 * @typedef {object} Owner
 * @property {(welcome: Welcome, first: boolean) => void} welcomed
 * @property {(end: End, wasOpen: boolean) => void} lost an open connection is lost, or an attempt
 *   has failed; another attempt follows
 * @property {(end: End) => void} ended the session is over; called once
 * @property {(message: import('../proto/message.mjs').SequencedMessage, size: number) => void}
 *   message
 * @property {() => boolean} [isBehind] whether much waits to be handled
 * @property {(word: string, data: any) => void} [control] a control message has arrived
 * @property {(saved: import('../proto/state-message.mjs').SavedMessage) => void} saved the program
 *   has saved its state; may throw a WireError
 * @property {() => void} [restored] the program goes on from the state that it was given
 */

/**
 * @typedef {object} LinkOptions
 * @property {string} url
 * @property {string} key
 * @property {string} [session] the session's id, if the page has one
 * @property {any} WebSocket
 * @property {unknown} [webSocketOptions] a third argument for the WebSocket constructor
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {import('./outbox.mjs').Outbox} outbox
 * @property {import('../streams/late-channels.mjs').LateChannels} channels the
 *   session's byte streams
 * @property {import('../access/late-access.mjs').LateAccess} access knows the bans
 * @property {Owner} owner
 * @property {() => import('../proto/channel-frame.mjs').Bytes} [restore] the message `.restore`, if
 *   the session is to go on from a state
 */

/**
 * After our own `.close`, these close codes say that the server has received it.
 * @type {readonly number[]}
 */
const LEFT = Object.freeze([CLOSE.NORMAL, CLOSE.NO_STATUS, CLOSE.SESSION_GONE]);

/** How long an attempt may take until `.welcome`. That includes the start of the program. */
const ATTEMPT_MS = 60_000;

export class Link {
  /** @type {State} */
  #state = 'IDLE';
  /** @type {SessionSocket | null} */
  #socket = null;
  #options;
  #clock;
  #outbox;
  #owner;
  #access;
  #channels;
  #inbox = new Inbox();
  #parts = new Parts();
  #session;
  /** @type {Welcome | null} */
  #welcome = null;
  #backoff = new Backoff();
  /** Whether there was any attempt yet. */
  #tried = false;
  /** The end that the server has announced by `.close`. @type {End | null} */
  #announced = null;
  /** The reason that finish() was given. @type {string | null} */
  #finish = null;
  #saidClose = false;
  /** Whether the program is still to be given its state. */
  #restoring;
  /** Aborted when the link no longer waits for the reason of a refusal. */
  #fetching = new AbortController();
  /** @type {Record<'attempt' | 'retry' | 'finish', Timer>} */
  #timers;

  /** Makes no connection: connect() does. @param {LinkOptions} options */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock;
    this.#outbox = options.outbox;
    this.#owner = options.owner;
    this.#access = options.access;
    this.#channels = options.channels;
    this.#session = options.session ?? null;
    this.#restoring = options.restore !== undefined;
    const timer = () => new Timer(this.#clock);
    this.#timers = { attempt: timer(), retry: timer(), finish: timer() };
  }

  get state() {
    return this.#state;
  }

  /** The session's id, or null before it is known. */
  get session() {
    return this.#session;
  }

  /** The server's last `.welcome`, or null before the first. */
  get welcome() {
    return this.#welcome;
  }

  connect() {
    if (this.#state === 'IDLE') this.#attempt();
  }

  /** A message was put into the outbox. */
  flush() {
    if (this.#state === 'OPEN') this.#pump();
  }

  /** What waited was handled. */
  acknowledge() {
    if (this.#state === 'OPEN') this.#socket?.acknowledge();
  }

  /**
   * The connection may be dead: sends a ping, and reconnects if no answer arrives. While the link
   * waits, this tries at once.
   */
  probe() {
    if (this.#state === 'WAITING') return this.retryNow();
    if (this.#state === 'OPEN') this.#socket?.probe();
  }

  /** The network is back: tries at once, unless the server has asked for time. */
  retryNow() {
    if (this.#state !== 'WAITING' || this.#backoff.serverWait(this.#clock.now())) return;
    this.#backoff.reset();
    this.#attempt();
  }

  /**
   * The browser suspends the page, or the user leaves it: no socket until thaw().
   * @param {string} [goodbye] the reason for the server, if the page will not come back
   */
  freeze(goodbye) {
    if (this.#state === 'FROZEN' || this.#state === 'ENDED') return;
    if (goodbye !== undefined && this.#state === 'OPEN')
      this.#socket?.say('bye', { reason: goodbye });
    const wasOpen = this.#state === 'OPEN' && goodbye === undefined;
    this.#discard();
    this.#enter('FROZEN');
    if (wasOpen)
      this.#owner.lost({ code: CLOSE.GOING_AWAY, reason: 'page hidden', retryAfter: null }, true);
  }

  thaw() {
    if (this.#state !== 'FROZEN') return;
    this.#backoff.reset();
    const wait = this.#backoff.serverWait(this.#clock.now());
    if (!wait) return this.#attempt();
    this.#enter('WAITING');
    this.#retryIn(wait);
  }

  /**
   * Ends the session as soon as all queued messages are delivered, or after `ms`.
   * @param {string} reason @param {number} ms
   */
  finish(reason, ms) {
    if (this.#finish !== null || this.#state === 'ENDED') return;
    this.#finish = reason;
    if (this.#state === 'OPEN') this.#pump();
    else if (this.#state !== 'CONNECTING' && this.#state !== 'FROZEN') this.#endIfNothingLeft();
    if (/** @type {State} */ (this.#state) === 'ENDED') return;
    this.#timers.finish.set(ms, () => this.#giveUp());
  }

  /** Ends the session at once, whatever is queued. @param {End} end */
  end(end) {
    this.#end(end);
  }

  /** Connects, unless a ban is in force. */
  #attempt() {
    const ban = this.#access.ban();
    if (!ban) return this.#connect();
    if (!this.#waitsOut(ban)) return this.#end(ban);
    const wait = this.#backoff.delayAfter(
      { ...ban, code: CLOSE.TRY_AGAIN_LATER },
      this.#clock.now(),
      this.#clock.random(),
    );
    if (this.#state !== 'WAITING') this.#enter('WAITING');
    this.#retryIn(wait);
    // Not at once: the maker of this link has had no time to listen yet.
    if (!this.#tried)
      queueMicrotask(() => this.#state === 'WAITING' && this.#owner.lost(ban, false));
  }

  /**
   * Whether to wait until a ban is over. A session that exists waits, as the ban was not meant for
   * it. A new session waits only for a server out of order; a refusal ends it.
   * @param {import('../access/access.mjs').Ban} ban
   */
  #waitsOut(ban) {
    return this.#session !== null || (verdict(ban) === 'wait' && (this.#tried || !ban.refused));
  }

  #connect() {
    this.#tried = true;
    try {
      this.#socket = new SessionSocket(
        { ...this.#options, inbox: this.#inbox, parts: this.#parts },
        this.#subprotocols(),
        this.#socketOwner(),
      );
    } catch (error) {
      return this.#end({
        code: CLOSE.ABNORMAL,
        reason: `WebSocket: ${/** @type {Error} */ (error).message}`,
        retryAfter: null,
      });
    }
    this.#enter('CONNECTING');
    this.#timers.attempt.set(ATTEMPT_MS, () => this.#drop('no welcome'));
  }

  /**
   * The subprotocols, which carry the session's id, its key and what was received.
   */
  #subprotocols() {
    const subprotocols = [SUBPROTOCOL];
    if (this.#session) subprotocols.push(`session.${this.#session}`);
    subprotocols.push(`key.${this.#options.key}`);
    if (this.#welcome) subprotocols.push(`received.${this.#inbox.received}`);
    subprotocols.push(this.#parts.offer, 'state');
    if (this.#options.restore && !this.#welcome) subprotocols.push('restore');
    return subprotocols;
  }

  /**
   * What the socket tells the link.
   * @returns {import('./session-socket.mjs').SessionSocketOwner}
   */
  #socketOwner() {
    return {
      welcomed: (welcome) => this.#welcomed(welcome),
      message: (message, size) => {
        this.#backoff.worked();
        this.#owner.message(message, size);
      },
      frame: (frame) => {
        this.#backoff.worked();
        this.#channels.receive(frame);
      },
      partCame: () => this.#backoff.worked(),
      saved: (saved) => this.#owner.saved(saved),
      acknowledged: () => {
        this.#backoff.worked();
        this.flush();
      },
      announced: (end) => {
        this.#announced = end;
        this.#access.record(end);
      },
      isBehind: () => this.#owner.isBehind?.() ?? false,
      control: (word, data) => this.#control(word, data),
      closed: (end, opened) => this.#closed(end, opened),
      dead: (why) => this.#drop(why),
      broken: (problem) => this.#fail(problem),
    };
  }

  /** @param {Welcome} welcome @throws {WireError} */
  #welcomed(welcome) {
    const first = this.#welcome === null;
    if (this.#session && welcome.session !== this.#session)
      throw new WireError('another session than asked for');
    if (!first && !welcome.resumed) throw new WireError('a new session in the place of ours');
    if (this.#restoring && first && !welcome.restore) return this.#endUnrestored();
    if (welcome.restore && !this.#restoring) throw new WireError('a state is asked for in vain');
    this.#outbox.rewind(welcome.received);
    this.#inbox.acknowledge(); // by `received.N` of the handshake
    this.#welcome = welcome;
    this.#session = welcome.session;
    this.#backoff.opened(this.#clock.now());
    this.#access.opened();
    this.#enter('OPEN');
    if (welcome.restore) this.#restore();
    this.#owner.welcomed(welcome, first);
    if (!welcome.restore && this.#restoring) this.#restored();
    this.flush();
    if (this.#state === 'OPEN')
      this.#channels.attach(/** @type {SessionSocket} */ (this.#socket), welcome);
  }

  /** Gives the state to the program, before anything else. */
  #restore() {
    this.#socket?.send(/** @type {any} */ (this.#options).restore());
  }

  #restored() {
    this.#restoring = false;
    this.#owner.restored?.();
  }

  /** The server knows no states: it has begun a session that nobody wants. */
  #endUnrestored() {
    this.#socket?.say('close', { reason: 'no-restore' });
    this.#end({ code: CLOSE.STATE_REFUSED, reason: 'no-restore', retryAfter: null });
  }

  /** @param {string} word @param {any} data */
  #control(word, data) {
    if (word === 'restored' && this.#restoring) this.#restored();
    this.#owner.control?.(word, data);
  }

  /** Sends what the window allows, and `.close` after the last message if finish() was called. */
  #pump() {
    const socket = /** @type {SessionSocket} */ (this.#socket);
    if (!socket.flush() || this.#finish === null) return;
    this.#saidClose = true;
    this.#channels.detach();
    this.#enter('LEAVING');
    socket.leave(this.#finish);
  }

  /** Drops the connection at once: closing a dead one would take minutes. @param {string} why */
  #drop(why) {
    this.#discard();
    this.#lost({ code: CLOSE.ABNORMAL, reason: why, retryAfter: null });
  }

  /** The server broke the protocol: ends the session. @param {string} problem in ASCII */
  #fail(problem) {
    const reason = `wire-protocol: ${problem}`;
    this.#discard(CLOSE.WIRE_PROTOCOL, reason);
    this.#end({ code: CLOSE.WIRE_PROTOCOL, reason, retryAfter: null });
  }

  /** The socket has closed by itself. @param {End} end @param {boolean} opened */
  #closed(end, opened) {
    this.#discard();
    if (!opened && this.#access.shouldFetchReason(this.#welcome !== null)) this.#fetchReason(end);
    else this.#connectionEnded(this.#announced ?? end);
  }

  /** A handshake has failed, and the browser does not say why. @param {End} end */
  async #fetchReason(end) {
    this.#enter('FETCHING_REASON');
    const { signal } = this.#fetching;
    const refusal = await this.#access.fetchReason(signal);
    if (!signal.aborted) this.#connectionEnded(refusal ?? end);
  }

  /**
   * A connection, or an attempt, has ended: decides whether the session ends with it.
   * @param {End} end
   */
  #connectionEnded(end) {
    this.#access.record(end);
    if (this.#saidClose && LEFT.includes(end.code)) this.#left();
    else if (verdict(end) === 'final') this.#end(end);
    else this.#lost(end);
  }

  /** The connection is lost, and the session goes on if it can. @param {End} end */
  #lost(end) {
    if (this.#announced) return this.#end(this.#announced);
    if (this.#endIfNothingLeft()) return;
    const wasOpen = this.#state === 'OPEN';
    const wait = this.#backoff.delayAfter(end, this.#clock.now(), this.#clock.random());
    this.#enter('WAITING');
    this.#owner.lost(end, wasOpen);
    if (/** @type {State} */ (this.#state) !== 'WAITING') return; // the owner has acted
    if (wait === 0) this.#attempt();
    else this.#retryIn(wait);
  }

  /** @param {number} ms */
  #retryIn(ms) {
    this.#timers.retry.set(ms, () => this.#attempt());
  }

  /**
   * @returns {boolean} whether it has ended: nothing is left to deliver, so no attempt is needed
   */
  #endIfNothingLeft() {
    if (this.#finish === null || this.#outbox.undelivered || this.#welcome) return false;
    this.#end({ code: CLOSE.NORMAL, reason: this.#finish, retryAfter: null });
    return true;
  }

  /** The server has received our `.close`, and so all messages before it. */
  #left() {
    this.#outbox.acknowledgeAll();
    this.#end({
      code: CLOSE.NORMAL,
      reason: /** @type {string} */ (this.#finish),
      retryAfter: null,
    });
  }

  /** finish() took too long. All that the window allowed was sent. */
  #giveUp() {
    if (this.#state === 'OPEN') this.#socket?.say('close', { reason: this.#finish });
    this.#discard(CLOSE.NORMAL);
    this.#end({ code: CLOSE.ABNORMAL, reason: 'close-timeout', retryAfter: null });
  }

  /** Closes the socket and forgets it. @param {number} [code] @param {string} [reason] */
  #discard(code, reason) {
    this.#channels.detach();
    this.#socket?.close(code, reason);
    this.#socket = null;
  }

  /** @param {End} end */
  #end({ code, reason, retryAfter }) {
    if (this.#state === 'ENDED') return;
    this.#discard();
    this.#enter('ENDED');
    this.#outbox.abandon();
    this.#parts.forget();
    this.#channels.end(resetOf(reason, retryAfter));
    this.#owner.ended({ code, reason, retryAfter });
  }

  /** @param {State} state */
  #enter(state) {
    if (!(/** @type {readonly string[]} */ (NEXT[this.#state]).includes(state)))
      throw new Error(`${this.#state} -> ${state}`);
    if (this.#state === 'FETCHING_REASON') {
      this.#fetching.abort();
      this.#fetching = new AbortController();
    }
    this.#state = state;
    if (state === 'LEAVING') return;
    this.#timers.attempt.clear();
    this.#timers.retry.clear();
    if (state === 'ENDED') this.#timers.finish.clear();
  }
}

/**
 * The RESET by which the session's byte streams end. Its token is the first word of the reason.
 * @param {string} reason @param {number | null} retryAfter
 * @returns {import('../proto/channel-frame.mjs').Reset}
 */
function resetOf(reason, retryAfter) {
  const token = /^[a-z][a-z0-9-]*(?=$|:| \w+=)/.exec(reason)?.[0] ?? 'session-over';
  return {
    reason: token,
    message: `the session is over: ${reason}`,
    ...(retryAfter !== null && { retryAfter }),
  };
}
