// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A link whose session, when it is over, is followed by another that goes on from the program's
 * state (docs/protocol.md, section 12). To its owner both are one, told apart by `restoring` and
 * `restored`.
 *
 *   LIVE --the session is over, and there is a state--> PAUSED --timer--> RESTORING --+
 *    ^                                                     ^                 |         |
 *    |                                                     +-- over again ---+         |
 *    +----------------------------------- `.restored` ---------------------------------+
 *
 *   any --the session is over, and does not go on--> OVER
 */
import { Timer } from '../base/clock.mjs';
import { formatRestore } from '../proto/state-message.mjs';
import { Link } from './link.mjs';
import { Restorer } from './restorer.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */
/** @typedef {import('../proto/state-message.mjs').RestoreWhy} RestoreWhy */
/** @typedef {import('../proto/welcome.mjs').Welcome} Welcome */
/** @typedef {{ why: RestoreWhy, resent: number }} Restoration */

/**
 * Who is told of events. None of these functions may throw.
 * @typedef {object} RestoringOwner
 * @property {(welcome: Welcome, first: boolean) => void} welcomed not of a session that is being
 *   restored
 * @property {(welcome: Welcome) => void} limited the server has said what it takes
 * @property {(end: End, wasOpen: boolean) => void} lost as of a Link
 * @property {(end: End) => void} restoring the session is over, and another goes on. What belongs
 *   to the old process is forgotten now
 * @property {(restoration: Restoration) => void} restored
 * @property {(end: End, wasRestoring: boolean) => void} ended
 * @property {(message: import('../proto/message.mjs').SequencedMessage, size: number) => void}
 *   message
 * @property {() => boolean} [isBehind] whether much waits to be handled
 * @property {(word: string, data: any) => void} [control]
 */

/** What a developer's server says before it ends a session: the page is not to go on by itself. */
const DEVELOPED = Object.freeze(['reload', 'failed']);

export class RestoringLink {
  /** @type {'LIVE' | 'PAUSED' | 'RESTORING' | 'OVER'} */
  #phase = 'LIVE';
  #options;
  #owner;
  /** The session of now, or the one that is over. @type {Link} */
  #link;
  #restorer;
  #pause;
  /** @type {Restoration} */
  #restoration = { why: 'gone', resent: 0 };
  /** @type {Welcome | null} */
  #welcome = null;
  /** Whether the server could not be reached since the connection was lost. */
  #wasAway = false;
  #isDeveloped = false;
  #isFinishing = false;

  /**
   * @param {Omit<import('./link.mjs').LinkOptions, 'owner' | 'key' | 'restore'> & { makeKey: () =>
   *   string, owner: RestoringOwner }} options
   */
  constructor(options) {
    this.#options = options;
    this.#owner = options.owner;
    this.#restorer = new Restorer(options.clock);
    this.#pause = new Timer(options.clock);
    this.#link = this.#makeLink({ session: options.session });
  }

  get isOver() {
    return this.#phase === 'OVER';
  }

  /** Whether the program hears what is sent. */
  get isOpen() {
    return this.#phase === 'LIVE' && this.#link.state === 'OPEN';
  }

  /** Whether another process is to take the place of the program's. */
  get isRestoring() {
    return this.#phase === 'PAUSED' || this.#phase === 'RESTORING';
  }

  get session() {
    return this.#link.session;
  }

  /** The server's last `.welcome`, or null before the first. */
  get welcome() {
    return this.#welcome;
  }

  connect() {
    this.#link.connect();
  }

  flush() {
    this.#link.flush();
  }

  acknowledge() {
    this.#link.acknowledge();
  }

  probe() {
    this.#link.probe();
  }

  retryNow() {
    this.#link.retryNow();
  }

  /** @param {string} [goodbye] */
  freeze(goodbye) {
    this.#link.freeze(goodbye);
  }

  thaw() {
    this.#link.thaw();
  }

  /** @param {string} reason @param {number} ms */
  finish(reason, ms) {
    this.#isFinishing = true;
    if (this.#phase === 'PAUSED') this.#over({ code: 1000, reason, retryAfter: null }, true);
    else this.#link.finish(reason, ms);
  }

  /** @param {End} end */
  end(end) {
    this.#isFinishing = true;
    this.#link.end(end);
  }

  /** @param {{ session?: string, restore?: import('./link.mjs').LinkOptions['restore'] }} how */
  #makeLink(how) {
    const { makeKey, session: _first, ...options } = this.#options;
    return new Link({ ...options, ...how, key: makeKey(), owner: this.#linkOwner() });
  }

  /** @returns {import('./link.mjs').Owner} */
  #linkOwner() {
    return {
      welcomed: (welcome, first) => this.#welcomed(welcome, first),
      lost: (end, wasOpen) => this.#lost(end, wasOpen),
      ended: (end) => this.#ended(end),
      message: (message, size) => this.#owner.message(message, size),
      isBehind: () => this.#owner.isBehind?.() ?? false,
      saved: ({ count, state }) => {
        this.#options.outbox.cover(count);
        this.#restorer.state = state ?? this.#restorer.state;
      },
      restored: () => {
        this.#phase = 'LIVE';
        this.#restorer.restored();
        this.#owner.restored(this.#restoration);
      },
      control: (word, data) => {
        this.#isDeveloped ||= DEVELOPED.includes(word);
        this.#owner.control?.(word, data);
      },
    };
  }

  /** @param {Welcome} welcome @param {boolean} first */
  #welcomed(welcome, first) {
    this.#wasAway = false;
    this.#welcome = welcome;
    if (welcome.state) this.#options.outbox.keep();
    this.#owner.limited(welcome);
    if (this.#phase === 'LIVE') this.#owner.welcomed(welcome, first);
  }

  /** @param {End} end @param {boolean} wasOpen */
  #lost(end, wasOpen) {
    this.#wasAway ||= !wasOpen;
    if (this.#phase === 'LIVE' || !wasOpen) this.#owner.lost(end, wasOpen);
  }

  /** @param {End} end */
  #ended(end) {
    const wasRestoring = this.#phase !== 'LIVE';
    const goesOn = !this.#isFinishing && !this.#isDeveloped;
    const next = goesOn ? this.#restorer.next(end, this.#wasAway, wasRestoring) : null;
    if (!next) return this.#over(end, wasRestoring);
    this.#phase = 'PAUSED';
    this.#wasAway = false;
    if (!wasRestoring) this.#owner.restoring(end);
    this.#options.channels.begin();
    this.#restoration = { why: next.why, resent: this.#options.outbox.beginAgain() };
    this.#pause.set(next.wait, () => this.#restore());
  }

  #restore() {
    this.#phase = 'RESTORING';
    const { why, resent } = this.#restoration;
    const state = /** @type {import('../proto/channel-frame.mjs').Bytes} */ (this.#restorer.state);
    this.#link = this.#makeLink({ restore: () => formatRestore(why, resent, state) });
    this.#link.connect();
  }

  /** @param {End} end @param {boolean} wasRestoring */
  #over(end, wasRestoring) {
    this.#phase = 'OVER';
    this.#pause.clear();
    this.#owner.ended(end, wasRestoring);
  }
}
