// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Changes a part of the page into what new markup says, in place: what the markup has again stays the node that it is, and
 * with it the focus, the caret, the selection, scroll positions, and what plays. What the user has done stays as well:
 * text that he typed (typing.mjs), a box that he ticked, an option that he chose, a `<details>` that he opened. Zones
 * marked `data-hs-ignore` are left alone as long as the markup has them.
 *
 * Cost: in proportion to the part, little of it for what is equal, and as few moves as there can be. Reads no layout.
 */
import { arrange } from './arrange.mjs';
import { isIgnored, Kin, sameKind } from './match-nodes.mjs';
import { spliceOf } from './splice.mjs';
import { isTyped, typing } from './typing.mjs';

/** What is replaced as a whole: the contents of the one are no children, and the other must not run. */
const WHOLE = new Set(['script', 'template']);

/**
 * The element's contents become those of the markup.
 * @param {Element} element @param {DocumentFragment} markup is used up
 * @param {boolean} force also what the user is editing
 * @throws {Error} what the page's policy did not let be set; all else is done
 */
export function morphInside(element, markup, force) {
  new Morph(element, markup, force).run((morph) => morph.contents(element, markup));
}

/**
 * The element becomes that of the markup.
 * @param {Element} element @param {Element} markup is used up @param {boolean} force
 * @returns {Element} what now stands there: the same, unless they are of different kinds
 * @throws {Error} as above
 */
export function morphInto(element, markup, force) {
  const morph = new Morph(element, markup, force);
  if (!sameKind(element, markup)) return morph.run(() => morph.replace(element, markup));
  morph.run(() => morph.node(element, markup));
  return element;
}

/** Makes a text of another; selections that touch none of the difference stay. @param {any} node @param {string} said */
export function changeText(node, said) {
  if (node.data === said) return;
  const { start, end, text } = spliceOf(node.data, said);
  node.replaceData(start, end - start, text);
}

class Morph {
  #kin;
  #force;
  /** Of the page, and not of the markup: removed in the end, since something in there may be needed yet. @type {Node[]} */
  #left = [];
  /** @type {unknown} */
  #failure = null;

  /** @param {ParentNode & Node} page @param {ParentNode & Node} markup @param {boolean} force */
  constructor(page, markup, force) {
    this.#kin = new Kin(page, markup);
    this.#force = force;
  }

  /** @template T @param {(morph: Morph) => T} change @returns {T} */
  run(change) {
    const restorePlace = rememberPlace();
    const result = change(this);
    for (const node of this.#left)
      if (!this.#kin.isTaken(node)) /** @type {ChildNode} */ (node).remove();
    restorePlace();
    if (this.#failure) throw this.#failure;
    return result;
  }

  /** @param {any} old @param {any} fresh of the same kind */
  node(old, fresh) {
    if (old.nodeType !== 1) return changeText(old, fresh.data);
    if (isIgnored(old) || old.isEqualNode(fresh)) return;
    if (WHOLE.has(old.localName)) return old.replaceWith(fresh);
    const before = stateOf(old);
    this.#attributes(old, fresh);
    if (old.localName !== 'textarea' && !typing.guards(old, this.#force)) this.contents(old, fresh);
    this.#state(old, before, stateOf(fresh));
  }

  /** @param {Element} old @param {Element} fresh of another kind @returns {Element} */
  replace(old, fresh) {
    const shell = /** @type {Element} */ (fresh.cloneNode(false));
    old.before(shell);
    this.contents(shell, fresh);
    this.#left.push(old);
    return shell;
  }

  /** @param {Node} parent @param {Node} markup */
  contents(parent, markup) {
    const olds = [...parent.childNodes];
    const news = [...markup.childNodes];
    const [head, tail] = this.#ends(olds, news);
    const free = olds.slice(head, olds.length - tail);
    const middle = news.slice(head, news.length - tail);
    const found = this.#kin.match(free, middle);
    const shells = middle.map(
      (node, i) => !found[i] && this.#kin.holds(node) && node.cloneNode(false),
    );
    const places = new Map(free.map((old, i) => [old, i]));
    arrange(
      parent,
      middle.map((node, i) => found[i] || shells[i] || node),
      found.map((old) => places.get(/** @type {any} */ (old)) ?? -1),
      olds[olds.length - tail] ?? null,
    );
    this.#left.push(...free);
    for (let i = 0; i < head; i++) this.node(olds[i], news[i]);
    middle.forEach((node, i) => {
      if (found[i]) this.node(found[i], node);
      else if (shells[i]) this.contents(/** @type {Node} */ (shells[i]), node);
    });
    for (let i = 1; i <= tail; i++) this.node(olds.at(-i), news.at(-i));
  }

  /** How many at the beginning and at the end stand for each other as they are. @param {Node[]} olds @param {Node[]} news */
  #ends(olds, news) {
    const most = Math.min(olds.length, news.length);
    let head = 0;
    while (head < most && this.#kin.pair(olds[head], news[head])) head++;
    let tail = 0;
    while (
      tail < most - head &&
      this.#kin.pair(olds[olds.length - 1 - tail], news[news.length - 1 - tail])
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
   * What the markup says of a field's state is taken where it is news; else it stays as the user has made it.
   * @param {any} field @param {any} before what it said until now @param {any} said
   */
  #state(field, before, said) {
    if (typeof said === 'string') {
      typing.heardValue(field, before, said, this.#force);
      if (!typing.edits(field) && before !== said) field.defaultValue = said;
    } else if (said !== before) {
      field[field.localName === 'option' ? 'selected' : 'checked'] = said;
    }
  }

  /** The page's policy may refuse it: the first refusal is told. @param {() => void} run */
  #try(run) {
    try {
      run();
    } catch (error) {
      this.#failure ??= error;
    }
  }
}

/** What an element's markup says of the state of a field: its text, whether it is chosen, or nothing. @param {any} element */
function stateOf(element) {
  if (isTyped(element)) return element.defaultValue;
  if (element.localName === 'input') return element.defaultChecked;
  return element.localName === 'option' ? element.defaultSelected : null;
}

/** Attributes that are state, and no matter of the markup once they are there. @param {Element} element @param {string} name */
function isState(element, name) {
  if (name === 'value') return isTyped(element);
  return name === 'open' && (element.localName === 'details' || element.localName === 'dialog');
}

/** A browser loses the selection of what is moved, and some the focus as well. @returns {() => void} gives them back */
function rememberPlace() {
  const active = /** @type {any} */ (document.activeElement);
  const { selectionStart, selectionEnd, selectionDirection } = active ?? {};
  const restoreSelection = rememberSelection();
  return () => {
    if (active?.isConnected && document.activeElement !== active) {
      typing.holding(() => active.focus({ preventScroll: true }));
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
