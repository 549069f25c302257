// SPDX-License-Identifier: MIT
// @ts-check
/** Puts nodes into an order with the fewest moves, and moves them so that their state goes with them. */

/**
 * Puts `nodes` one after the other before `anchor`.
 * @param {Node} parent
 * @param {Node[]} nodes
 * @param {number[]} places where each was among the parent's children; -1: nowhere
 * @param {Node | null} anchor a child, or null: the end
 */
export function arrange(parent, nodes, places, anchor) {
  const stay = longestRise(places, canMove(parent) ? -1 : nodes.findIndex(hasFocus));
  let next = anchor;
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (!stay.has(i)) moveNode(parent, nodes[i], next);
    next = nodes[i];
  }
}

/**
 * Where the browser can, a node keeps its focus, its scroll, its playing and its frame's document.
 * @param {Node} parent @param {Node} node in the document or new @param {Node | null} before
 */
export function moveNode(parent, node, before) {
  if (node.isConnected && parent.isConnected && canMove(parent))
    /** @type {any} */ (parent).moveBefore(node, before);
  else parent.insertBefore(node, before);
}

/** @param {Node} parent */
function canMove(parent) {
  return typeof (/** @type {any} */ (parent).moveBefore) === 'function';
}

/** @param {Node} node */
function hasFocus(node) {
  return node.contains(document.activeElement) && document.activeElement !== document.body;
}

/**
 * The indexes of a longest run of rising places: what is there may stay, all else moves around it.
 * @param {number[]} places; -1 is no place @param {number} pin an index that must be in it, or -1
 * @returns {Set<number>}
 */
export function longestRise(places, pin = -1) {
  const pinned = pin >= 0 && places[pin] >= 0;
  const ends = /** @type {number[]} */ ([]); // ends[n]: the index with the lowest place that ends a run of n + 1
  const before = new Array(places.length);
  places.forEach((place, i) => {
    if (place < 0 || (pinned && i !== pin && i < pin !== place < places[pin])) return;
    let low = 0;
    for (let high = ends.length; low < high;) {
      const middle = (low + high) >> 1;
      if (places[ends[middle]] < place) low = middle + 1;
      else high = middle;
    }
    before[i] = ends[low - 1];
    ends[low] = i;
  });
  const run = new Set(/** @type {number[]} */ ([]));
  for (let i = ends.at(-1); i !== undefined; i = before[i]) run.add(i);
  return run;
}
