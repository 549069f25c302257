// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Changes a part of the page in place, so that it says what new markup says. A node that the markup
 * has again stays the same node, and keeps its focus, caret, selection, scroll position and
 * playback. What the user has done stays too: text that was typed (see typing.mjs), boxes that were
 * ticked, options that were chosen, `<details>` that were opened. An element marked
 * `data-hs-ignore` is left alone as long as the markup has it.
 *
 * Cost: proportional to the size of the part, small for what is equal, and with the fewest moves.
 * No layout is read.
 */
import { arrange } from './arrange.mjs';
import { isIgnored, NodeMatcher, sameKind } from './match-nodes.mjs';
import { spliceOf } from './splice.mjs';
import { hasTypedValue, typing } from './typing.mjs';

/**
 * Replaced as a whole: the contents of a template are no children, and a changed script would run.
 */
const REPLACED_WHOLE = new Set(['script', 'template']);

/**
 * The contents of the element become those of the markup.
 * @param {Element} element @param {DocumentFragment} markup is used up
 * @param {boolean} force also changes what the user is editing
 * @throws {Error} for what the page's policy did not allow to be set; all else is done
 */
export function morphInside(element, markup, force) {
  new Morph(element, markup, force).run((morph) => morph.contents(element, markup));
}

/**
 * The element becomes the one of the markup.
 * @param {Element} element @param {Element} markup is used up @param {boolean} force
 * @returns {Element} the element that is there now: another only if the kinds differ
 * @throws {Error} for what the page's policy did not allow to be set; all else is done
 */
export function morphInto(element, markup, force) {
  const morph = new Morph(element, markup, force);
  if (!sameKind(element, markup)) return morph.run(() => morph.replace(element, markup));
  morph.run(() => morph.node(element, markup));
  return element;
}

/**
 * Changes a text. Selections outside of the difference stay.
 * @param {any} node @param {string} said
 */
export function changeText(node, said) {
  if (node.data === said) return;
  const { start, end, text } = spliceOf(node.data, said);
  node.replaceData(start, end - start, text);
}

class Morph {
  #matcher;
  #force;
  /**
   * Nodes of the page that the markup lacks. They are removed last, as a node inside of them may
   * still be needed.
   * @type {Node[]}
   */
  #leftOver = [];
  /** @type {unknown} */
  #failure = null;

  /** @param {ParentNode & Node} page @param {ParentNode & Node} markup @param {boolean} force */
  constructor(page, markup, force) {
    this.#matcher = new NodeMatcher(page, markup);
    this.#force = force;
  }

