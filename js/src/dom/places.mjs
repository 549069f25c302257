// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Keeps what a browser loses of a node that is moved: how far boxes inside of it are scrolled (also
 * Firefox's moveBefore() loses that), and which dialogs are modal and which popovers are shown,
 * where there is no moveBefore(). Layout is read only if a box inside of the node was scrolled.
 */
import { domCall, domGet, isElement } from '../base/dom-property.mjs';
import { scrolledBoxes } from './scrolled.mjs';

/**
 * Moves nodes.
 * @param {Node[]} nodes @param {boolean} removes whether the browser removes a node meanwhile
 * @param {() => void} move
 */
export function keepingPlaces(nodes, removes, move) {
  const boxes = [...scrolledBoxes].filter((box) =>
    nodes.some((node) => domCall(node, 'contains', box)),
  );
  const places = boxes.map((box) => ({
    top: domGet(box, 'scrollTop'),
    left: domGet(box, 'scrollLeft'),
  }));
  const layers = removes ? nodes.flatMap(layersIn) : [];
  move();
  // A dialog that becomes modal hides popovers, so these come last.
  for (const element of layers.filter(isDialog)) showModalAgain(element);
  for (const element of layers) if (!isDialog(element)) domCall(element, 'showPopover');
  boxes.forEach((box, i) => domCall(box, 'scrollTo', { ...places[i], behavior: 'instant' }));
}

/**
 * The modal dialogs and the popovers inside that are shown.
 * @param {any} node @returns {any[]}
 */
function layersIn(node) {
  if (!isElement(node) || !domGet(node, 'isConnected')) return [];
  return [node, ...domCall(node, 'querySelectorAll', 'dialog[open], [popover]')].filter(
    (element) =>
      isDialog(element)
        ? domCall(element, 'matches', ':modal')
        : domGet(element, 'popover') && domCall(element, 'matches', ':popover-open'),
  );
}

/** @param {any} element */
function isDialog(element) {
  return domGet(element, 'localName') === 'dialog';
}

/** @param {any} dialog */
function showModalAgain(dialog) {
  dialog.removeAttribute('open');
  dialog.showModal();
}
