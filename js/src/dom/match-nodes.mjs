// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Finds the node of the page that a node of new markup stands for. A node with a *key* (an `id`, a
 * `data-key`, the name of a form's field, the value of an option) matches the node with that key.
 * Ids and names match wherever the node is, the others among siblings. Of fields that have the name
 * in common each matches the one in its place, see namesakes.mjs. A node without a key matches a
 * node that contains one of the keys which it contains itself, or else the next sibling of its
 * kind. A node matches no node of another kind and none with another key.
 */
import { domCall, domGet, isElement } from '../base/dom-property.mjs';
import { pairNamesakes } from './namesakes.mjs';
import { hasTypedValue } from './fields.mjs';

/** The attribute of an element that markup leaves alone. */
const IGNORED = 'data-hs-ignore';

const KEYED = '[id],[data-key],input[name],select[name],textarea[name],button[name]';
const NAMED = new Set(['input', 'select', 'textarea', 'button']);
const CHOICES = new Set(['checkbox', 'radio', 'submit']);

/** @param {any} node */
export function isIgnored(node) {
  return isElement(node) && domCall(node, 'hasAttribute', IGNORED);
}

/** @param {any} node @returns {string | null} */
export function nodeKey(node) {
  if (!isElement(node)) return null;
  const id = domCall(node, 'getAttribute', 'id');
  if (id) return `#${id}`;
  const key = domCall(node, 'getAttribute', 'data-key');
  if (key !== null) return `=${key}`;
  const tag = domGet(node, 'localName');
  if (tag === 'option') return `>${node.value}`;
  const name = NAMED.has(tag) && node.getAttribute('name');
  return name ? `@${name} ${CHOICES.has(node.type) ? node.value : ''}` : null;
}

/** Whether the one can become the other without being replaced. @param {any} a @param {any} b */
export function sameKind(a, b) {
  return kindOf(a) === kindOf(b);
}

/** Fields that hold a typed text become one another, and keep it. @param {any} node */
function kindOf(node) {
  const name = domGet(node, 'nodeName');
  if (name === 'INPUT') return `input ${hasTypedValue(node) ? '' : node.type}`;
  return `${name} ${domGet(node, 'namespaceURI')}`;
}

export class NodeMatcher {
  /** The node of the page for a node of the markup, by their keys. @type {Map<Node, Node>} */
  #partners = new Map();
  /** The nodes of the page that have a partner. @type {Set<Node>} */
  #partnered = new Set();
  /**
   * The nodes of the page with a partner that a node contains, in the page and in the markup.
   * @type {Map<Node, Set<Node>>}
   */
  #held = new Map();
  /** Nodes of the page that have been matched. @type {Set<Node>} */
  #taken = new Set();

  /** @param {ParentNode & Node} page @param {ParentNode & Node} markup */
  constructor(page, markup) {
    for (const [old, node] of partnersIn(page, markup)) {
      this.#partners.set(node, old);
      this.#partnered.add(old);
      this.#addHeld(old, old, page);
      this.#addHeld(old, node, markup);
    }
  }

  /**
   * Whether the markup's node contains something that is in the page already.
   * @param {Node} node
   */
  holds(node) {
    return this.#held.has(node);
  }

  /** @param {Node} node of the page */
  isTaken(node) {
    return this.#taken.has(node);
  }

