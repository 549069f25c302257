// SPDX-License-Identifier: MIT
// @ts-check
/**
 * All byte streams of one session: numbers them, says at each new connection what has to be said, and lets those that
 * have something to send take turns, so that none waits for another and events wait for none of them. There is no
 * event for a socket that has room again, so while more is to be sent than it may hold it is looked at every few
 * milliseconds, and whenever something comes.
 */
import { Channel } from './channel.mjs';
import { Alarm } from '../base/clock.mjs';
import { formatGone, parseFrame } from '../proto/channel-frame.mjs';
import { Room } from './socket-budget.mjs';
import { WireError } from '../proto/message.mjs';

/** @typedef {import('../proto/channel-frame.mjs').Bytes} Bytes */
/** @typedef {import('../proto/channel-frame.mjs').Reset} Reset */

/** The connection of now. @typedef {{ send(frame: Bytes): void, readonly buffered: number }} Wire */

/** Bytes of one turn: of one that has the wire for itself, and of one among others. */
const ALONE_BYTES = 65_536;
const TURN_BYTES = 16_384;
const LOOK_MS = 4;
/** Within which the server hears what has come, however little it is. */
const TELL_MS = 1000;

const NOT_HERE = Object.freeze({
  reason: 'streams-unsupported',
  message: 'this server has no byte streams',
});

export class Channels {
  /** @type {Map<number, Channel>} in the order of their numbers */
  #channels = new Map();
  /** Those that may have something to send: whose turn is next stands first. @type {Set<Channel>} */
  #turns = new Set();
  /** @type {Wire | null} */
  #wire = null;
  #made = 0;
  /** How many there may be at a time; until the server has said it, any number. */
  #most = Infinity;
  /** Why nothing can be opened any more. @type {Reset | null} */
  #over = null;
  #room = new Room();
  #pumping = false;
  #look;
  #tell;
  #clock;
  /** Bytes that the server keeps of each until it is told that they came. */
  #kept = Infinity;

  /** @param {import('../base/clock.mjs').Clock} clock */
  constructor(clock) {
    this.#clock = clock;
    this.#look = new Alarm(clock);
    this.#tell = new Alarm(clock);
  }

  /**
   * A new one. If there can be none, its owner's `over` is called, but not before this has returned.
   * @param {object} request @param {number} window bytes that it holds for its reader at most
   * @param {import('./channel.mjs').ChannelOwner} owner
   */
  open(request, window, owner) {
    const channel = new Channel(++this.#made, request, window, owner, this.#ways());
    const why = this.#over ?? this.#full();
    this.#channels.set(channel.number, channel);
    if (why) queueMicrotask(() => channel.fail(why));
    else if (this.#wire) channel.attach(this.#kept);
    return channel;
  }

  /**
   * A connection has been welcomed. Those that the server has stand before new ones: what it is not told of, it forgets.
   * @param {Wire} wire
   * @param {{ streams?: number, streamWindow?: number }} welcome
   */
  attach(wire, { streams = 0, streamWindow = Infinity }) {
    this.#wire = wire;
    this.#room = new Room();
    this.#most = streams;
    this.#kept = streamWindow;
    for (const channel of [...this.#channels.values()].slice(streams))
      if (!channel.asked) channel.fail(this.#refusal());
    for (const channel of this.#channels.values()) channel.attach(streamWindow);
  }

  /** The connection is gone. */
  detach() {
    this.#wire = null;
    this.#look.clear();
    this.#tell.clear();
    for (const channel of this.#channels.values()) channel.detach();
  }

  /** @param {Bytes} message that is a frame @throws {WireError} */
  receive(message) {
    const frame = parseFrame(message);
    const channel = this.#channels.get(frame.channel);
    if (channel) channel.receive(frame);
    else if (frame.channel > this.#made || frame.kind === 'open')
      throw new WireError('a channel never opened');
    else if (frame.kind !== 'gone') this.#wire?.send(formatGone(frame.channel));
    this.#pump();
  }

  /** The session is over, and so are all of them. @param {Reset} why */
  end(why) {
    this.detach();
    this.#over = why;
    for (const channel of [...this.#channels.values()]) channel.fail(why);
  }

  /** What a channel may ask of us. @returns {import('./channel.mjs').ChannelSet} */
  #ways() {
    return {
      say: (frame) => {
        this.#wire?.send(frame);
        return this.#wire !== null;
      },
      tellSoon: () => {
        if (this.#wire && !this.#tell.isSet) this.#tell.set(TELL_MS, () => this.#tellAll());
      },
      wants: (channel) => {
        this.#turns.add(channel);
        this.#pump();
      },
      forget: (channel) => {
        this.#channels.delete(channel.number);
        this.#turns.delete(channel);
      },
    };
  }

  #tellAll() {
    for (const channel of this.#channels.values()) channel.tell();
  }

  /** Why there can be no more, or null. */
  #full() {
    return this.#channels.size < this.#most ? null : this.#refusal();
  }

  /** @returns {Reset} */
  #refusal() {
    if (this.#most === 0) return NOT_HERE;
    return { reason: 'streams-full', message: `the server takes ${this.#most} at a time` };
  }

  /** Sends, turn by turn, what the socket takes. Who is told meanwhile that there is room may write at once. */
  #pump() {
    if (!this.#wire || this.#pumping) return;
    this.#pumping = true;
    this.#takeTurns(this.#wire);
    this.#pumping = false;
  }

  /** @param {Wire} wire */
  #takeTurns(wire) {
    const now = this.#clock.now();
    if (this.#look.isSet) this.#room.look(wire.buffered, now);
    while (this.#turns.size) {
      if (!this.#room.allows(wire.buffered))
        return this.#look.set(LOOK_MS, () => this.#lookAgain());
      const [channel] = this.#turns;
      const frame = channel.next(this.#turns.size > 1 ? TURN_BYTES : ALONE_BYTES);
      this.#turns.delete(channel);
      if (!frame) continue;
      this.#turns.add(channel);
      this.#room.gave(now);
      wire.send(frame);
    }
    this.#look.clear();
  }

  /** The socket was full. */
  #lookAgain() {
    const { buffered } = /** @type {Wire} */ (this.#wire);
    this.#room.look(buffered, this.#clock.now());
    this.#pump();
  }
}
