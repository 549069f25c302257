// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Lets a `.dom` wait for an element that the browser has not parsed yet, and all that the program
 * says after it too, so that the order stays. The wait ends when the document has been parsed, but
 * also after some seconds and when too much waits: a page may be streamed for hours.
 */
import { domCall, domGet } from '../base/dom-property.mjs';

const LONGEST_PARSE_WAIT_MS = 10_000;

/** Whether the document may still get an element. */
export function isParsing() {
  return domGet(document, 'readyState') === 'loading';
}

/**
 * @param {import('./updates.mjs').Messages} messages wait meanwhile
 * @param {(isLast: boolean) => boolean} step goes on; returns whether all is done
 */
export function waitForParser(messages, step) {
  const watching = new AbortController();
  const goOn = (/** @type {boolean} */ isLast) => {
    if (watching.signal.aborted || !step(isLast)) return;
    watching.abort();
    observer.disconnect();
    clearTimeout(timer);
    release();
  };
  const finish = () => goOn(true);
  const release = messages.hold(finish);
  const observer = new MutationObserver(() => goOn(false));
  const timer = setTimeout(finish, LONGEST_PARSE_WAIT_MS);
  observer.observe(document, { childList: true, subtree: true });
  domCall(document, 'addEventListener', 'readystatechange', finish, { signal: watching.signal });
}
