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
import { domCall, domGet } from '../base/dom-property.mjs';
import { choiceIn, fieldOf, hasFocus, hasTypedValue, sanitized, writeValue } from './fields.mjs';
import { mergeTexts } from './splice.mjs';

/** How many values of a field are remembered, and how many characters in all. */
const MAX_TYPED_VALUES = 64;
const MAX_TYPED_CHARACTERS = 65_536;

/** How long the user types nothing before a value of the program is shown. */
const PAUSE_MS = 2000;

/** Inputs whose `change` does not say that the user has finished. */
const CHANGE_IN_PARTS = new Set([
  'color',
  'date',
  'datetime-local',
  'month',
  'range',
  'time',
  'week',
]);

class Typing {
  /** The field that was typed into since it got the focus. @type {Element | null} */
  #field = null;
  /** The field in which an input method composes. @type {Element | null} */
  #composing = null;
  /** Changes that wait for the end of the composition. @type {(() => void)[]} */
  #waiting = [];
  /** Whether something is selected outside of a field. */
  #selects = false;
  /**
   * The values that the user has typed into a field, the latest last.
   * @type {WeakMap<Element, string[]>}
   */
  #typedValues = new WeakMap();
  /**
   * What answers have made of the latest of these values, since the user typed it.
   * @type {WeakMap<Element, string>}
   */
  #answered = new WeakMap();
  /**
   * What is shown when the user pauses, or leaves the field.
   * @type {Map<any, { said: string, timer: ReturnType<typeof setTimeout>, show: () => void }>}
   */
  #late = new Map();
  /** Selects in which the user has chosen. @type {WeakSet<Element>} */
  #chosen = new WeakSet();

  /** Starts watching. Call it once, before the user types. @param {Document} document */
  watch(document) {
    /** @param {string} type @param {(field: any) => void} hear */
    const on = (type, hear) =>
      domCall(
        document,
        'addEventListener',
        type,
        (/** @type {Event} */ event) => hear(fieldOf(event)),
        { capture: true, passive: true },
      );
    on('input', (field) => this.#typed(field));
    on('change', (field) => this.#changed(field));
    on('focusout', (field) => this.#left(field));
    on('submit', (form) => this.#isOf(form) && (this.#field = null));
    on('reset', (form) => this.forgetForm(form));
    on('compositionstart', (field) => (this.#composing = field));
    on('compositionend', () => this.#composed());
    domCall(
      document,
      'addEventListener',
      'selectionchange',
      () => (this.#selects = isSelecting(document)),
    );
  }

  /**
   * Whether something is selected. Kept by an event, because Chromium computes the layout to answer
   * that nothing is selected.
   */
  get selects() {
    return this.#selects;
  }

  /** Whether the element is being edited, or is a part of what is. @param {Element} element */
  edits(element) {
    const field = this.edited;
    return Boolean(field && domCall(field, 'contains', element)) || this.#composes(element);
  }

  /** The field that is being edited, or null. @returns {any} */
  get edited() {
    return this.#field && hasFocus(this.#field) ? this.#field : null;
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
   * Runs something that may move the focus. What was being edited still is afterwards.
   * @param {() => void} run
   */
  keepEditing(run) {
    const field = this.#field;
    run();
    this.#field = field;
  }

  /**
   * A program sets the value of a field.
   * @param {any} field @param {string} value
   * @param {{ was?: string, force?: boolean }} how `was`: the value that the program answers to
   */
  setValue(field, value, { was, force }) {
    if (field === this.#composing) {
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
    const values = this.#typedValues.get(field) ?? [];
    const typed = values.at(-1) ?? '';
    const isUsers = field.value === typed || field.value === this.#answered.get(field);
    if (isUsers && was !== field.value && values.includes(was))
      writeValue(field, mergeTexts(was, typed, value, field.value));
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
    if (value === field.value) return this.forget(field); // the program knows the latest
    if (force) return this.setValue(field, said, { force });
    if (said === before) return;
    const isSame = wordsOf(value) === wordsOf(field.value);
    if (this.edits(field)) {
      if (isSame) this.later(field, said, () => writeValue(field, said));
    } else if (isSame || !this.#typedValues.get(field)?.includes(value)) {
      this.setValue(field, said, { force });
    }
  }

  /**
   * Whether the markup says a choice that the user has made and gone on from.
   * @param {any} select @param {string} choice
   */
  wentOnFrom(select, choice) {
    return Boolean(this.#typedValues.get(select)?.includes(choice));
  }

  /** Whether the user has chosen in the select. @param {Element} select */
  hasChosen(select) {
    return this.#chosen.has(select);
  }

  /**
   * What the user has typed or chosen is not remembered any longer.
   * @param {Element} field
   */
  forget(field) {
    this.#typedValues.delete(field);
    this.#chosen.delete(field);
    this.#dropLate(field);
  }

  /** @param {any} form that is reset */
  forgetForm(form) {
    for (const field of domGet(form, 'elements') ?? []) this.forget(field);
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
      this.forget(field);
    };
    this.#late.set(field, { said, timer: setTimeout(show, PAUSE_MS), show });
  }

  /** What was said before counts no longer. @param {any} field */
  #dropLate(field) {
    clearTimeout(this.#late.get(field)?.timer);
    this.#late.delete(field);
  }

  /** @param {any} field */
  #left(field) {
    this.#field = null;
    if (hasTypedValue(field)) this.#late.get(field)?.show();
  }

  /** @param {Element} element */
  #composes(element) {
    return Boolean(this.#composing && domCall(this.#composing, 'contains', element));
  }

  /** @param {any} form whether what is edited belongs to it */
  #isOf(form) {
    return this.#field && domGet(this.#field, 'form') === form;
  }

  /** @param {any} field */
  #typed(field) {
    const isChoice = domGet(field, 'localName') === 'select';
    if (isChoice) this.#chosen.add(field);
    else if (hasFocus(field)) this.#field = field; // what fills in a field does not edit it
    if (!isChoice && !hasTypedValue(field)) return;
    this.#dropLate(field);
    this.#remember(field, isChoice ? choiceIn(field) : field.value);
    this.#answered.delete(field);
  }

  /** @param {Element} field @param {string} value */
  #remember(field, value) {
    const values = this.#typedValues.get(field) ?? [];
    values.push(value);
    for (
      let sum = values.join('').length;
      values.length > MAX_TYPED_VALUES || sum > MAX_TYPED_CHARACTERS;
    )
      sum -= /** @type {string} */ (values.shift()).length;
    this.#typedValues.set(field, values);
  }

  /** The user has finished, by Enter or by leaving the field. @param {any} field */
  #changed(field) {
    if (field === this.#field && !CHANGE_IN_PARTS.has(field.type)) this.#left(field);
  }

  #composed() {
    this.#composing = null;
    const waiting = this.#waiting.splice(0);
    // Firefox fires the input event only after compositionend.
    if (waiting.length) setTimeout(() => waiting.forEach((run) => run()));
  }
}

export const typing = new Typing();

/** @param {any} document */
function isSelecting(document) {
  const active = domGet(document, 'activeElement');
  if (typeof active?.selectionStart === 'number') return false;
  return getSelection()?.type === 'Range' || Boolean(active && domGet(active, 'isContentEditable'));
}

/** What a text says, whatever its cases and spaces are. @param {string} text */
function wordsOf(text) {
  return text.replace(/\s+/g, '').toLowerCase();
}
