// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The session's way to the server: one {@link Line} at a time and any number of them one after the other, until the
 * session ends (docs/protocol.md, section 5). It connects, reconnects and ends, and hands what came to its owner.
 *
 *   IDLE --connect()--> CONNECTING --.welcome--> OPEN --all sent after finish()--> LEAVING
 *                        ^  |   |                 |                                  |
 *                        |  |   +-----#lost()-----+----------------------------------+
 *                        |  |            v
 *         timer, nudge() +--|-------- WAITING <--+
 *                           |                    | an answer that lets us come back
 *                           +--handshake---> ASKING (why: of another origin's server)
 *                               failed
 *
 *   IDLE --connect()--> WAITING, or ENDED, if this origin was told to stay away
 *   any --freeze()--> FROZEN --thaw()--> CONNECTING, or WAITING if the server has asked for time
 *   any --#end()----> ENDED
 *
 * #enter() alone changes the state.
 */
import { Alarm } from '../base/clock.mjs';
import { CLOSE, verdict } from '../proto/close-codes.mjs';
import { Inbox } from './inbox.mjs';
import { Line } from './session-socket.mjs';
import { Pace } from './backoff.mjs';
import { SUBPROTOCOL, WireError } from '../proto/message.mjs';

/** Each state, and those that may follow it. */
const NEXT = Object.freeze({
  IDLE: ['CONNECTING', 'WAITING', 'FROZEN', 'ENDED'],
  CONNECTING: ['OPEN', 'ASKING', 'WAITING', 'FROZEN', 'ENDED'],
  OPEN: ['LEAVING', 'WAITING', 'FROZEN', 'ENDED'],
  LEAVING: ['WAITING', 'FROZEN', 'ENDED'],
  ASKING: ['WAITING', 'FROZEN', 'ENDED'],
  WAITING: ['CONNECTING', 'FROZEN', 'ENDED'],
  FROZEN: ['CONNECTING', 'WAITING', 'ENDED'],
  ENDED: [],
});

/** @typedef {keyof typeof NEXT} State */
/** @typedef {import('../proto/close-codes.mjs').End} End */
/** @typedef {import('../proto/welcome.mjs').Welcome} Welcome */

/**
 * Who is told. None of these may throw.
 * @typedef {object} Owner
 * @property {(welcome: Welcome, first: boolean) => void} welcomed
 * @property {(end: End, wasOpen: boolean) => void} lost an open connection is gone, or an attempt has failed; another
 *   follows
 * @property {(end: End) => void} ended the session is over; told once
 * @property {(message: import('../proto/message.mjs').SequencedMessage, size: number) => void} message
 * @property {(word: string, data: any) => void} [control] a control message
 */

/**
 * @typedef {object} LinkOptions
 * @property {string} url
 * @property {string} key
 * @property {string} [session] the id, if the page has one
 * @property {any} WebSocket
 * @property {unknown} [webSocketOptions] a third argument for its constructor
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {import('./outbox.mjs').Outbox} outbox
 * @property {import('../streams/channels.mjs').Channels} channels its byte streams
 * @property {import('../access/access.mjs').Access} access what stands against a connection there
 * @property {Owner} owner
 */

/** Codes that say, after our own `.close`, that the server has got it. @type {readonly number[]} */
const LEFT = Object.freeze([CLOSE.NORMAL, CLOSE.NO_STATUS, CLOSE.SESSION_GONE]);

/** How long an attempt may take to its `.welcome`: the start of the program is in it. */
const ATTEMPT_MS = 60_000;

export class Link {
  /** @type {State} */
  #state = 'IDLE';
  /** @type {Line | null} */
  #line = null;
  #options;
  #clock;
  #outbox;
  #owner;
  #access;
  #channels;
  #inbox = new Inbox();
  #session;
  /** @type {Welcome | null} */
  #welcome = null;
  #pace = new Pace();
  /** Whether the server was ever tried. */
  #tried = false;
  /** What the server said that the end will be. @type {End | null} */
  #announced = null;
  /** The reason given to finish(). @type {string | null} */
  #finish = null;
  #saidClose = false;
  /** The question that is open. */
  #asking = new AbortController();
  /** @type {Record<'attempt' | 'retry' | 'finish', Alarm>} */
  #alarms;

  /** Touches no network: connect() does. @param {LinkOptions} options */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock;
    this.#outbox = options.outbox;
    this.#owner = options.owner;
    this.#access = options.access;
    this.#channels = options.channels;
    this.#session = options.session ?? null;
    const alarm = () => new Alarm(this.#clock);
    this.#alarms = { attempt: alarm(), retry: alarm(), finish: alarm() };
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
    if (this.#state === 'IDLE') this.#attempt();
  }

  /** Something is in the outbox. */
  flush() {
    if (this.#state === 'OPEN') this.#pump();
  }

  /** Somebody doubts that the connection is alive: ask, and reconnect if nothing comes. While waiting, try at once. */
  probe() {
    if (this.#state === 'WAITING') return this.nudge();
    if (this.#state === 'OPEN') this.#line?.probe();
  }

  /** The network is back: don't wait any longer, unless the server has asked for it. */
  nudge() {
    if (this.#state !== 'WAITING' || this.#pace.barred(this.#clock.now())) return;
    this.#pace.hurry();
    this.#attempt();
  }

  /**
   * The page is put away: no socket until thaw().
   * @param {string} [goodbye] the reason, if it is not going to be back
   */
  freeze(goodbye) {
    if (this.#state === 'FROZEN' || this.#state === 'ENDED') return;
    if (goodbye !== undefined && this.#state === 'OPEN')
      this.#line?.say('bye', { reason: goodbye });
    const wasOpen = this.#state === 'OPEN' && goodbye === undefined;
    this.#discard();
    this.#enter('FROZEN');
    if (wasOpen)
      this.#owner.lost({ code: CLOSE.GOING_AWAY, reason: 'page hidden', retryAfter: null }, true);
  }

  thaw() {
    if (this.#state !== 'FROZEN') return;
    this.#pace.hurry();
    const wait = this.#pace.barred(this.#clock.now());
    if (!wait) return this.#attempt();
    this.#enter('WAITING');
    this.#retryIn(wait);
  }

  /**
   * Ends the session when all that is queued has been delivered, or after `ms`.
   * @param {string} reason @param {number} ms
   */
  finish(reason, ms) {
    if (this.#finish !== null || this.#state === 'ENDED') return;
    this.#finish = reason;
    if (this.#state === 'OPEN') this.#pump();
    else if (this.#state !== 'CONNECTING' && this.#state !== 'FROZEN') this.#endIfNothingLeft();
    if (/** @type {State} */ (this.#state) === 'ENDED') return;
    this.#alarms.finish.set(ms, () => this.#giveUp());
  }

  /** Ends it here and now, whatever is queued. @param {End} end */
  end(end) {
    this.#end(end);
  }

  /** Connects, unless this origin has been told to stay away. */
  #attempt() {
    const held = this.#access.held();
    if (!held) return this.#connect();
    if (!this.#outlives(held)) return this.#end(held);
    const wait = this.#pace.pause(
      { ...held, code: CLOSE.TRY_AGAIN_LATER },
      this.#clock.now(),
      this.#clock.random(),
    );
    if (this.#state !== 'WAITING') this.#enter('WAITING');
    this.#retryIn(wait);
    // Not before whoever has made us has had the time to listen.
    if (!this.#tried)
      queueMicrotask(() => this.#state === 'WAITING' && this.#owner.lost(held, false));
  }

  /**
   * Whether we wait until it is over. A session that exists was not what was refused. A new one fails at once in a
   * ban, but waits where the server was only out of order.
   * @param {import('../access/access.mjs').Held} held
   */
  #outlives(held) {
    return this.#session !== null || (verdict(held) === 'wait' && (this.#tried || !held.ban));
  }

  #connect() {
    this.#tried = true;
    try {
      this.#line = new Line(
        { ...this.#options, inbox: this.#inbox },
        this.#offer(),
        this.#listener(),
      );
    } catch (error) {
      return this.#end({
        code: CLOSE.ABNORMAL,
        reason: `WebSocket: ${/** @type {Error} */ (error).message}`,
        retryAfter: null,
      });
    }
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

  /** What the line tells. @returns {import('./session-socket.mjs').LineOwner} */
  #listener() {
    return {
      welcomed: (welcome) => this.#welcomed(welcome),
      message: (message, size) => {
        this.#pace.worked();
        this.#owner.message(message, size);
      },
      frame: (frame) => {
        this.#pace.worked();
        this.#channels.receive(frame);
      },
      acknowledged: () => {
        this.#pace.worked();
        this.flush();
      },
      announced: (end) => {
        this.#announced = end;
        this.#access.refused(end);
      },
      control: (word, data) => this.#owner.control?.(word, data),
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
    this.#outbox.rewind(welcome.received);
    this.#inbox.acknowledge(); // `received.N` of the handshake has said it
    this.#welcome = welcome;
    this.#session = welcome.session;
    this.#pace.opened(this.#clock.now());
    this.#access.opened();
    this.#enter('OPEN');
    this.#owner.welcomed(welcome, first);
    this.flush();
    if (this.#state === 'OPEN') this.#channels.attach(/** @type {Line} */ (this.#line), welcome);
  }

  /** Sends what the window lets, and the goodbye once all is sent. */
  #pump() {
    const line = /** @type {Line} */ (this.#line);
    if (!line.flush() || this.#finish === null) return;
    this.#saidClose = true;
    this.#channels.detach();
    this.#enter('LEAVING');
    line.leave(this.#finish);
  }

  /** Gives the connection up without waiting for its end: a dead one takes minutes to close. @param {string} why */
  #drop(why) {
    this.#discard();
    this.#lost({ code: CLOSE.ABNORMAL, reason: why, retryAfter: null });
  }

  /** The other side broke the rules: nothing can be mended. @param {string} problem ASCII */
  #fail(problem) {
    const reason = `wire-protocol: ${problem}`;
    this.#discard(CLOSE.WIRE_PROTOCOL, reason);
    this.#end({ code: CLOSE.WIRE_PROTOCOL, reason, retryAfter: null });
  }

  /** The line has closed by itself. @param {End} end @param {boolean} opened */
  #closed(end, opened) {
    this.#discard();
    if (!opened && this.#access.asks(this.#welcome !== null)) this.#ask(end);
    else this.#over(this.#announced ?? end);
  }

  /** The handshake has failed, and its browser tells nobody why. @param {End} end */
  async #ask(end) {
    this.#enter('ASKING');
    const { signal } = this.#asking;
    const refusal = await this.#access.ask(signal);
    if (!signal.aborted) this.#over(refusal ?? end);
  }

  /** @param {End} end of a connection, or of an attempt */
  #over(end) {
    this.#access.refused(end);
    if (this.#saidClose && LEFT.includes(end.code)) this.#left();
    else if (verdict(end) === 'final') this.#end(end);
    else this.#lost(end);
  }

  /** The connection is over, the session perhaps not. @param {End} end */
  #lost(end) {
    if (this.#announced) return this.#end(this.#announced);
    if (this.#endIfNothingLeft()) return;
    const wasOpen = this.#state === 'OPEN';
    const pause = this.#pace.pause(end, this.#clock.now(), this.#clock.random());
    this.#enter('WAITING');
    this.#owner.lost(end, wasOpen);
    if (/** @type {State} */ (this.#state) !== 'WAITING') return; // the owner has done something about it
    if (pause === 0) this.#attempt();
    else this.#retryIn(pause);
  }

  /** @param {number} ms */
  #retryIn(ms) {
    this.#alarms.retry.set(ms, () => this.#attempt());
  }

  /** @returns {boolean} whether there was nothing to deliver, and so no reason to try again */
  #endIfNothingLeft() {
    if (this.#finish === null || this.#outbox.undelivered || this.#welcome) return false;
    this.#end({ code: CLOSE.NORMAL, reason: this.#finish, retryAfter: null });
    return true;
  }

  /** The server has our `.close`, and so all that went before it. */
  #left() {
    this.#outbox.settle();
    this.#end({
      code: CLOSE.NORMAL,
      reason: /** @type {string} */ (this.#finish),
      retryAfter: null,
    });
  }

  /** finish() has taken too long. What the window still lets go has gone. */
  #giveUp() {
    if (this.#state === 'OPEN') this.#line?.say('close', { reason: this.#finish });
    this.#discard(CLOSE.NORMAL);
    this.#end({ code: CLOSE.ABNORMAL, reason: 'close-timeout', retryAfter: null });
  }

  /** Leaves the line. @param {number} [code] @param {string} [reason] */
  #discard(code, reason) {
    this.#channels.detach();
    this.#line?.close(code, reason);
    this.#line = null;
  }

  /** @param {End} end */
  #end({ code, reason, retryAfter }) {
    if (this.#state === 'ENDED') return;
    this.#discard();
    this.#enter('ENDED');
    this.#outbox.abandon();
    this.#channels.end(resetOf(reason, retryAfter));
    this.#owner.ended({ code, reason, retryAfter });
  }

  /** @param {State} state */
  #enter(state) {
    if (!(/** @type {readonly string[]} */ (NEXT[this.#state]).includes(state)))
      throw new Error(`${this.#state} -> ${state}`);
    if (this.#state === 'ASKING') {
      this.#asking.abort();
      this.#asking = new AbortController();
    }
    this.#state = state;
    if (state === 'LEAVING') return;
    this.#alarms.attempt.clear();
    this.#alarms.retry.clear();
    if (state === 'ENDED') this.#alarms.finish.clear();
  }
}

/**
 * What the end of the session is for its byte streams: the token that its reason begins with, and all of it in words.
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
