// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Keeps what the user has typed or chosen, the scroll position and the focus while the page is
 * loaded again, for some minutes, in `sessionStorage`; and puts it back. Secrets are not kept, by
 * the rule that listeners have (secrets.mjs).
 *
 * A field that comes later, as the program makes it, gets its text then, within PATIENCE_MS. What
 * the user does first stays.
 */
import { domGet } from '../base/dom-property.mjs';
import { Secrets } from '../events/secrets.mjs';
import { Timer } from '../base/clock.mjs';
import { fieldsIn, isFieldChanged, putFieldBack, stateOfField, tellOf } from './fields.mjs';

/** How long it is kept, and how long a field may take to come. */
const KEPT_MS = 5 * 60_000;
const PATIENCE_MS = 15_000;
/** How many characters are kept in all; and of each text, if the storage is full. */
const KEPT_MOST = 1_000_000;
const KEPT_SHORT = 10_000;
/** The events that tell of a field, also a program that listens later (early-events.mjs). */
const TELLING = Object.freeze(['input', 'change']);

/**
 * @typedef {object} Kept
 * @property {string} url of the page
 * @property {number} time
 * @property {boolean} asked whether we have loaded the page, and not the user
 * @property {Array<[string, import('./fields.mjs').FieldState]>} fields
 * @property {{ field: string, selection: any[] | null } | null} focus
 * @property {[number, number]} scroll
 */

export class Keeping {
  #document;
  #window;
  #clock;
  #notes;
  #secrets;
  /** What the user has done: the fields that were changed, and whether there was anything. */
  #user;
  /** What is to be put back. @type {Kept | null} */
  #kept = null;
  #observer;
  #soon;
  #patience;

  /**
   * @param {any} document
   * @param {{ clock: import('../base/clock.mjs').Clock, notes: import('./notes.mjs').Notes,
   *   secrets?: Secrets, user: { touched: WeakSet<object>, hasActed: boolean } }} options
   */
  constructor(document, { clock, notes, secrets, user }) {
    this.#document = document;
    this.#window = domGet(document, 'defaultView');
    this.#clock = clock;
    this.#notes = notes;
    this.#secrets = secrets ?? new Secrets(document);
    this.#user = user;
    this.#soon = new Timer(clock);
    this.#patience = new Timer(clock);
    this.#observer = new MutationObserver(() => {
      if (!this.#soon.isSet) this.#soon.set(50, () => this.#putBack());
    });
  }

  /** @param {boolean} asked whether we load the page now, and not the user */
  keep(asked) {
    const kept = this.#look(asked);
    const short = kept.fields.filter(([, state]) => JSON.stringify(state).length < KEPT_SHORT);
    for (const fields of [kept.fields, short, []])
      if (this.#notes.write('kept', { ...kept, fields })) return;
  }

  /**
   * The document has been parsed: puts back what was kept of this page.
   * @param {boolean} reloaded whether the user has loaded the page again
   */
  restore(reloaded) {
    const kept = this.#notes.read('kept');
    this.#notes.write('kept', null);
    if (!kept || kept.url !== this.#window.location.href || !(kept.asked || reloaded)) return;
    if (!(Math.abs(this.#clock.date() - kept.time) < KEPT_MS)) return;
    this.#kept = kept;
    this.#window.addEventListener('load', () => this.#putBack());
    this.#observer.observe(this.#document, { childList: true, subtree: true });
    this.#patience.set(PATIENCE_MS, () => this.#done());
    this.#putBack();
  }

  /** @param {boolean} asked @returns {Kept} */
  #look(asked) {
    const fields = [];
    let focus = null;
    let size = 0;
    const active = domGet(this.#document, 'activeElement');
    for (const [key, field] of fieldsIn(this.#document)) {
      if (field === active) focus = { field: key, selection: fieldSelection(field) };
      if (!this.#user.touched.has(field) || !isFieldChanged(field) || this.#secrets.has(field))
        continue;
      const state = stateOfField(field);
      size += JSON.stringify(state).length;
      if (size > KEPT_MOST || (field.type === 'radio' && !state)) continue;
      fields.push(/** @type {[string, typeof state]} */ ([key, state]));
    }
    const { scrollX, scrollY, location } = this.#window;
    const time = this.#clock.date();
    // What was not put back yet is kept for the next time.
    if (this.#kept) fields.push(...this.#kept.fields);
    return { url: location.href, time, asked, fields, focus, scroll: [scrollX, scrollY] };
  }

  #putBack() {
    if (!this.#kept) return;
    const { fields, focus, scroll } = this.#kept;
    const there = fieldsIn(this.#document);
    const changed = [];
    for (const [key, state] of fields) {
      const field = there.get(key);
      if (!field || this.#secrets.has(field) || this.#user.touched.has(field)) continue;
      // The browser may have put it back itself, and tells nobody.
      if (!putFieldBack(field, state)) continue;
      this.#user.touched.add(field);
      changed.push(field);
    }
    this.#kept.fields = fields.filter(([key]) => !this.#user.touched.has(there.get(key)));
    if (focus && !this.#user.hasActed) this.#focus(there.get(focus.field), focus.selection);
    for (const type of TELLING) for (const field of changed) tellOf(field, type);
    const { scrollX, scrollY } = this.#window;
    if (!this.#user.hasActed && (scrollX !== scroll[0] || scrollY !== scroll[1]))
      this.#window.scrollTo({ left: scroll[0], top: scroll[1], behavior: 'instant' });
  }

  /** @param {any} field @param {any[] | null} selection */
  #focus(field, selection) {
    if (!field || !this.#kept) return;
    this.#kept.focus = null;
    field.focus({ preventScroll: true });
    if (selection && typeof field.selectionStart === 'number')
      field.setSelectionRange(...selection);
  }

  #done() {
    this.#kept = null;
    this.#observer.disconnect();
    this.#soon.clear();
  }
}

/** @param {any} field */
function fieldSelection({ selectionStart, selectionEnd, selectionDirection }) {
  return typeof selectionStart === 'number'
    ? [selectionStart, selectionEnd, selectionDirection]
    : null;
}
