// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Keeps what the user does before the program has said its first listeners. They hear of it as if
 * they had been there, with the values and the times that it had.
 *
 *   KEEPING --settled()--> LIVE
 *   any --stop()--> STOPPED
 *
 * An event that a listener hears when it happens is not kept, and no listener hears one twice. At
 * most MOST_EVENTS and MOST_CHARACTERS are kept; beyond that the oldest go, and are counted.
 */
import { controlOf, snapshotOf } from './controls.mjs';

const KEPT_TYPES = Object.freeze([
  'auxclick', 'change', 'click', 'contextmenu', 'dblclick', 'input', 'keydown', 'keypress', 'keyup',
  'mousedown', 'mouseup', 'pointerdown', 'pointerup', 'reset', 'submit',
]); // prettier-ignore

const MOST_EVENTS = 1000;
const MOST_CHARACTERS = 1_000_000;
/** What an event counts beside its texts. */
const EVENT_CHARACTERS = 200;

/**
 * @typedef {object} KeptEvent
 * @property {any} event
 * @property {any[]} path from the innermost node outwards
 * @property {import('./controls.mjs').Snapshot} then what its control and its form had
 * @property {boolean} bubbled whether it came to listeners that don't capture
 * @property {number} number of the event, in the order of all
 * @property {Set<string>} told the listeners that have heard it
 * @property {number} size
 */

export class EarlyEvents {
  /** @type {'KEEPING' | 'LIVE' | 'STOPPED'} */
  #state = 'KEEPING';
  /** In the order in which they happened. @type {Map<any, KeptEvent>} */
  #kept = new Map();
  #size = 0;
  #lost = 0;
  #made = 0;
  #telling = Infinity;
  #secrets;
  #watching = new AbortController();

  /** @param {any} window @param {import('./secrets.mjs').Secrets} secrets */
  constructor(window, secrets) {
    this.#secrets = secrets;
    const { signal } = this.#watching;
    for (const type of KEPT_TYPES) {
      const on = (/** @type {boolean} */ capture, /** @type {(event: any) => void} */ run) =>
        window.addEventListener(type, run, { capture, passive: true, signal });
      on(true, (event) => this.#happened(event));
      on(false, (event) => this.#bubbled(event));
    }
  }

  /** Whether a listener that comes now hears of what happened before. */
  get isOpen() {
    return this.#state === 'KEEPING';
  }

  /** The number of the event that is told now; Infinity: none is. */
  get telling() {
    return this.#telling;
  }

  /**
   * The first listeners are there.
   * @returns {number} how many events were not kept, as there were too many
   */
  settled() {
    const lost = this.#lost;
    this.#enter('LIVE');
    return lost;
  }

  /** No program will listen. */
  stop() {
    this.#enter('STOPPED');
    this.#watching.abort();
  }

  /**
   * Tells a listener what happened before it came.
   * @param {import('./listener.mjs').DomListener} listener
   * @param {string} identity tells listeners apart
   * @param {() => boolean} isWanted whether it is still there, as one may want a single event
   * @returns {any[]} the events that it has heard
   */
  tell(listener, identity, isWanted) {
    const { on, object, capture } = listener.options;
    const heard = [];
    for (const kept of object ? [] : [...this.#kept.values()]) {
      const { event, path, then, told } = kept;
      if (event.type !== on || told.has(identity) || !isWanted()) continue;
      if (!capture && event.bubbles && !kept.bubbled) continue; // somebody has stopped it
      const index = listener.pathIndexOf(event, path);
      this.#telling = kept.number;
      if (index < 0 || !listener.hear(event, path, index, then)) continue;
      told.add(identity);
      heard.push(event);
    }
    this.#telling = Infinity;
    return heard;
  }

  /** A listener has heard the event as it happened. @param {any} event */
  heard(event) {
    this.#drop(event);
  }

  /** @param {'LIVE' | 'STOPPED'} state */
  #enter(state) {
    if (this.#state === 'STOPPED') return;
    this.#state = state;
    this.#kept.clear();
    this.#size = this.#lost = 0;
  }

  /** @param {any} event */
  #happened(event) {
    if (!this.isOpen) return;
    const path = event.composedPath();
    const number = ++this.#made;
    const then = NOTHING_THEN;
    const kept = { event, path, then, bubbled: false, number, told: new Set(), size: 0 };
    this.#kept.set(event, kept);
    this.#look(kept);
    const isTooMuch = () =>
      this.#kept.size > MOST_EVENTS || (this.#size > MOST_CHARACTERS && this.#kept.size > 1);
    for (; isTooMuch(); this.#lost++) this.#drop(this.#kept.keys().next().value);
  }

  /** The page's own listeners may have changed what the control has. @param {any} event */
  #bubbled(event) {
    const kept = this.#kept.get(event);
    if (!kept) return;
    kept.bubbled = true;
    this.#look(kept);
  }

  /** @param {KeptEvent} kept */
  #look(kept) {
    const control = controlOf(kept.path);
    if (control) this.#secrets.has(control); // a password that is shown later stays a secret
    kept.then = snapshotOf(kept.event, control);
    const size = EVENT_CHARACTERS + kept.then.size;
    this.#size += size - kept.size;
    kept.size = size;
  }

  /** @param {any} event */
  #drop(event) {
    this.#size -= this.#kept.get(event)?.size ?? 0;
    this.#kept.delete(event);
  }
}

/** @type {import('./controls.mjs').Snapshot} */
const NOTHING_THEN = Object.freeze({ control: null, size: 0 });
