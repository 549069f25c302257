// SPDX-License-Identifier: MIT
// @ts-check
/**
 * One byte stream of a session, both directions of it (docs/protocol.md, section 10). It outlives connections, as the
 * session does; {@link Channels} has all of them and the connection of now.
 *
 *   OPENING --OPENED--> OPEN --both directions complete, or GONE--> OVER
 *      |                 |
 *      +------reset()----+--> RESETTING --GONE--> OVER
 *      |                 |
 *      +--RESET, fail()--+--> OVER
 *
 * What has been received and not taken can still be taken when it is over, unless it failed. #enter() alone changes
 * the state.
 */
import { formatGone, formatOpen, formatReset, formatState } from '../proto/channel-frame.mjs';
import { Inflow } from './inflow.mjs';
import { Outflow } from './outflow.mjs';
import { WireError } from '../proto/message.mjs';

/** Each state, and those that may follow it. */
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
 * Who uses it. None of these may throw.
 * @typedef {object} ChannelOwner
 * @property {(data: any) => void} opened the other side has it, and says this of it; once
 * @property {() => void} arrived there is something to take(), or their direction is complete
 * @property {() => void} delivered the other side has all of ours, and knows that it is all; once
 * @property {(failure: Reset | null) => void} over null: both directions are complete. Otherwise it failed, and this is
 *   why; not called for one's own reset()
 */

/**
 * What it asks of the set that it belongs to.
 * @typedef {object} ChannelSet
 * @property {(frame: Bytes) => boolean} say sends a frame now; false: there is no connection
 * @property {() => void} tellSoon it has received something: tell() is to be called within a second
 * @property {(channel: Channel) => void} wants it has something to send
 * @property {(channel: Channel) => void} forget it is over
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
   * @param {number} number @param {object} request what kind of stream is wanted @param {number} window bytes received
   *   that it holds at most @param {ChannelOwner} owner @param {ChannelSet} set
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

  /** Whether the other side may have heard of it. */
  get asked() {
    return this.#asked;
  }

  /** Bytes of ours that the other side has. */
  get received() {
    return this.#out.received;
  }

  /** Whether their direction is complete and everything of it was taken. */
  get drained() {
    return this.#in.complete && !this.#in.available;
  }

  /**
   * @param {Uint8Array} bytes at least one; not to be changed before `taken` is called
   * @param {() => void} taken there is room for more
   */
  write(bytes, taken) {
    this.#out.write(bytes, taken);
    this.#set.wants(this);
  }

  /** Our direction is complete. */
  end() {
    this.#out.end();
    this.#set.wants(this);
  }

  /** What came first, `most` bytes of it at most. Null: nothing is there; `arrived` says when. @param {number} most */
  take(most) {
    const bytes = this.#in.take(most);
    this.#tellState();
    return bytes;
  }

  /** Nobody reads any more; what still comes is dropped. */
  discard() {
    this.#in.discard();
    this.#tellState();
  }

  /** Gives both directions up. @param {Reset} reset */
  reset(reset) {
    if (this.#state !== 'OPENING' && this.#state !== 'OPEN') return;
    this.#reset = reset;
    if (!this.#asked) return this.#enter('OVER');
    this.#enter('RESETTING');
    this.#set.say(formatReset(this.#number, reset));
  }

  /** Ends it without a word to the other side. @param {Reset} failure */
  fail(failure) {
    if (this.#state === 'OVER') return;
    const known = this.#state === 'RESETTING';
    this.#enter('OVER');
    if (!known) this.#owner.over(failure);
  }

  /**
   * A new connection: says what has to be said first on it.
   * @param {number} kept bytes that the server keeps until it is told that they came
   */
  attach(kept) {
    this.#in.kept(kept);
    if (this.#state === 'RESETTING') {
      this.#set.say(formatReset(this.#number, /** @type {Reset} */ (this.#reset)));
      return;
    }
    if (this.#state === 'OPENING')
      this.#asked = this.#set.say(formatOpen(this.#number, this.#request));
    this.#say(); // at once, so that a target that speaks first need not wait for us
  }

  /** The connection is gone. */
  detach() {
    this.#out.detach();
  }

  /** The next frame that may go out, or null. @param {number} most bytes of it */
  next(most) {
    return this.#state === 'OPEN' ? this.#out.next(most) : null;
  }

  /** @param {Frame} frame that came for it @throws {WireError} */
  receive(frame) {
    if (frame.kind === 'gone') return this.#gone();
    if (frame.kind === 'reset') {
      this.#set.say(formatGone(this.#number));
      return this.fail(frame.data);
    }
    if (this.#state === 'RESETTING') return; // it was on its way
    if (frame.kind === 'opened') return this.#opened(frame.data);
    if (frame.kind === 'state') return this.#granted(frame.received, frame.limit); // its OPENED may have been lost
    if (this.#state === 'OPENING') throw new WireError(`${frame.kind} before OPENED`);
    this.#arrived(frame);
  }

  /** @param {any} data */
  #opened(data) {
    if (this.#state !== 'OPENING') return; // the answer to an OPEN that was repeated
    this.#enter('OPEN');
    this.#set.wants(this);
    this.#owner.opened(data);
  }

  /** @param {Frame} frame */
  #arrived(frame) {
    if (frame.kind === 'data') this.#in.data(frame.bytes);
    else if (frame.kind === 'end') this.#in.end();
    else throw new WireError(`${frame.kind} from the server`);
    this.#tellState();
    this.#owner.arrived();
    this.#settle();
  }

  /** @param {number} received @param {number} limit */
  #granted(received, limit) {
    const before = this.#out.complete;
    this.#out.state(received, limit);
    this.#set.wants(this);
    if (this.#out.complete && !before) this.#owner.delivered();
    this.#settle();
  }

  #gone() {
    if (this.#state === 'RESETTING') this.#enter('OVER');
    else if (this.#in.complete && this.#out.sent) this.#good();
    else this.fail({ reason: 'stream-gone' });
  }

  /** Both directions may be complete. */
  #settle() {
    if (this.#state === 'OPEN' && this.#in.complete && this.#out.complete) this.#good();
  }

  #good() {
    this.#enter('OVER');
    if (!this.#out.complete) this.#owner.delivered();
    this.#owner.over(null);
  }

  #tellState() {
    if (this.#state !== 'OPEN') return;
    if (this.#in.owing) this.#say();
    else if (this.#in.untold) this.#set.tellSoon();
  }

  /** Says what it has received, if the other side does not know. */
  tell() {
    if (this.#state === 'OPEN' && this.#in.untold) this.#say();
  }

  /** What we have and grant; without a connection, the next one begins with it. */
  #say() {
    const { received, limit } = this.#in.state();
    this.#set.say(formatState(this.#number, received, limit));
  }

  /** @param {ChannelState} state */
  #enter(state) {
    if (!(/** @type {readonly string[]} */ (NEXT_CHANNEL[this.#state]).includes(state)))
      throw new Error(`${this.#state} -> ${state}`);
    this.#state = state;
    if (state === 'OVER') this.#set.forget(this);
  }
}
