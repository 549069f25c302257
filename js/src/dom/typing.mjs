// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Protects what the user is typing from the program. The rules (docs/page-programs/moving.md):
 *
 * - A field is *being edited* while it has the focus and was typed into since it got the focus and
 *   since the user last finished (by Enter), or while an input method composes in it. Such a field
 *   is changed only by a value that says what it is an answer to (`was`), or by force.
 * - A value that is an answer is merged with what was typed meanwhile. The caret stays at its
 *   characters.
 * - A composition is never disturbed: changes wait for its end.
 * - Markup changes the value of a field only if it says a new value: not the value of the previous
 *   markup, and no value that the user has typed and gone beyond.
 * - Markup that says the same words, in other cases or with other spaces, is no older text, but
 *   what the program has made of this one. It is shown, in a field that is being edited when the
 *   user pauses or leaves.
 */
import { domCall } from '../base/dom-property.mjs';
import { hasFocus, hasTypedValue } from './fields.mjs';
import { sanitized, writeValue } from './field-value.mjs';
import { mergeTexts } from './splice.mjs';
import { typed } from './typed.mjs';

/** How long the user types nothing before a value of the program is shown. */
const PAUSE_MS = 2000;

class Typing {
  /** Changes that wait for the end of the composition. @type {(() => void)[]} */
  #waiting = [];
  /**
   * What answers have made of the latest value that the user typed, since then.
   * @type {WeakMap<Element, string>}
   */
  #answered = new WeakMap();
  /**
   * What is shown when the user pauses, or leaves the field.
   * @type {Map<any, { said: string, timer: ReturnType<typeof setTimeout>, show: () => void }>}
   */
  #late = new Map();

  constructor() {
    typed.ontyped = (field) => {
      this.#dropLate(field);
      this.#answered.delete(field);
    };
    typed.onleft = (field) => {
      if (hasTypedValue(field)) this.#late.get(field)?.show();
    };
    typed.oncomposed = () => this.#composed();
    typed.onforgotten = (field) => this.#dropLate(field);
  }

  /** Whether the element is being edited, or is a part of what is. @param {Element} element */
  edits(element) {
    const field = this.edited;
    return Boolean(field && domCall(field, 'contains', element)) || this.#composes(element);
  }

  /** The field that is being edited, or null. @returns {any} */
  get edited() {
    return typed.field && hasFocus(typed.field) ? typed.field : null;
  }

  /**
   * Whether the contents of the element must not change.
   * @param {Element} element @param {boolean} force
   */
  protects(element, force) {
    return force ? this.#composes(element) : this.edits(element);
  }

  /**
   * Changes the contents of an element, unless it is being edited. A forced change waits only for a
   * composition.
   * @param {Element} element @param {boolean} force @param {() => void} change
   */
  change(element, force, change) {
    if (force && this.#composes(element)) this.#waiting.push(change);
    else if (force || !this.edits(element)) change();
  }

  /**
   * A program sets the value of a field.
   * @param {any} field @param {string} value
   * @param {{ was?: string, force?: boolean }} how `was`: the value that the program answers to
   */
  setValue(field, value, { was, force }) {
    if (field === typed.composing) {
      this.#waiting.push(() => this.setValue(field, value, { was, force }));
    } else if (was !== undefined) {
      this.#answer(field, was, value);
    } else if (force || field !== this.edited) {
      writeValue(field, value);
    }
  }

  /**
   * Merges an answer with the text as the user left it, and so replaces the answers to older
   * values. What those have made of the text since would look like typing, which wins.
   * @param {any} field @param {string} was @param {string} value
   */
  #answer(field, was, value) {
    const values = typed.valuesOf(field);
    const last = values.at(-1) ?? '';
    const isUsers = field.value === last || field.value === this.#answered.get(field);
    if (isUsers && was !== field.value && values.includes(was))
      writeValue(field, mergeTexts(was, last, value, field.value));
    else writeValue(field, mergeTexts(was, field.value, value));
    if (isUsers) this.#answered.set(field, field.value);
  }

  /**
   * Markup sets the value of a field, unless the field is being edited; force sets it always.
   * @param {any} field @param {string} before the value in the previous markup
   * @param {string} said the value in the new markup @param {boolean} force
   */
  setMarkupValue(field, before, said, force) {
    const value = sanitized(field, said);
    if (this.#late.get(field)?.said === said && !force) return; // it waits already
    this.#dropLate(field);
    if (value === field.value) return typed.forget(field); // the program knows the latest
    if (force) return this.setValue(field, said, { force });
    if (said === before) return;
    const isSame = wordsOf(value) === wordsOf(field.value);
    if (this.edits(field)) {
      if (isSame) this.later(field, said, () => writeValue(field, said));
    } else if (isSame || !typed.valuesOf(field).includes(value)) {
      this.setValue(field, said, { force });
    }
  }

  /**
   * Whether the markup says a choice that the user has made and gone on from.
   * @param {any} select @param {string} choice
   */
  wentOnFrom(select, choice) {
    return typed.valuesOf(select).includes(choice);
  }

  /**
   * Shows what a program has said when the user has paused, unless it says another thing by then.
   * @param {any} field @param {string} said @param {() => void} change
   */
  later(field, said, change) {
    this.#dropLate(field);
    const show = () => {
      this.#dropLate(field);
      if (this.#composes(field)) return;
      change();
      typed.forget(field);
    };
    this.#late.set(field, { said, timer: setTimeout(show, PAUSE_MS), show });
  }

  /** What was said before counts no longer. @param {any} field */
  #dropLate(field) {
    clearTimeout(this.#late.get(field)?.timer);
    this.#late.delete(field);
  }

  /** @param {Element} element */
  #composes(element) {
    return Boolean(typed.composing && domCall(typed.composing, 'contains', element));
  }

  #composed() {
    const waiting = this.#waiting.splice(0);
    // Firefox fires the input event only after compositionend.
    if (waiting.length) setTimeout(() => waiting.forEach((run) => run()));
  }
}

export const typing = new Typing();

/** What a text says, whatever its cases and spaces are. @param {string} text */
function wordsOf(text) {
  return text.replace(/\s+/g, '').toLowerCase();
}
