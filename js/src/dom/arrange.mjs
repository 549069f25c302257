// SPDX-License-Identifier: MIT
// @ts-check
/** Puts nodes into order with the fewest moves, so that the nodes keep their state. */
import { domCall, domGet } from '../base/dom-property.mjs';
import { keepingPlaces } from './places.mjs';

/**
 * Puts `nodes` one after the other before `anchor`.
 * @param {Node} parent
 * @param {Node[]} nodes
 * @param {number[]} places the index of each among the parent's children; -1: not a child yet
 * @param {Node | null} anchor a child; null: the end
 */
export function arrange(parent, nodes, places, anchor) {
  const stay = longestIncreasingSubsequence(
    places,
    canMove(parent) ? -1 : nodes.findIndex(hasFocusInside),
  );
  const moved = nodes.filter((node, i) => !stay.has(i));
  keepingPlaces(moved, !canMove(parent), () => {
    let next = anchor;
    for (let i = nodes.length - 1; i >= 0; i--) {
      if (!stay.has(i)) put(parent, nodes[i], next);
      next = nodes[i];
    }
  });
}

/**
 * Moves a node. Where the browser can (moveBefore), the node keeps its focus, what it plays, and
 * the document of its frame.
 * @param {Node} parent @param {Node} node in the document or new @param {Node | null} before
 */
export function moveNode(parent, node, before) {
  keepingPlaces([node], !canMove(parent), () => put(parent, node, before));
}

/** @param {Node} parent @param {Node} node @param {Node | null} before */
function put(parent, node, before) {
  const moves = canMove(parent) && domGet(node, 'isConnected') && domGet(parent, 'isConnected');
  domCall(parent, moves ? 'moveBefore' : 'insertBefore', node, before);
}

/** @param {Node} parent */
function canMove(parent) {
  return typeof domGet(parent, 'moveBefore') === 'function';
}

/** @param {Node} node */
function hasFocusInside(node) {
  const active = domGet(document, 'activeElement');
  return active !== domGet(document, 'body') && domCall(node, 'contains', active);
}

/**
 * The indexes of a longest increasing subsequence of `places`. The nodes there may stay, and all
 * others move around them.
 * @param {number[]} places -1 is no place, and never a part of the result
 * @param {number} pin an index that must be a part of the result, or -1
 * @returns {Set<number>}
 */
export function longestIncreasingSubsequence(places, pin = -1) {
  const pinned = pin >= 0 && places[pin] >= 0;
  // ends[n]: the index with the lowest place that ends a subsequence of n + 1 places.
  const ends = /** @type {number[]} */ ([]);
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
