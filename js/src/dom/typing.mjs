// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What the user is typing, and what a program may do to it. The rules (docs/page-programs.md, "Moving the page"):
 *
 * - A field is *being edited* while it has the focus and was typed into since it got it, or while an input method
 *   composes in it. Nothing but a value that says what it is an answer to (`was`), or that is forced, changes it then.
 * - A value that is an answer is merged with what was typed meanwhile, and the caret stays at its characters.
 * - A composition is never disturbed: what is to be changed waits for its end.
 * - Markup says something of a field's value only where it is news: not what it said before, and no echo of what the
 *   user has gone beyond.
 */
import { mergeTexts, shiftCaret, spliceOf } from './splice.mjs';

/** Kinds of <input> that nobody types into, nor drags. */
const UNTYPED = new Set([
  'button',
  'checkbox',
  'file',
  'hidden',
  'image',
  'radio',
  'reset',
  'submit',
]);

/** Values that a field is remembered to have passed through, and their characters together. */
const MOST_PASSED = 64;
const MOST_CHARACTERS = 65_536;

class Typing {
  /** Typed into since it got the focus. @type {Element | null} */
  #field = null;
  /** @type {Element | null} */
  #composing = null;
  /** What waits for the end of the composition. @type {(() => void)[]} */
  #waiting = [];
  /** Whether something is selected, other than in a field. */
  #selects = false;
  /** The values that the user has given a field, the last one last. @type {WeakMap<Element, string[]>} */
  #passed = new WeakMap();
  /** What answers have made of the last of those, since the user typed it. @type {WeakMap<Element, string>} */
  #answered = new WeakMap();

  /** Once, before the user types. @param {Document} document */
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

  /** Known without a look at the page, which could cost a layout: Chromium makes one to say that there is no selection. */
  get selects() {
    return this.#selects;
  }

  /** Whether it is being edited, or is a part of what is. @param {Element} element */
  edits(element) {
    return Boolean(this.#field?.contains(element)) || this.#composes(element);
  }

  /** Whether its contents are to be left alone. @param {Element} element @param {boolean} force */
  guards(element, force) {
    return force ? this.#composes(element) : this.edits(element);
  }

  /**
   * Changes its contents, unless it is being edited; what is forced is not put off but by a composition.
   * @param {Element} element @param {boolean} force @param {() => void} change
   */
  change(element, force, change) {
    if (force && this.#composes(element)) this.#waiting.push(change);
    else if (force || !this.edits(element)) change();
  }

  /** Whatever `run` does to the focus, what was being edited still is. @param {() => void} run */
  holding(run) {
    const field = this.#field;
    run();
    this.#field = field;
  }

  /**
   * A program sets a field's value.
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
   * An answer takes the place of the answers to older values: it is merged with the text as the user left it, not with
   * what those answers have made of the text since. They would look like typing, which wins.
   * @param {any} field @param {string} was @param {string} value
   */
  #answer(field, was, value) {
    const passed = this.#passed.get(field) ?? [];
    const typed = passed.at(-1) ?? '';
    const isUsers = field.value === typed || field.value === this.#answered.get(field);
    if (isUsers && was !== field.value && passed.includes(was))
      writeValue(field, mergeTexts(was, typed, value, field.value));
    else writeValue(field, mergeTexts(was, field.value, value));
    if (isUsers) this.#answered.set(field, field.value);
  }

  /**
   * Markup has a field's value. Not for one that is being edited, unless it is forced.
   * @param {any} field @param {string} before what the markup said until now @param {string} said @param {boolean} force
   */
  heardValue(field, before, said, force) {
    const passed = this.#passed.get(field);
    if (said === field.value)
      this.#passed.delete(field); // the program has caught up
    else if (force || (said !== before && !passed?.includes(said)))
      this.setValue(field, said, { force });
  }

  /** @param {Element} element */
  #composes(element) {
    return Boolean(this.#composing?.contains(element));
  }

  /** @param {any} field */
  #typed(field) {
    this.#field = field;
    if (!isTyped(field)) return;
    const passed = this.#passed.get(field) ?? [];
    passed.push(field.value);
    this.#answered.delete(field);
    for (let sum = passed.join('').length; passed.length > MOST_PASSED || sum > MOST_CHARACTERS;)
      sum -= /** @type {string} */ (passed.shift()).length;
    this.#passed.set(field, passed);
  }

  #composed() {
    this.#composing = null;
    const waiting = this.#waiting.splice(0);
    // Firefox tells of the input only after this.
    if (waiting.length) setTimeout(() => waiting.forEach((run) => run()));
  }
}

export const typing = new Typing();

/** Whether it is a field with a value that is typed, or dragged. @param {any} element */
export function isTyped(element) {
  const { localName } = element;
  return localName === 'textarea' || (localName === 'input' && !UNTYPED.has(element.type));
}

/** @param {any} document */
function isSelecting({ activeElement }) {
  if (typeof activeElement?.selectionStart === 'number') return false;
  return getSelection()?.type === 'Range' || Boolean(activeElement?.isContentEditable);
}

/** @param {Event} event @returns {Element} the field, or the whole of what is editable */
function fieldOf(event) {
  let element = /** @type {any} */ (event.composedPath()[0]);
  while (element.isContentEditable && element.parentElement?.isContentEditable)
    element = element.parentElement;
  return element;
}

/** The caret and the selection stay at their characters. @param {any} field @param {string} value */
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
