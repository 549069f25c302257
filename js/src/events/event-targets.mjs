// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Objects other than elements that have events, by the names that a listener gives as its `target`.
 */
import { domGet, isElement } from '../base/dom-property.mjs';
import { DomProblem } from '../dom/problem.mjs';

/** @type {Record<string, () => any>} */
const TARGETS = {
  // @ts-ignore: no target, but the prototype
  __proto__: null,
  window: () => window,
  document: () => document,
  visualViewport: () => window.visualViewport,
  screen: () => window.screen,
  'screen.orientation': () => window.screen.orientation,
  'document.fonts': () => domGet(document, 'fonts'),
  navigation: () => ofWindow('navigation'),
  cookieStore: () => ofWindow('cookieStore'),
  speechSynthesis: () => ofWindow('speechSynthesis'),
  performance: () => window.performance,
  'navigator.connection': () => ofNavigator('connection'),
  'navigator.mediaDevices': () => ofNavigator('mediaDevices'),
  'navigator.serviceWorker': () => ofNavigator('serviceWorker'),
  'navigator.virtualKeyboard': () => ofNavigator('virtualKeyboard'),
  'navigator.windowControlsOverlay': () => ofNavigator('windowControlsOverlay'),
};

/**
 * @param {string} name a name of the table, or `media:(QUERY)`
 * @returns {EventTarget}
 * @throws {DomProblem} if this browser has no such object, or the name is unknown
 */
export function targetNamed(name) {
  if (name.startsWith('media:')) return mediaQuery(name.slice('media:'.length));
  const find = TARGETS[name];
  if (!find)
    throw new DomProblem(
      `no such target: ${name.slice(0, 40)} (${Object.keys(TARGETS).join(', ')}, media:QUERY)`,
    );
  const target = find();
  // An element with such an id is a property of the window, where that has none of this name.
  if (!target || isElement(target) || typeof domGet(target, 'addEventListener') !== 'function')
    throw new DomProblem(`this browser has no ${name} with events`);
  return target;
}

/** @param {string} query */
function mediaQuery(query) {
  const list = window.matchMedia(query);
  if (list.media === 'not all' && query.trim() !== 'not all')
    throw new DomProblem(`no media query: ${query.slice(0, 80)}`);
  return list;
}

/** @param {string} name */
function ofWindow(name) {
  return /** @type {any} */ (window)[name];
}

/** @param {string} name */
function ofNavigator(name) {
  return /** @type {any} */ (navigator)[name];
}
