// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The panel over the page in which a developer sees the program's stderr and its failure.
 *
 * The panel works under a strict Content-Security-Policy: its styles are a constructed style sheet,
 * and its contents are text.
 */
import { domCall, domGet } from './base/dom-property.mjs';
import { loadForDeveloper } from './developing.mjs';

const MAX_LINES = 500;
/** How often to ask whether the file has changed, when the server is away. */
const ASK_AGAIN_MS = 1000;

const STYLE = `
:host { all: initial !important; display: block !important; position: fixed !important;
  inset: auto 12px 12px 12px !important; z-index: 2147483647 !important;
  max-width: 900px !important; margin: 0 auto !important; border-radius: 8px !important;
  overflow: hidden !important; background: #1d2127 !important; color: #f1f1ee !important;
  box-shadow: 0 6px 30px rgb(0 0 0 / 45%) !important;
  font: 13px/1.5 ui-monospace, monospace !important }
header { display: flex; align-items: center; gap: 1em; padding: 6px 6px 6px 14px;
  background: #333a45; font-family: system-ui, sans-serif }
header.failed { background: #a3262b }
b { flex: 1; font-weight: 600 }
button { font: inherit; color: inherit; background: none; border: 1px solid rgb(255 255 255 / 40%);
  border-radius: 5px; padding: 2px 10px; cursor: pointer }
pre { margin: 0; padding: 10px 14px; max-height: 38vh; overflow: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font: inherit }
pre:empty { display: none }
`;

/**
 * The panel. It is made when there is something to show. Its button closes it; then only a failure
 * opens it again.
 */
class DevPanel {
  #host;
  #header = domCall(document, 'createElement', 'header');
  #title = domCall(document, 'createElement', 'b');
  #lines = domCall(document, 'createElement', 'pre');
  #closed = false;

  constructor() {
    const host = (this.#host = domCall(document, 'createElement', 'httpsocket-dev'));
    const root = host.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const button = domCall(document, 'createElement', 'button');
    button.textContent = 'Close';
    button.onclick = () => this.#close();
    this.#title.textContent = 'The program says';
    this.#lines.tabIndex = 0; // lets keys scroll the lines
    this.#header.append(this.#title, button);
    root.append(this.#header, this.#lines);
  }

  /** @param {string} text */
  add(text) {
    const lines = this.#lines;
    const atEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 4;
    lines.append(`${text}\n`);
    while (lines.childNodes.length > MAX_LINES) lines.firstChild?.remove();
    if (!this.#closed) this.#show();
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  /** @param {string} reason */
  fail(reason) {
    this.#header.className = 'failed';
    this.#title.textContent =
      `The program has ended (${reason}). ` + 'This page loads again when its file changes.';
    this.#closed = false;
    this.#show();
  }

  /** Shows the panel in the top layer, if there is one, so that no dialog of the page hides it. */
  #show() {
    const host = this.#host;
    if (host.isConnected) return;
    domGet(document, 'documentElement').append(host);
    if (typeof host.showPopover !== 'function') return;
    host.popover = 'manual';
    host.showPopover();
  }

  #close() {
    this.#closed = true;
    this.#host.remove();
  }
}

/** @type {DevPanel | undefined} */
let devPanel;
/** The URLs of the programs that have failed. @type {Set<string>} */
const devFailed = new Set();

/**
 * @param {string} word of a control message, `stderr` or `failed` @param {any} data
 * @param {string} page the URL of the page whose program it is
 */
export function showToDeveloper(word, data, page) {
  devPanel ??= new DevPanel();
  if (word === 'stderr') return devPanel.add(String(data?.text));
  devPanel.fail(String(data?.reason));
  if (!devFailed.has(page)) reloadWhenChanged(page, String(data?.version));
  devFailed.add(page);
}

/**
 * Asks by HTTP until the file has changed, as the program's connection is over.
 * @param {string} page @param {string} version of the file that has failed
 */
async function reloadWhenChanged(page, version) {
  const headers = { Accept: 'application/httpsocket-change', 'If-None-Match': version };
  for (;;) {
    const answer = await fetch(page, { headers, cache: 'no-store' }).catch(() => null);
    if (answer?.ok) return loadForDeveloper();
    if (answer?.status === 502) return; // the server has left dev mode
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}
