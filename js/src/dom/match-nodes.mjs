// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Finds the node of the page that a node of new markup stands for. A node with a *key* (an `id`, a
 * `data-key`, or the name of a form's field) matches the node with that key, wherever the node is.
 * A node without a key matches a node that contains one of the keys which it contains itself, or
 * else the next sibling of its kind. A node matches no node of another kind and none with another
 * key.
 */

/** The attribute of an element that markup leaves alone. */
const IGNORED = 'data-hs-ignore';

const KEYED = '[id],[data-key],input[name],select[name],textarea[name],button[name]';
const NAMED = new Set(['input', 'select', 'textarea', 'button']);
const CHOICES = new Set(['checkbox', 'radio', 'submit']);

/** @param {any} node */
export function isIgnored(node) {
  return node.nodeType === 1 && node.hasAttribute(IGNORED);
}

/** @param {any} node @returns {string | null} */
export function nodeKey(node) {
  if (node.nodeType !== 1) return null;
  if (node.id) return `#${node.id}`;
  const key = node.getAttribute('data-key');
  if (key !== null) return `=${key}`;
  const name = NAMED.has(node.localName) && node.getAttribute('name');
  return name ? `@${name} ${CHOICES.has(node.type) ? node.value : ''}` : null;
}

/** Whether the one can become the other without being replaced. @param {any} a @param {any} b */
export function sameKind(a, b) {
  return kindOf(a) === kindOf(b);
}

/** @param {any} node */
function kindOf({ nodeName, namespaceURI, type }) {
  return nodeName === 'INPUT' ? `input ${type}` : `${nodeName} ${namespaceURI}`;
}

export class NodeMatcher {
  /** Elements of the page whose keys the markup has too. @type {Map<string, Element>} */
  #known = new Map();
  /**
   * The known keys that a node contains, in the page and in the markup.
   * @type {Map<Node, Set<string>>}
   */
  #held = new Map();
  /** Nodes of the page that have been matched. @type {Set<Node>} */
  #taken = new Set();

  /** @param {ParentNode & Node} page @param {ParentNode & Node} markup */
  constructor(page, markup) {
    const said = uniqueKeys(markup);
    for (const [key, element] of uniqueKeys(page)) {
      const other = said.get(key);
      if (!other || !sameKind(element, other)) continue;
      this.#known.set(key, element);
      this.#addHeldKey(key, element, page);
      this.#addHeldKey(key, other, markup);
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
    if (this.#taken.has(old) || !sameKind(old, node) || nodeKey(old) !== nodeKey(node))
      return false;
    if (nodeKey(node) === null && !this.#holdSameKeys(old, node)) return false;
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
    const own = new Map(free.map((old) => /** @type {const} */ ([nodeKey(old), old])).reverse());
    const byHeld = /** @type {Map<string, Node>} */ (new Map());
    for (const old of free)
      if (nodeKey(old) === null) for (const key of this.#held.get(old) ?? []) byHeld.set(key, old);
    /** @param {Node} node @returns {Node | null} */
    const byKey = (node) => {
      const key = nodeKey(node);
      if (key !== null) return this.#take(own.get(key) ?? this.#known.get(key), node);
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

  /** @param {string} key @param {Node} node @param {Node} root */
  #addHeldKey(key, node, root) {
    for (let holder = node.parentNode; holder && holder !== root; holder = holder.parentNode) {
      const held = this.#held.get(holder);
      if (held) held.add(key);
      else this.#held.set(holder, new Set([key]));
    }
  }

  /**
   * Whether they contain a known key in common, or no known key at all.
   * @param {Node} old @param {Node} node
   */
  #holdSameKeys(old, node) {
    const a = this.#held.get(old);
    const b = this.#held.get(node);
    if (!a || !b) return a === b;
    for (const key of b) if (a.has(key)) return true;
    return false;
  }
}

/**
 * The elements inside by key, as far as the key is unique.
 * @param {ParentNode} root @returns {Map<string, Element>}
 */
function uniqueKeys(root) {
  const found = /** @type {Map<string, Element | null>} */ (new Map());
  for (const element of root.querySelectorAll(KEYED)) {
    const key = /** @type {string} */ (nodeKey(element));
    found.set(key, found.has(key) ? null : element);
  }
  for (const [key, element] of found)
    if (!element || element.closest(`[${IGNORED}]`) !== null) found.delete(key);
  return /** @type {Map<string, Element>} */ (found);
}
