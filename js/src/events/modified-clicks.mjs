// SPDX-License-Identifier: MIT
// @ts-check
/** Clicks and other events with modifiers: which of them a listener is for. */
import { domCall, isElement } from '../base/dom-property.mjs';
import { modifiersOf } from './key-combos.mjs';

/**
 * Whether the listener is for an event with these modifiers. Unless it says so, a listener that
 * prevents clicks is not for those by which the user opens a link in a tab, in a window, or as a
 * download: the browser does so, as everywhere.
 * @param {any} event @param {any[]} path
 * @param {import('./listen-options.mjs').ListenOptions} options
 */
export function isForModifiers(event, path, { modifiers, prevent }) {
  if (modifiers === 'any') return true;
  if (modifiers) return modifiers.includes(modifiersOf(event));
  return !(prevent && event.type === 'click' && isModified(event) && path.some(isLink));
}

/** @param {any} event */
function isModified(event) {
  return modifiersOf(event) !== '' || event.button === 1;
}

/** @param {any} node */
function isLink(node) {
  return isElement(node) && domCall(node, 'matches', 'a[href], area[href]');
}
