// SPDX-License-Identifier: MIT
// @ts-check
/** What has events besides the elements, by the names that a listener gives as its `target`. */
import { DomProblem } from '../dom/problem.mjs';

/** @type {Record<string, () => any>} */
const TARGETS = {
  // @ts-ignore: not a target, but that there are no others
  __proto__: null,
  window: () => window,
  document: () => document,
  visualViewport: () => window.visualViewport,
  screen: () => window.screen,
  'screen.orientation': () => window.screen.orientation,
  'document.fonts': () => document.fonts,
  navigation: () => own('navigation'),
  cookieStore: () => own('cookieStore'),
  speechSynthesis: () => own('speechSynthesis'),
  performance: () => window.performance,
  'navigator.connection': () => ofNavigator('connection'),
  'navigator.mediaDevices': () => ofNavigator('mediaDevices'),
  'navigator.serviceWorker': () => ofNavigator('serviceWorker'),
  'navigator.virtualKeyboard': () => ofNavigator('virtualKeyboard'),
  'navigator.windowControlsOverlay': () => ofNavigator('windowControlsOverlay'),
};

/**
 * @param {string} name one of the table, or `media:(QUERY)`
 * @returns {EventTarget}
 * @throws {DomProblem} there is none in this browser, or none at all
 */
export function targetNamed(name) {
  if (name.startsWith('media:')) return mediaQuery(name.slice('media:'.length));
  const find = TARGETS[name];
  if (!find)
    throw new DomProblem(
      `no such target: ${name.slice(0, 40)} (${Object.keys(TARGETS).join(', ')}, media:QUERY)`,
    );
  const target = find();
  if (typeof target?.addEventListener !== 'function')
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
function own(name) {
  return /** @type {any} */ (window)[name];
}

/** @param {string} name */
function ofNavigator(name) {
  return /** @type {any} */ (navigator)[name];
}
