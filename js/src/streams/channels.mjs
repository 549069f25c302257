// SPDX-License-Identifier: MIT
// @ts-check
/**
 * All byte streams of one session: numbers them, says at each new connection what has to be said
 * first, and lets the streams that have something to send take turns. No stream waits for another,
 * and no event waits for a stream. No event tells when a WebSocket has room again, so while more is
 * to be sent than it may hold, it is polled every few milliseconds, and whenever a frame arrives.
 */
import { Channel } from './channel.mjs';
import { Timer } from '../base/clock.mjs';
import { formatGone, parseFrame } from '../proto/channel-frame.mjs';
import { SocketBudget } from './socket-budget.mjs';
import { WireError } from '../proto/message.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Bytes} Bytes */
/** @typedef {import('../proto/channel-frame.mjs').Reset} Reset */

/**
 * The present connection.
 * @typedef {{ send(frame: Bytes): void, readonly buffered: number }} FrameSocket
 */

/** Bytes that a channel sends in one turn: if it is the only one that sends, and if others do. */
const ALONE_BYTES = 65_536;
const TURN_BYTES = 16_384;
const POLL_MS = 4;
/** The server hears within this time what was received, however little it is. */
const REPORT_MS = 1000;

const NOT_HERE = Object.freeze({
  reason: 'streams-unsupported',
  message: 'this server has no byte streams',
});

export class Channels {
  /** By number, in the order of the numbers. @type {Map<number, Channel>} */
  #channels = new Map();
  /**
   * The channels that may have something to send. The first one has the next turn.
   * @type {Set<Channel>}
   */
  #turns = new Set();
  /** @type {FrameSocket | null} */
  #socket = null;
  #made = 0;
  /** How many channels there may be at a time. There is no limit before the server has named it. */
  #maxChannels = Infinity;
  /** Why no channel can be opened any more; null: channels can be opened. @type {Reset | null} */
  #ended = null;
  #budget = new SocketBudget();
  #pumping = false;
  #pollTimer;
  #reportTimer;
  #clock;
  /** Bytes of each stream that the server keeps until they are reported. */
  #streamWindow = Infinity;

  /** @param {import('../base/clock.mjs').Clock} clock */
  constructor(clock) {
    this.#clock = clock;
    this.#pollTimer = new Timer(clock);
    this.#reportTimer = new Timer(clock);
  }

  /**
   * Opens a channel. If the server takes no more, `over` of its owner is called, but only after
   * this function has returned.
   * @param {object} request
   * @param {number} window bytes that the channel holds for its reader at most
   * @param {import('./channel.mjs').ChannelOwner} owner
   */
  open(request, window, owner) {
    const channel = new Channel(++this.#made, request, window, owner, this.#channelSet());
    const why = this.#ended ?? this.#full();
    this.#channels.set(channel.number, channel);
    if (why) queueMicrotask(() => channel.fail(why));
    else if (this.#socket) channel.attach(this.#streamWindow);
    return channel;
  }

  /**
   * The server has welcomed a new connection. Channels that the server knows come before new ones:
   * the server forgets each channel of which it is not told.
   * @param {FrameSocket} socket
   * @param {{ streams?: number, streamWindow?: number }} welcome
   */
  attach(socket, { streams = 0, streamWindow = Infinity }) {
    this.#socket = socket;
    this.#budget = new SocketBudget();
    this.#maxChannels = streams;
    this.#streamWindow = streamWindow;
    for (const channel of [...this.#channels.values()].slice(streams))
      if (!channel.asked) channel.fail(this.#refusal());
    for (const channel of this.#channels.values()) channel.attach(streamWindow);
  }

  /** The connection is lost. */
  detach() {
    this.#socket = null;
    this.#pollTimer.clear();
    this.#reportTimer.clear();
    for (const channel of this.#channels.values()) channel.detach();
  }

  /** @param {Bytes} message a frame @throws {WireError} */
  receive(message) {
    const frame = parseFrame(message);
    const channel = this.#channels.get(frame.channel);
    if (channel) channel.receive(frame);
    else if (frame.channel > this.#made || frame.kind === 'open')
      throw new WireError('a channel never opened');
    else if (frame.kind !== 'gone') this.#socket?.send(formatGone(frame.channel));
    this.#pump();
  }

  /** The session is over, and so are all its channels. @param {Reset} why */
  end(why) {
    this.detach();
    this.#ended = why;
    for (const channel of [...this.#channels.values()]) channel.fail(why);
  }

  /** Another session takes the place of the one that is over. Its numbers go on from there. */
  begin() {
    this.#ended = null;
    this.#maxChannels = Infinity;
  }

  /** What a channel needs of this set. @returns {import('./channel.mjs').ChannelSet} */
  #channelSet() {
    return {
      send: (frame) => {
        this.#socket?.send(frame);
        return this.#socket !== null;
      },
      reportSoon: () => {
        if (this.#socket && !this.#reportTimer.isSet)
          this.#reportTimer.set(REPORT_MS, () => this.#reportAll());
      },
      queue: (channel) => {
        this.#turns.add(channel);
        this.#pump();
      },
      remove: (channel) => {
        this.#channels.delete(channel.number);
        this.#turns.delete(channel);
      },
    };
  }

  #reportAll() {
    for (const channel of this.#channels.values()) channel.report();
  }

  /** Why no more channels can be opened now, or null. */
  #full() {
    return this.#channels.size < this.#maxChannels ? null : this.#refusal();
  }

  /** @returns {Reset} */
  #refusal() {
    if (this.#maxChannels === 0) return NOT_HERE;
    return { reason: 'streams-full', message: `the server takes ${this.#maxChannels} at a time` };
  }

  /**
   * Sends, turn by turn, as much as the socket takes. A writer that is told of room may write at
   * once.
   */
  #pump() {
    if (!this.#socket || this.#pumping) return;
    this.#pumping = true;
    this.#takeTurns(this.#socket);
    this.#pumping = false;
  }

  /** @param {FrameSocket} socket */
  #takeTurns(socket) {
    const now = this.#clock.now();
    if (this.#pollTimer.isSet) this.#budget.adapt(socket.buffered, now);
    while (this.#turns.size) {
      if (!this.#budget.allows(socket.buffered))
        return this.#pollTimer.set(POLL_MS, () => this.#poll());
      const [channel] = this.#turns;
      const frame = channel.next(this.#turns.size > 1 ? TURN_BYTES : ALONE_BYTES);
      this.#turns.delete(channel);
      if (!frame) continue;
      this.#turns.add(channel);
      this.#budget.filled(now);
      socket.send(frame);
    }
    this.#pollTimer.clear();
  }

  /** The socket was full: looks whether it has room now. */
  #poll() {
    const { buffered } = /** @type {FrameSocket} */ (this.#socket);
    this.#budget.adapt(buffered, this.#clock.now());
    this.#pump();
  }
}
