// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Remembers what the user types and chooses, and where, from the page's beginning on: typing.mjs
 * protects it from the program, when that changes the page.
 */
import { domCall, domGet } from '../base/dom-property.mjs';
import { choiceIn, fieldOf, hasFocus, hasTypedValue } from './fields.mjs';

/** How many values of a field are remembered, and how many characters in all. */
const MAX_TYPED_VALUES = 64;
const MAX_TYPED_CHARACTERS = 65_536;

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

/** @typedef {(field: any) => void} FieldListener */

class Typed {
  /** The field that was typed into since it got the focus. @type {any} */
  field = null;
  /** The field in which an input method composes. @type {any} */
  composing = null;
  /**
   * Whether something is selected outside of a field. Kept by an event, because Chromium computes
   * the layout to answer that nothing is selected.
   */
  selects = false;
  /**
   * The values that the user has typed into a field, the latest last.
   * @type {WeakMap<Element, string[]>}
   */
  #values = new WeakMap();
  /** Selects in which the user has chosen. @type {WeakSet<Element>} */
  #chosen = new WeakSet();

  /** Whoever protects fields hears of them. @type {FieldListener} */
  ontyped = () => {};
  /** @type {FieldListener} */
  onleft = () => {};
  /** @type {FieldListener} */
  onforgotten = () => {};
  oncomposed = () => {};

  /** Starts watching. Call it once, before the user types. @param {any} document */
  watch(document) {
    /** @param {string} type @param {FieldListener} hear */
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
    on('submit', (form) => this.#isOf(form) && (this.field = null));
    on('reset', (form) => this.#forgetForm(form));
    on('compositionstart', (field) => (this.composing = field));
    on('compositionend', () => {
      this.composing = null;
      this.oncomposed();
    });
    domCall(
      document,
      'addEventListener',
      'selectionchange',
      () => (this.selects = isSelecting(document)),
    );
  }

  /** @param {any} field @returns {string[]} what the user has typed or chosen in it */
  valuesOf(field) {
    return this.#values.get(field) ?? [];
  }

  /** Whether the user has chosen in the select. @param {Element} select */
  hasChosen(select) {
    return this.#chosen.has(select);
  }

  /** What the user has typed or chosen is not remembered any longer. @param {Element} field */
  forget(field) {
    this.#values.delete(field);
    this.#chosen.delete(field);
    this.onforgotten(field);
  }

  /**
   * Runs something that may move the focus. What was being edited still is afterwards.
   * @param {() => void} run
   */
  keepEditing(run) {
    const field = this.field;
    run();
    this.field = field;
  }

  /** @param {any} form that is reset */
  #forgetForm(form) {
    for (const field of domGet(form, 'elements') ?? []) this.forget(field);
  }

  /** @param {any} field */
  #left(field) {
    this.field = null;
    this.onleft(field);
  }

  /** @param {any} form whether what is edited belongs to it */
  #isOf(form) {
    return this.field && domGet(this.field, 'form') === form;
  }

  /** @param {any} field */
  #typed(field) {
    const isChoice = domGet(field, 'localName') === 'select';
    if (isChoice) this.#chosen.add(field);
    else if (hasFocus(field)) this.field = field; // what fills in a field does not edit it
    if (!isChoice && !hasTypedValue(field)) return;
    this.#remember(field, isChoice ? choiceIn(field) : field.value);
    this.ontyped(field);
  }

  /** @param {Element} field @param {string} value */
  #remember(field, value) {
    const values = this.valuesOf(field);
    values.push(value);
    for (
      let sum = values.join('').length;
      values.length > MAX_TYPED_VALUES || sum > MAX_TYPED_CHARACTERS;
    )
      sum -= /** @type {string} */ (values.shift()).length;
    this.#values.set(field, values);
  }

  /** The user has finished, by Enter or by leaving the field. @param {any} field */
  #changed(field) {
    if (field === this.field && !CHANGE_IN_PARTS.has(field.type)) this.#left(field);
  }
}

export const typed = new Typed();

/** @param {any} document */
function isSelecting(document) {
  const active = domGet(document, 'activeElement');
  if (typeof active?.selectionStart === 'number') return false;
  return getSelection()?.type === 'Range' || Boolean(active && domGet(active, 'isContentEditable'));
}
