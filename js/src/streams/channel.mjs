// SPDX-License-Identifier: MIT
// @ts-check
/**
 * One byte stream of a session, in both directions (docs/protocol.md, section 10). A channel
 * outlives connections, as the session does. {@link Channels} has all channels and the present
 * connection.
 *
 *   OPENING --OPENED--> OPEN --both directions complete, or GONE--> OVER
 *      |                 |
 *      +------reset()----+--> RESETTING --GONE--> OVER
 *      |                 |
 *      +--RESET, fail()--+--> OVER
 *
 * Bytes that were received can still be taken when the channel is over, unless it failed. Only
 * #enter() changes the state.
 */
import { formatGone, formatOpen, formatReset, formatState } from '../proto/channel-frame.mjs';
import { Inflow } from './inflow.mjs';
import { Outflow } from './outflow.mjs';
import { WireError } from '../proto/message.mjs';

/** The legal moves from each state. */
const NEXT_CHANNEL = Object.freeze({
  OPENING: ['OPEN', 'RESETTING', 'OVER'],
  OPEN: ['RESETTING', 'OVER'],
  RESETTING: ['OVER'],
  OVER: [],
});

/** @typedef {keyof typeof NEXT_CHANNEL} ChannelState */
/** @typedef {import('../proto/channel-frame.mjs').Bytes} Bytes */
/** @typedef {import('../proto/channel-frame.mjs').Frame} Frame */
/** @typedef {import('../proto/channel-frame.mjs').Reset} Reset */

/**
 * Who is told of events. None of these functions may throw.
 * @typedef {object} ChannelOwner
 * @property {(data: any) => void} opened the other side has accepted the stream, and says this of
 *   it; called once
 * @property {() => void} arrived there is something to take(), or the other side's direction is
 *   complete
 * @property {() => void} delivered the other side has all our bytes, and knows that they are all;
 *   called once
 * @property {(failure: Reset | null) => void} over null: both directions are complete; otherwise
 *   why the channel failed. Not called after our own reset()
 */

/**
 * What the channel needs of the set that it belongs to.
 * @typedef {object} ChannelSet
 * @property {(frame: Bytes) => boolean} send sends a frame at once; false: there is no connection
 * @property {() => void} reportSoon calls report() within a second: bytes have arrived
 * @property {(channel: Channel) => void} queue lets the channel take turns: it has something to
 *   send
 * @property {(channel: Channel) => void} remove the channel is over
 */

export class Channel {
  /** @type {ChannelState} */
  #state = 'OPENING';
  #number;
  #request;
  #owner;
  #set;
  #in;
  #out;
  #asked = false;
  /** @type {Reset | null} */
  #reset = null;

  /**
   * @param {number} number @param {object} request what kind of stream is wanted, as OPEN says it
   * @param {number} window bytes that the channel holds for its reader at most
   * @param {ChannelOwner} owner @param {ChannelSet} set
   */
  constructor(number, request, window, owner, set) {
    this.#number = number;
    this.#request = request;
    this.#owner = owner;
    this.#set = set;
    this.#in = new Inflow(window);
    this.#out = new Outflow(number);
  }

  get number() {
    return this.#number;
  }

  /** Whether the other side may know of the channel. */
  get asked() {
    return this.#asked;
  }

  /** How many of our bytes the other side has. */
  get received() {
    return this.#out.received;
  }

  /** Whether the other side's direction is complete and all its bytes were taken. */
  get drained() {
    return this.#in.complete && !this.#in.available;
  }

  /**
   * @param {Uint8Array} bytes at least one; they must not change before `taken` is called
   * @param {() => void} taken called when there is room for more
   */
  write(bytes, taken) {
    this.#out.write(bytes, taken);
    this.#set.queue(this);
  }

  /** Our direction is complete. */
  end() {
    this.#out.end();
    this.#set.queue(this);
  }

  /**
   * The first bytes that were received, `most` of them at most. Null: there are none yet, and
   * `arrived` says when there are.
   * @param {number} most
   */
  take(most) {
    const bytes = this.#in.take(most);
    this.#reportIfDue();
    return bytes;
  }

  /** Nobody reads any more. Bytes that still arrive are dropped. */
  discard() {
    this.#in.discard();
    this.#reportIfDue();
  }