  /**
   * Whether two nodes match in their present places. If so, `old` is taken.
   * @param {Node} old @param {Node} node
   */
  pair(old, node) {
    if (this.#taken.has(old) || !sameKind(old, node) || !this.#haveSameKey(old, node)) return false;
    this.#taken.add(old);
    return true;
  }

  /**
   * Matches children of the markup with children of the page.
   * @param {Node[]} olds children of the page's node @param {Node[]} news
   * @returns {(Node | null)[]} for each of `news` the node of the page, which is taken now
   */
  match(olds, news) {
    const free = olds.filter((old) => !this.#taken.has(old));
    const siblings = /** @type {Map<string, Node[]>} */ (new Map());
    const byHeld = /** @type {Map<Node, Node>} */ (new Map());
    for (const old of free) {
      const key = nodeKey(old);
      if (key === null) for (const held of this.#held.get(old) ?? []) byHeld.set(held, old);
      else if (!this.#partnered.has(old) && !siblings.get(key)?.push(old)) siblings.set(key, [old]);
    }
    /** @param {Node} node @returns {Node | null} */
    const byKey = (node) => {
      const partner = this.#partners.get(node);
      if (partner) return this.#take(partner, node);
      const key = nodeKey(node);
      if (key !== null) return this.#take(siblings.get(key)?.shift(), node);
      for (const held of this.#held.get(node) ?? []) {
        const old = this.#take(byHeld.get(held), node);
        if (old) return old;
      }
      return null;
    };
    const found = news.map(byKey);
    const nextOfKind = this.#unkeyedByKind(free);
    return found.map(
      (old, i) => old ?? this.#take(nodeKey(news[i]) === null && nextOfKind(news[i]), news[i]),
    );
  }

  /** The nodes without a key, by kind and in order. @param {Node[]} free */
  #unkeyedByKind(free) {
    const queues = /** @type {Map<string, Node[]>} */ (new Map());
    for (const old of free) {
      if (nodeKey(old) !== null || this.#taken.has(old)) continue;
      const kind = kindOf(old);
      if (!queues.get(kind)?.push(old)) queues.set(kind, [old]);
    }
    for (const queue of queues.values()) queue.reverse();
    return (/** @type {Node} */ node) => queues.get(kindOf(node))?.pop();
  }

  /** @param {Node | undefined | false} old @param {Node} node @returns {Node | null} */
  #take(old, node) {
    if (!old || this.#taken.has(old) || !sameKind(old, node)) return null;
    this.#taken.add(old);
    return old;
  }

  /** @param {Node} held @param {Node} node @param {Node} root */
  #addHeld(held, node, root) {
    for (
      let holder = domGet(node, 'parentNode');
      holder && holder !== root;
      holder = domGet(holder, 'parentNode')
    ) {
      const all = this.#held.get(holder);
      if (all) all.add(held);
      else this.#held.set(holder, new Set([held]));
    }
  }

  /** @param {Node} old @param {Node} node */
  #haveSameKey(old, node) {
    const partner = this.#partners.get(node);
    if (partner || this.#partnered.has(old)) return partner === old;
    const key = nodeKey(node);
    return nodeKey(old) === key && (key !== null || this.#holdTheSame(old, node));
  }

  /**
   * Whether they contain a partner in common, or none at all.
   * @param {Node} old @param {Node} node
   */
  #holdTheSame(old, node) {
    const a = this.#held.get(old);
    const b = this.#held.get(node);
    if (!a || !b) return a === b;
    for (const held of b) if (a.has(held)) return true;
    return false;
  }
}

/**
 * Elements of the page and of the markup that are the same by their ids, names and keys.
 * @param {ParentNode} page @param {ParentNode} markup
 * @returns {[old: Element, node: Element][]}
 */
function partnersIn(page, markup) {
  const said = elementsByKey(markup);
  const pairs = /** @type {[Element, Element][]} */ ([]);
  for (const [key, olds] of elementsByKey(page)) {
    const news = said.get(key) ?? [];
    if (olds.length === 1 && news.length === 1) pairs.push([olds[0], news[0]]);
    else if (!key.startsWith('=')) pairs.push(...pairNamesakes(olds, page, news, markup));
  }
  return pairs.filter(([old, node]) => sameKind(old, node));
}

/** @param {ParentNode} root @returns {Map<string, Element[]>} */
function elementsByKey(root) {
  const all = domCall(root, 'querySelectorAll', KEYED);
  const ignored = domCall(root, 'querySelector', `[${IGNORED}]`) !== null;
  const found = /** @type {Map<string, Element[]>} */ (new Map());
  for (const element of all) {
    if (ignored && domCall(element, 'closest', `[${IGNORED}]`) !== null) continue;
    const key = /** @type {string} */ (nodeKey(element));
    if (!found.get(key)?.push(element)) found.set(key, [element]);
  }
  return found;
}
