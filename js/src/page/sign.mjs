// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The small sign that tells the user that the page has no connection. It is `<httpsocket-sign
 * role=status>` with its words in it and all else in a shadow tree, which is closed so that no
 * listener of the program hears its button; or the page's own element with `data-hs-sign`. It works
 * under a strict Content-Security-Policy: its styles are a constructed style sheet.
 */
import { domCall, domGet } from '../base/dom-property.mjs';
import { wordsFor } from './words.mjs';

/** Assistive technology reads what changes in a region that it knows, so the text comes later. */
const TEXT_AFTER_MS = 100;

const SIGN_STYLE = `
:host { all: initial; display: block; position: fixed; inset: auto 0 12px; width: fit-content;
  max-width: calc(100vw - 24px); margin: 0 auto; z-index: 2147483646; pointer-events: none }
p { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 10px; margin: 0;
  padding: 7px 14px; border: 1px solid #c5cad1; border-radius: 9px; background: #fbfbf9;
  color: #23272d; font: 14px/1.45 system-ui, sans-serif; box-shadow: 0 2px 12px rgb(0 0 0 / 18%) }
p[hidden], button[hidden] { display: none }
p::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: #b86e00 }
p.over::before { background: #b3261e }
button { all: unset; pointer-events: auto; cursor: pointer; color: #0b57a4;
  text-decoration: underline; text-underline-offset: 2px; padding: 3px 2px }
button:focus-visible { outline: 2px solid; outline-offset: 2px; border-radius: 3px }
@media (prefers-color-scheme: dark) {
  p { border-color: #4a515b; background: #25292f; color: #efefec }
  p::before { background: #f0ae55 }
  p.over::before { background: #ff8a80 }
  button { color: #9ecbff }
}
@media (forced-colors: active) { p::before { background: CanvasText } }
@media print { :host { display: none } }
`;

/** What the sign says. @typedef {'waiting' | 'over'} SignText */

export class Sign {
  #document;
  #again;
  #clock;
  /** Made when it is shown first. @type {SignElement | null} */
  #made = null;
  /** The page's own element, while it is shown. @type {OwnSign | null} */
  #own = null;

  /**
   * @param {Document} document
   * @param {import('../base/clock.mjs').Clock} clock
   * @param {() => void} again the user wants the page to be loaded again
   */
  constructor(document, clock, again) {
    this.#document = document;
    this.#clock = clock;
    this.#again = again;
  }

  /** @param {SignText} text `over` has a button */
  show(text) {
    const { lang, words } = wordsFor(domGet(this.#document, 'documentElement').lang ?? '');
    const own = domCall(this.#document, 'querySelector', '[data-hs-sign]');
    if (own) {
      const same = this.#own?.element === own;
      const shown = same && this.#own ? this.#own : new OwnSign(own, this.#again);
      this.#own = shown;
      return shown.show(words[text], text === 'over');
    }
    this.#made ??= new SignElement(this.#document, this.#clock, this.#again);
    this.#made.show(lang, words, text);
  }

  hide() {
    this.#made?.hide();
    this.#own?.hide();
    this.#own = null;
  }
}

class SignElement {
  #document;
  #clock;
  #host;
  #line;
  #button;
  /** Says what was to be shown last. */
  #tell = () => {};

  /**
   * @param {Document} document @param {import('../base/clock.mjs').Clock} clock
   * @param {() => void} again
   */
  constructor(document, clock, again) {
    const make = (/** @type {string} */ name) => domCall(document, 'createElement', name);
    this.#document = document;
    this.#clock = clock;
    this.#host = make('httpsocket-sign');
    this.#host.setAttribute('role', 'status');
    this.#line = /** @type {HTMLElement} */ (make('p'));
    this.#line.dir = 'auto';
    this.#line.setAttribute('part', 'sign');
    this.#button = /** @type {HTMLButtonElement} */ (make('button'));
    this.#button.setAttribute('part', 'button');
    this.#button.onclick = again;
    this.#line.append(make('slot'), this.#button);
    const root = this.#host.attachShadow({ mode: 'closed' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(SIGN_STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(this.#line);
  }

  /**
   * @param {string} lang @param {import('./words.mjs').Words} words @param {SignText} text
   */
  show(lang, words, text) {
    this.#tell = () => {
      this.#line.hidden = false;
      this.#host.lang = lang;
      this.#line.className = text;
      this.#host.textContent = words[text];
      this.#button.textContent = words.again;
      this.#button.hidden = text !== 'over';
    };
    if (this.#host.isConnected) return this.#tell();
    this.#line.hidden = true;
    this.#host.textContent = '';
    domGet(this.#document, 'documentElement').append(this.#host);
    this.#toTop();
    this.#clock.setTimeout(() => this.#tell(), TEXT_AFTER_MS);
  }

  hide() {
    this.#host.remove();
  }

  /** Into the top layer, if there is one, so that no dialog of the page hides it. */
  #toTop() {
    if (typeof this.#host.showPopover !== 'function') return;
    this.#host.popover = 'manual';
    this.#host.showPopover();
  }
}

/**
 * The page's own element: not hidden while there is something to say. If it is empty, the words are
 * put into it. An element inside of it with `data-hs-again` loads the page again.
 */
class OwnSign {
  #isEmpty;
  #listening = new AbortController();

  /** @param {any} element @param {() => void} again */
  constructor(element, again) {
    this.element = element;
    this.#isEmpty = !element.firstChild;
    if (!element.hasAttribute('role')) element.setAttribute('role', 'status');
    const { signal } = this.#listening;
    element.addEventListener(
      'click',
      (/** @type {any} */ event) => event.target.closest?.('[data-hs-again]') && again(),
      { signal },
    );
  }

  /** @param {string} text @param {boolean} over */
  show(text, over) {
    this.element.hidden = false;
    if (this.#isEmpty) this.element.textContent = text;
    for (const button of this.element.querySelectorAll('[data-hs-again]')) button.hidden = !over;
  }

  hide() {
    this.element.hidden = true;
    if (this.#isEmpty) this.element.textContent = '';
    this.#listening.abort();
  }
}
