// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The byte streams of one session, before there are any: the code for them is a part of the client,
 * which is loaded when the page first wants one. From then on it is told what it has missed.
 */
import { WireError } from '../proto/message.mjs';

/** @typedef {import('./channels.mjs').Channels} Channels */

export class LateChannels {
  #clock;
  /** @type {Channels | null} */
  #channels = null;
  /** The present connection. @type {Parameters<Channels['attach']> | null} */
  #attached = null;
  /** Why there can be no streams. @type {import('../proto/channel-frame.mjs').Reset | null} */
  #ended = null;

  /** @param {import('../base/clock.mjs').Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * The part is here.
   * @param {{ Channels: new (clock: import('../base/clock.mjs').Clock) => Channels }} part
   * @returns {Channels}
   */
  by({ Channels }) {
    if (this.#channels) return this.#channels;
    const channels = (this.#channels = new Channels(this.#clock));
    if (this.#ended) channels.end(this.#ended);
    else if (this.#attached) channels.attach(...this.#attached);
    return channels;
  }

  /** @param {Parameters<Channels['attach']>} connection */
  attach(...connection) {
    this.#attached = connection;
    this.#channels?.attach(...connection);
  }

  detach() {
    this.#attached = null;
    this.#channels?.detach();
  }

  /** @param {import('../proto/channel-frame.mjs').Bytes} frame @throws {WireError} */
  receive(frame) {
    if (!this.#channels) throw new WireError('a channel never opened');
    this.#channels.receive(frame);
  }

  /** @param {import('../proto/channel-frame.mjs').Reset} why */
  end(why) {
    this.detach();
    this.#ended = why;
    this.#channels?.end(why);
  }

  begin() {
    this.#ended = null;
    this.#channels?.begin();
  }
}