  /** @template T @param {(morph: Morph) => T} change @returns {T} */
  run(change) {
    const restoreFocus = rememberFocus();
    const result = change(this);
    for (const node of this.#leftOver)
      if (!this.#matcher.isTaken(node)) /** @type {ChildNode} */ (node).remove();
    restoreFocus();
    if (this.#failure) throw this.#failure;
    return result;
  }

  /** @param {any} old @param {any} fresh of the same kind */
  node(old, fresh) {
    if (old.nodeType !== 1) return changeText(old, fresh.data);
    if (isIgnored(old) || old.isEqualNode(fresh)) return;
    if (REPLACED_WHOLE.has(old.localName)) return old.replaceWith(fresh);
    const before = stateOf(old);
    this.#attributes(old, fresh);
    if (old.localName !== 'textarea' && !typing.protects(old, this.#force))
      this.contents(old, fresh);
    this.#state(old, before, stateOf(fresh));
  }

  /** @param {Element} old @param {Element} fresh of another kind @returns {Element} */
  replace(old, fresh) {
    const shell = /** @type {Element} */ (fresh.cloneNode(false));
    old.before(shell);
    this.contents(shell, fresh);
    this.#leftOver.push(old);
    return shell;
  }

  /** @param {Node} parent @param {Node} markup */
  contents(parent, markup) {
    const olds = [...parent.childNodes];
    const news = [...markup.childNodes];
    const [head, tail] = this.#ends(olds, news);
    const free = olds.slice(head, olds.length - tail);
    const middle = news.slice(head, news.length - tail);
    const found = this.#matcher.match(free, middle);
    const shells = middle.map(
      (node, i) => !found[i] && this.#matcher.holds(node) && node.cloneNode(false),
    );
    const places = new Map(free.map((old, i) => [old, i]));
    arrange(
      parent,
      middle.map((node, i) => found[i] || shells[i] || node),
      found.map((old) => places.get(/** @type {any} */ (old)) ?? -1),
      olds[olds.length - tail] ?? null,
    );
    this.#leftOver.push(...free);
    for (let i = 0; i < head; i++) this.node(olds[i], news[i]);
    middle.forEach((node, i) => {
      if (found[i]) this.node(found[i], node);
      else if (shells[i]) this.contents(/** @type {Node} */ (shells[i]), node);
    });
    for (let i = 1; i <= tail; i++) this.node(olds.at(-i), news.at(-i));
  }

  /**
   * How many nodes match in their present places, at the beginning and at the end.
   * @param {Node[]} olds @param {Node[]} news
   */
  #ends(olds, news) {
    const most = Math.min(olds.length, news.length);
    let head = 0;
    while (head < most && this.#matcher.pair(olds[head], news[head])) head++;
    let tail = 0;
    while (
      tail < most - head &&
      this.#matcher.pair(olds[olds.length - 1 - tail], news[news.length - 1 - tail])
    )
      tail++;
    return [head, tail];
  }

  /** @param {Element} old @param {Element} fresh */
  #attributes(old, fresh) {
    for (const attribute of fresh.attributes)
      if (
        old.getAttributeNode(attribute.name)?.value !== attribute.value &&
        !isState(old, attribute.name)
      )
        this.#try(() => old.setAttributeNode(/** @type {Attr} */ (attribute.cloneNode())));
    for (const attribute of [...old.attributes])
      if (!fresh.hasAttribute(attribute.name) && !isState(old, attribute.name))
        old.removeAttributeNode(attribute);
  }

  /**
   * Sets the state that the markup gives a field, if the markup has changed. Otherwise the state
   * stays as the user has made it.
   * @param {any} field @param {any} before the state in the previous markup
   * @param {any} said the state in the new markup
   */
  #state(field, before, said) {
    if (typeof said === 'string') {
      typing.setMarkupValue(field, before, said, this.#force);
      if (!typing.edits(field) && before !== said) field.defaultValue = said;
    } else if (said !== before) {
      field[field.localName === 'option' ? 'selected' : 'checked'] = said;
    }
  }

  /**
   * The page's policy may refuse a change. The first refusal is thrown at the end.
   * @param {() => void} run
   */
  #try(run) {
    try {
      run();
    } catch (error) {
      this.#failure ??= error;
    }
  }
}

/**
 * The state that the markup gives a field: its text, whether it is chosen, or null for an element
 * without state.
 * @param {any} element
 */
function stateOf(element) {
  if (hasTypedValue(element)) return element.defaultValue;
  if (element.localName === 'input') return element.defaultChecked;
  return element.localName === 'option' ? element.defaultSelected : null;
}

/**
 * Attributes that hold state, which markup does not change later.
 * @param {Element} element @param {string} name
 */
function isState(element, name) {
  if (name === 'value') return hasTypedValue(element);
  return name === 'open' && (element.localName === 'details' || element.localName === 'dialog');
}

/**
 * A browser loses the selection of a node that is moved, and some browsers lose the focus.
 * @returns {() => void} restores both
 */
function rememberFocus() {
  const active = /** @type {any} */ (document.activeElement);
  const { selectionStart, selectionEnd, selectionDirection } = active ?? {};
  const restoreSelection = rememberSelection();
  return () => {
    if (active?.isConnected && document.activeElement !== active) {
      typing.keepEditing(() => active.focus({ preventScroll: true }));
      if (typeof selectionStart === 'number')
        active.setSelectionRange(selectionStart, selectionEnd, selectionDirection);
    }
    restoreSelection?.();
  };
}

/** @returns {(() => void) | null} */
function rememberSelection() {
  const selection = typing.selects ? getSelection() : null;
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {};
  if (!selection || !anchorNode || !focusNode) return null;
  return () => {
    if (selection.anchorNode === anchorNode || !anchorNode.isConnected || !focusNode.isConnected)
      return;
    selection.setBaseAndExtent(
      anchorNode,
      within(anchorNode, anchorOffset),
      focusNode,
      within(focusNode, focusOffset),
    );
  };
}

/** @param {any} node @param {number | undefined} offset */
function within(node, offset = 0) {
  return Math.min(offset, node.data?.length ?? node.childNodes.length);
}
