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
import { domCall, domGet, isElement } from '../base/dom-property.mjs';
import { arrange } from './arrange.mjs';
import { keepingChoice, selectAround } from './choice.mjs';
import { hasTypedValue } from './fields.mjs';
import { attachShadowOf, hiddenParts, sameTemplate } from './hidden-parts.mjs';
import { isIgnored, NodeMatcher, sameKind } from './match-nodes.mjs';
import { rememberFocus } from './remember-focus.mjs';
import { spliceOf } from './splice.mjs';
import { typing } from './typing.mjs';

/** The attribute that names attributes which markup leaves alone. */
const KEEPS_ATTRIBUTES = 'data-hs-keep';

/**
 * The contents of the element become those of the markup.
 * @param {Element} element @param {DocumentFragment} markup is used up
 * @param {boolean} force also changes what the user is editing
 * @throws {Error} for what the page's policy did not allow to be set; all else is done
 */
export function morphInside(element, markup, force) {
  const morph = new Morph(element, markup, force);
  keepingChoice(selectAround(element), force, () =>
    morph.run(() => morph.contents(element, markup)),
  );
}

/**
 * The element becomes the one of the markup.
 * @param {Element} element @param {Element} markup is used up @param {boolean} force
 * @returns {Element} the element that is there now: another only if the kinds differ
 * @throws {Error} for what the page's policy did not allow to be set; all else is done
 */
export function morphInto(element, markup, force) {
  const morph = new Morph(element, markup, force);
  const change = () =>
    morph.run(() =>
      sameKind(element, markup) ? morph.node(element, markup) : morph.replace(element, markup),
    );
  const select = selectAround(element);
  return keepingChoice(select === element ? null : select, force, change);
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
  /** Nodes of the markup that contain what isEqualNode() does not see. @type {Set<Node>} */
  #hidden;
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
    this.#hidden = hiddenParts(markup);
  }

  /** @template T @param {() => T} change @returns {T} */
  run(change) {
    const restoreFocus = rememberFocus();
    const result = change();
    this.#remove(this.#leftOver);
    restoreFocus();
    if (this.#failure) throw this.#failure;
    return result;
  }

  /**
   * @param {any} old @param {any} fresh of the same kind
   * @returns {any} the node that is there now
   */
  node(old, fresh) {
    if (!isElement(old)) return (changeText(old, fresh.data), old);
    if (isIgnored(old) || (!this.#force && this.#isEqual(old, fresh))) return old;
    const tag = domGet(old, 'localName');
    if (tag === 'script') return (old.replaceWith(fresh), fresh);
    const before = stateOf(old);
    keepingChoice(tag === 'select' ? old : null, this.#force, () => {
      this.#attributes(old, fresh);
      if (tag === 'template') this.#template(old, fresh);
      else if (tag !== 'textarea' && !typing.protects(old, this.#force)) this.contents(old, fresh);
    });
    this.#try(() => this.#shadow(old, fresh));
    this.#state(old, before, stateOf(fresh));
    return old;
  }

  /** @param {Element} old @param {Element} fresh of another kind @returns {Element} */
  replace(old, fresh) {
    const shell = this.#shell(fresh);
    domCall(old, 'before', shell);
    this.contents(shell, fresh);
    this.#leftOver.push(old);
    return shell;
  }

  /** @param {Node} parent @param {Node} markup */
  contents(parent, markup) {
    const olds = [...domGet(parent, 'childNodes')];
    const news = [...domGet(markup, 'childNodes')];
    const [head, tail] = this.#ends(olds, news);
    const free = olds.slice(head, olds.length - tail);
    const middle = news.slice(head, news.length - tail);
    const found = this.#matcher.match(free, middle);
    const shells = middle.map(
      (node, i) => !found[i] && this.#matcher.holds(node) && this.#shell(node),
    );
    const places = new Map(free.map((old, i) => [old, i]));
    arrange(
      parent,
      middle.map((node, i) => found[i] || shells[i] || node),
      found.map((old) => places.get(/** @type {any} */ (old)) ?? -1),
      olds[olds.length - tail] ?? null,
    );
    if (selectAround(parent))
      this.#remove(free); // or an old option would be chosen
    else this.#leftOver.push(...free);
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

  /** @param {any} old @param {any} fresh */
  #isEqual(old, fresh) {
    return !this.#hidden.has(fresh) && domCall(old, 'isEqualNode', fresh);
  }

  /** An empty copy, for contents that are in the page already. @param {any} fresh */
  #shell(fresh) {
    const shell = domCall(fresh, 'cloneNode', domGet(fresh, 'localName') === 'template');
    this.#try(() => this.#shadow(shell, fresh));
    return shell;
  }

  /** @param {any[]} nodes that the markup may lack */
  #remove(nodes) {
    for (const node of nodes) if (!this.#matcher.isTaken(node)) domCall(node, 'remove');
  }

  /** @param {HTMLTemplateElement} old @param {HTMLTemplateElement} fresh */
  #template(old, fresh) {
    if (!sameTemplate(old, fresh)) old.content.replaceChildren(...fresh.content.childNodes);
  }

  /** @param {any} old @param {any} fresh */
  #shadow(old, fresh) {
    const said = this.#hidden.has(fresh) ? domGet(fresh, 'shadowRoot') : null;
    const root = said && domGet(old, 'shadowRoot');
    if (root) this.contents(root, said);
    else if (said) attachShadowOf(old, said);
  }

  /** @param {any} old @param {any} fresh */
  #attributes(old, fresh) {
    const kept = keptBy(old, fresh);
    const leaves = (/** @type {string} */ name) => kept.has(name) || isState(old, name);
    for (const attribute of domGet(fresh, 'attributes'))
      if (
        domCall(old, 'getAttributeNode', attribute.name)?.value !== attribute.value &&
        !leaves(attribute.name)
      )
        this.#try(() => domCall(old, 'setAttributeNode', attribute.cloneNode()));
    for (const attribute of [...domGet(old, 'attributes')])
      if (!domCall(fresh, 'hasAttribute', attribute.name) && !leaves(attribute.name))
        domCall(old, 'removeAttributeNode', attribute);
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
    } else if (said !== before || (this.#force && said !== null)) {
      field.checked = said;
      field.indeterminate = false;
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
 * The state that the markup gives a field: its text, whether it is ticked, or null for an element
 * without such state.
 * @param {any} element
 */
function stateOf(element) {
  if (hasTypedValue(element)) return element.defaultValue;
  return domGet(element, 'localName') === 'input' ? element.defaultChecked : null;
}

/**
 * Attributes that hold state, which markup does not change later.
 * @param {any} element @param {string} name
 */
function isState(element, name) {
  if (name === 'value') return hasTypedValue(element);
  const tag = domGet(element, 'localName');
  return name === 'open' && (tag === 'details' || tag === 'dialog');
}

/**
 * The names of the attributes that markup leaves alone.
 * @param {any} old @param {any} fresh @returns {Set<string>}
 */
function keptBy(old, fresh) {
  const names = [old, fresh].map(
    (element) => domCall(element, 'getAttribute', KEEPS_ATTRIBUTES) ?? '',
  );
  return new Set(names.join(' ').toLowerCase().split(/\s+/));
}
