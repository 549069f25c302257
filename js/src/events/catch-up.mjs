// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Tells the program's first listeners what has happened in the page before they came
 * (early-page.mjs), in the order in which it happened. Meanwhile nothing that happens now is sent:
 * the first listeners are there when none has come for SETTLE_MS.
 */
import { Timer } from '../base/clock.mjs';

/** @typedef {import('./listener.mjs').DomListener} DomListener */

const SETTLE_MS = 100;
/** In any case so long after the first one. */
const SETTLE_MOST_MS = 1000;

/**
 * @typedef {object} CatchUpOwner
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {() => Iterable<DomListener>} listeners those that are there
 * @property {(lost: number) => void} lost so many events were not kept
 */

export class CatchUp {
  #early;
  #owner;
  #settling;
  /** When the first listener came. */
  #firstAt = 0;
  /**
   * What is not sent yet, with the number of its event; null: all is sent at once.
   * @type {Array<{ number: number, time: number, send: () => void }> | null}
   */
  #heldBack = null;

  /** @param {import('./early-page.mjs').EarlyPage} early @param {CatchUpOwner} owner */
  constructor(early, owner) {
    this.#early = early;
    this.#owner = owner;
    this.#settling = new Timer(owner.clock);
  }

  /**
   * A listener has come.
   * @param {DomListener} listener @param {string} identity tells listeners apart
   * @param {() => boolean} isThere whether it still is, as it may want a single event
   */
  came(listener, identity, isThere) {
    const { events, submits } = this.#early;
    if (isDecider(listener)) submits.learn(identity, listener);
    if (!events.isOpen) return;
    this.#settleSoon();
    const before = this.#heldBack;
    this.#heldBack ??= [];
    const told = events.tell(listener, identity, isThere);
    if (isDecider(listener)) for (const event of told) submits.claim(event);
    if (!told.length) this.#heldBack = before;
  }

  /** The program wants a listener no longer. @param {string} identity */
  left(identity) {
    this.#early.submits.unlearn(identity);
  }

  /**
   * A listener has heard an event.
   * @param {DomListener} listener @param {any} event
   * @param {any} control around the event, or null
   */
  heard(listener, event, control) {
    const { events, submits, fields } = this.#early;
    if (event.type === 'input' || event.type === 'change') fields?.noteTold(control);
    if (event.eventPhase === 0) return; // it happened earlier
    events.heard(event);
    if (isDecider(listener)) submits.claim(event);
  }

  /**
   * Sends an event now, or when the older ones are sent.
   * @param {number} time of the event @param {() => void} send
   */
  send(time, send) {
    if (this.#heldBack) this.#heldBack.push({ number: this.#early.events.telling, time, send });
    else send();
  }

  /** Sends what waits. */
  release() {
    const all = this.#heldBack ?? [];
    this.#heldBack = null;
    all.sort((a, b) => (a.number === b.number ? a.time - b.time : a.number - b.number));
    for (const { send } of all) send();
  }

  /** The session is over. */
  close() {
    this.#settling.clear();
    this.#heldBack = null;
    this.#early.over();
  }

  #settleSoon() {
    const now = this.#owner.clock.now();
    if (!this.#settling.isSet) this.#firstAt = now;
    if (now - this.#firstAt < SETTLE_MOST_MS) this.#settling.set(SETTLE_MS, () => this.#settle());
  }

  #settle() {
    const { events, submits, fields } = this.#early;
    this.release();
    fields?.tell(this.#owner.listeners());
    const lost = events.settled();
    if (lost) this.#owner.lost(lost);
    submits.settled();
  }
}

/** Whether it keeps the browser from sending forms. @param {DomListener} listener */
function isDecider({ options: { on, prevent, object } }) {
  return on === 'submit' && prevent && !object;
}
