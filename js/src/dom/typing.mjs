// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Protects what the user is typing from the program. The rules (docs/page-programs/moving.md):
 *
 * - A field is *being edited* while it has the focus and was typed into since it got the focus, or
 *   while an input method composes in it. Such a field is changed only by a value that says what it
 *   is an answer to (`was`), or by force.
 * - A value that is an answer is merged with what was typed meanwhile. The caret stays at its
 *   characters.
 * - A composition is never disturbed: changes wait for its end.
 * - Markup changes the value of a field only if it says a new value: not the value of the previous
 *   markup, and no value that the user has typed and gone beyond.
 */
import { mergeTexts, shiftCaret, spliceOf } from './splice.mjs';

/** Types of <input> that are neither typed into nor dragged. */
const INPUTS_WITHOUT_TEXT = new Set([
  'button',
  'checkbox',
  'file',
  'hidden',
  'image',
  'radio',
  'reset',
  'submit',
]);

/** How many values of a field are remembered, and how many characters in all. */
const MAX_TYPED_VALUES = 64;
const MAX_TYPED_CHARACTERS = 65_536;

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

  /** Starts watching. Call it once, before the user types. @param {Document} document */
  watch(document) {
    /** @param {string} type @param {(field: any) => void} hear */
    const on = (type, hear) =>
      document.addEventListener(type, (event) => hear(fieldOf(event)), {
        capture: true,
        passive: true,
      });
    on('input', (field) => this.#typed(field));
    on('focusout', () => (this.#field = null));
    on('compositionstart', (field) => (this.#composing = field));
    on('compositionend', () => this.#composed());
    document.addEventListener('selectionchange', () => (this.#selects = isSelecting(document)));
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
    return Boolean(this.#field?.contains(element)) || this.#composes(element);
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
    } else if (force || field !== this.#field) {
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
    const values = this.#typedValues.get(field);
    if (said === field.value)
      this.#typedValues.delete(field); // the program knows the latest
    else if (force || (said !== before && !values?.includes(said)))
      this.setValue(field, said, { force });
  }

  /** @param {Element} element */
  #composes(element) {
    return Boolean(this.#composing?.contains(element));
  }

  /** @param {any} field */
  #typed(field) {
    this.#field = field;
    if (!hasTypedValue(field)) return;
    const values = this.#typedValues.get(field) ?? [];
    values.push(field.value);
    this.#answered.delete(field);
    for (
      let sum = values.join('').length;
      values.length > MAX_TYPED_VALUES || sum > MAX_TYPED_CHARACTERS;
    )
      sum -= /** @type {string} */ (values.shift()).length;
    this.#typedValues.set(field, values);
  }

  #composed() {
    this.#composing = null;
    const waiting = this.#waiting.splice(0);
    // Firefox fires the input event only after compositionend.
    if (waiting.length) setTimeout(() => waiting.forEach((run) => run()));
  }
}

export const typing = new Typing();

/** Whether the element is a field whose value is typed, or dragged. @param {any} element */
export function hasTypedValue(element) {
  const { localName } = element;
  return (
    localName === 'textarea' || (localName === 'input' && !INPUTS_WITHOUT_TEXT.has(element.type))
  );
}

/** @param {any} document */
function isSelecting({ activeElement }) {
  if (typeof activeElement?.selectionStart === 'number') return false;
  return getSelection()?.type === 'Range' || Boolean(activeElement?.isContentEditable);
}

/** @param {Event} event @returns {Element} the field, or the outermost editable element */
function fieldOf(event) {
  let element = /** @type {any} */ (event.composedPath()[0]);
  while (element.isContentEditable && element.parentElement?.isContentEditable)
    element = element.parentElement;
  return element;
}

/**
 * Sets the value. The caret and the selection stay at their characters.
 * @param {any} field @param {string} value
 */
function writeValue(field, value) {
  const before = field.value;
  if (before === value) return;
  const { selectionStart, selectionEnd, selectionDirection } = field;
  field.value = value;
  if (typeof selectionStart !== 'number' || field.getRootNode().activeElement !== field) return;
  const splice = spliceOf(before, field.value);
  field.setSelectionRange(
    shiftCaret(selectionStart, splice),
    shiftCaret(selectionEnd, splice),
    selectionDirection,
  );
}
