// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a server in dev mode tells the page's developer (docs/protocol.md, section 4): the program's
 * stderr and its failure, which are shown in a panel over the page, and that the page has to load
 * again. A server that is not in dev mode sends none of this, and the page ignores it from a server
 * of another origin.
 */
import { loadPart } from './base/parts.mjs';
import { lifeOfPage } from './page/page-life.mjs';

const DEVELOPERS_WORDS = Object.freeze(['stderr', 'failed', 'reload']);

/** @param {string} word of a control message @param {string} url of the WebSocket */
export function isForDeveloper(word, url) {
  if (!DEVELOPERS_WORDS.includes(word) || typeof document === 'undefined') return false;
  return new URL(url).host === location.host;
}

/** @param {string} word @param {any} data @param {string} url of the WebSocket */
export function tellDeveloper(word, data, url) {
  if (word === 'reload') return loadForDeveloper();
  const page = url.replace(/^ws/, 'http');
  if (word === 'failed') lifeOfPage()?.leaveToPanel(page);
  loadPart('dev').then(
    (part) => part.showToDeveloper(word, data, page),
    () => {}, // the page's policy does not let the panel be loaded
  );
}

/** The page has changed: loads it again, with what was typed. */
export function loadForDeveloper() {
  const life = lifeOfPage();
  if (life) life.loadChanged();
  else location.reload();
}