  /** Gives up both directions. @param {Reset} reset */
  reset(reset) {
    if (this.#state !== 'OPENING' && this.#state !== 'OPEN') return;
    this.#reset = reset;
    if (!this.#asked) return this.#enter('OVER');
    this.#enter('RESETTING');
    this.#set.send(formatReset(this.#number, reset));
  }

  /** Ends the channel without telling the other side. @param {Reset} failure */
  fail(failure) {
    if (this.#state === 'OVER') return;
    const known = this.#state === 'RESETTING';
    this.#enter('OVER');
    if (!known) this.#owner.over(failure);
  }

  /**
   * There is a new connection: says on it what this channel has to say first.
   * @param {number} kept bytes that the server keeps until they are reported
   */
  attach(kept) {
    this.#in.limitKept(kept);
    if (this.#state === 'RESETTING') {
      this.#set.send(formatReset(this.#number, /** @type {Reset} */ (this.#reset)));
      return;
    }
    if (this.#state === 'OPENING')
      this.#asked = this.#set.send(formatOpen(this.#number, this.#request));
    this.#sendState(); // at once, for a target that speaks first
  }

  /** The connection is lost. */
  detach() {
    this.#out.detach();
  }

  /**
   * The next frame that may be sent, or null.
   * @param {number} most bytes of the stream that the frame may carry
   */
  next(most) {
    return this.#state === 'OPEN' ? this.#out.next(most) : null;
  }

  /** @param {Frame} frame that arrived for this channel @throws {WireError} */
  receive(frame) {
    if (frame.kind === 'gone') return this.#gone();
    if (frame.kind === 'reset') {
      this.#set.send(formatGone(this.#number));
      return this.fail(frame.data);
    }
    if (this.#state === 'RESETTING') return; // sent before our RESET arrived
    if (frame.kind === 'opened') return this.#opened(frame.data);
    // Also in OPENING: the OPENED before it may have been lost.
    if (frame.kind === 'state') return this.#granted(frame.received, frame.limit);
    if (this.#state === 'OPENING') throw new WireError(`${frame.kind} before OPENED`);
    this.#arrived(frame);
  }

  /** @param {any} data */
  #opened(data) {
    if (this.#state !== 'OPENING') return; // answers a repeated OPEN
    this.#enter('OPEN');
    this.#set.queue(this);
    this.#owner.opened(data);
  }

  /** @param {Frame} frame */
  #arrived(frame) {
    if (frame.kind === 'data') this.#in.data(frame.bytes);
    else if (frame.kind === 'end') this.#in.end();
    else throw new WireError(`${frame.kind} from the server`);
    this.#reportIfDue();
    this.#owner.arrived();
    this.#settle();
  }

  /** @param {number} received @param {number} limit */
  #granted(received, limit) {
    const before = this.#out.complete;
    this.#out.state(received, limit);
    this.#set.queue(this);
    if (this.#out.complete && !before) this.#owner.delivered();
    this.#settle();
  }

  #gone() {
    if (this.#state === 'RESETTING') this.#enter('OVER');
    else if (this.#in.complete && this.#out.sent) this.#complete();
    else this.fail({ reason: 'stream-gone' });
  }

  /** Ends the channel if both directions are complete. */
  #settle() {
    if (this.#state === 'OPEN' && this.#in.complete && this.#out.complete) this.#complete();
  }

  #complete() {
    this.#enter('OVER');
    if (!this.#out.complete) this.#owner.delivered();
    this.#owner.over(null);
  }

  #reportIfDue() {
    if (this.#state !== 'OPEN') return;
    if (this.#in.reportDue) this.#sendState();
    else if (this.#in.hasUnreported) this.#set.reportSoon();
  }

  /** Reports what was received, if the other side does not know it yet. */
  report() {
    if (this.#state === 'OPEN' && this.#in.hasUnreported) this.#sendState();
  }

  /**
   * Sends what we have received and what we grant. Without a connection nothing is sent, as the
   * next connection begins with that.
   */
  #sendState() {
    const { received, limit } = this.#in.state();
    this.#set.send(formatState(this.#number, received, limit));
  }

  /** @param {ChannelState} state */
  #enter(state) {
    if (!(/** @type {readonly string[]} */ (NEXT_CHANNEL[this.#state]).includes(state)))
      throw new Error(`${this.#state} -> ${state}`);
    this.#state = state;
    if (state === 'OVER') this.#set.remove(this);
  }
}
