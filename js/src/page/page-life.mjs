// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a page does by itself about its connection, `document.serverConnection`: tells style sheets
 * (`data-httpsocket` of the root element) and the user (the sign); and when the session is over,
 * and nobody has said otherwise, waits until the server answers and loads the page again, with what
 * the user has typed.
 *
 *     (none) ----> open <----> suspended
 *       |           ^  \          |
 *       |           |   v         v
 *       +-------> restoring <-----+       the page is coming back by itself
 *       |             |
 *       +----------> closed               the page does nothing more about it
 *
 * Other connections of the page, and those of its frames, have no say in this.
 */
import { CLOSE } from '../proto/close-codes.mjs';
import { delay } from '../session/delay.mjs';
import { whenShown } from '../session/page-lifecycle.mjs';
import { domCall, domGet } from '../base/dom-property.mjs';
import { Timer } from '../base/clock.mjs';
import { Keeping } from './keeping.mjs';
import { answeredPost, isOldCopy, loadByGet, Loads, navigation } from './loads.mjs';
import { Notes } from './notes.mjs';
import { Sign } from './sign.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */

/**
 * Of a session's end: whether it was ever open, whether the page closed it, and whether it was to
 * be restored.
 * @typedef {{ opened: boolean, byPage: boolean, restoring: boolean }} EndManner
 */

/** A connection that is not open for so long is shown; and one that never was open. */
const SIGN_MS = 1000;
const FIRST_SIGN_MS = 3000;
/** A load that has not gone on by then was stopped: by the user, who was asked whether to leave. */
const LOAD_MS = 15_000;
/** The longest wait between two questions is that of this attempt: 8 s. */
const SLOWEST_ATTEMPT = 5;
const PROBE_MS = 30_000;

/** After these ends a page that is loaded again has a program again. @type {readonly number[]} */
const COMES_BACK = Object.freeze([
  CLOSE.SERVICE_RESTART,
  CLOSE.SESSION_TAKEN,
  CLOSE.SESSION_GONE,
  CLOSE.PROGRAM_FAILED,
]);
const LET_GO = Object.freeze(['restart', 'file-changed']);

/** The one of this document. @type {PageLife | null} */
let theLife = null;

/** A developer's server wants the page to be loaded again: at once, with what was typed. */
export function loadForDeveloper() {
  if (theLife) theLife.loadChanged();
  else location.reload();
}

/** The developer's panel tells what has become of the program. @param {string} url of its page */
export function leaveToPanel(url) {
  theLife?.leaveToPanel(url);
}

export class PageLife {
  #document;
  #window;
  #clock;
  #url;
  #probe;
  #keeping;
  #loads;
  #sign;
  #signTimer;
  #loadTimer;
  /** Ends a wait for the server. */
  #wake = () => {};
  /** @type {'open' | 'suspended' | 'restoring' | 'closed' | null} */
  #state = null;
  /** @type {EndManner} */
  #manner = { opened: false, byPage: false, restoring: false };
  /** Whether the session is over, and that is nobody's wish. */
  #isLost = false;
  /** Whether the page, or the developer's panel, tells what has happened. */
  #isToldElsewhere = false;

  /**
   * @param {any} document
   * @param {{ clock: import('../base/clock.mjs').Clock, url: string, sign: boolean, probe: string
   *   }} options `url`: of the page; `probe`: a cheap address of its server
   */
  constructor(document, { clock, url, sign, probe }) {
    this.#document = document;
    this.#window = domGet(document, 'defaultView');
    this.#clock = clock;
    this.#url = url;
    this.#probe = probe;
    const notes = new Notes(() => sessionStorage, this.#window);
    this.#keeping = new Keeping(document, clock, notes);
    this.#loads = new Loads(notes, clock);
    this.#sign = sign ? new Sign(document, clock, () => this.#loadByUser()) : null;
    this.#signTimer = new Timer(clock);
    this.#loadTimer = new Timer(clock);
    theLife = this;
  }

  /** The document has been parsed. */
  parsed() {
    this.#keeping.restore(navigation()?.type === 'reload');
  }

  /** @param {EventTarget} connection has just been made */
  follow(connection) {
    const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ run) =>
      connection.addEventListener(type, run);
    for (const type of ['open', 'resume', 'restore']) on(type, () => this.#enter('open'));
    on('suspend', ({ data }) => this.#enter(data.restoring ? 'restoring' : 'suspended'));
    on('error', ({ code }) => {
      if (code === 'connect-failed' && !this.#state) this.#enter('suspended');
    });
    // The page's own listeners come later, and may prevent what follows.
    on('close', (event) => queueMicrotask(() => this.#ended(event)));
    const onWindow = (/** @type {string} */ type, /** @type {(event: any) => void} */ run) =>
      this.#window.addEventListener(type, run);
    onWindow('pagehide', () => this.#hidden());
    onWindow('pageshow', ({ persisted }) => persisted && this.#showSoon());
    onWindow('online', () => this.#wake());
    whenShown(this.#document, () => this.#showSoon(FIRST_SIGN_MS));
  }

  /**
   * Loads the page again, unless it answered a POST.
   * @returns {boolean} whether it does
   */
  load() {
    if (answeredPost(this.#document)) return false;
    this.#keeping.keep(true);
    this.#loadTimer.set(LOAD_MS, () => this.#enter('closed'));
    this.#window.location.reload();
    return true;
  }

  /** A file of the page has changed. */
  loadChanged() {
    if (this.load() || this.#state !== 'closed') return;
    this.#isToldElsewhere = false;
    this.#show();
  }

  /** @param {string} url of the page whose program has failed */
  leaveToPanel(url) {
    if (url === this.#url) this.#isToldElsewhere = true;
  }

  /** @param {EndManner} manner of the end that is told next */
  endsBy(manner) {
    this.#manner = manner;
  }

  /** @param {any} event `close` of the connection */
  #ended({ data, defaultPrevented }) {
    const { opened, byPage, restoring } = this.#manner;
    const hadBegun = opened || this.#state !== null;
    // A program that ended with its page was never connected.
    const isOrdinary = !hadBegun && data.code === CLOSE.SESSION_GONE && !isOldCopy();
    this.#isToldElsewhere ||= defaultPrevented || byPage || isOrdinary;
    this.#isLost = !this.#isToldElsewhere;
    if (this.#isLost && (restoring || comesBack(data, hadBegun))) this.#comeBack(data);
    else this.#enter('closed');
  }

  /** @param {End} end */
  async #comeBack({ retryAfter }) {
    if (answeredPost(this.#document)) return this.#enter('closed');
    this.#enter('restoring');
    const wait = this.#loads.next();
    if (wait === null) return this.#enter('closed');
    const asked = retryAfter === null ? 0 : (retryAfter + this.#clock.random()) * 1000;
    await this.#sleep(Math.max(wait, asked));
    if (await this.#serverAnswers()) this.load();
    else this.#enter('closed');
  }

  /** @returns {Promise<boolean>} false: the page's policy does not let it ask */
  async #serverAnswers() {
    let refused = false;
    const refuse = (/** @type {any} */ { blockedURI }) => {
      refused ||= this.#probe.startsWith(blockedURI);
    };
    domCall(this.#document, 'addEventListener', 'securitypolicyviolation', refuse);
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#ask();
      // What answers with an error, such as a proxy, would be all that a load shows.
      if (answer?.ok || answer?.type === 'opaqueredirect') break;
      const slow = Math.min(attempt, SLOWEST_ATTEMPT);
      await this.#sleep(delay(slow, this.#clock.random()), true);
      if (refused) break;
    }
    domCall(this.#document, 'removeEventListener', 'securitypolicyviolation', refuse);
    return !refused;
  }

  /** @returns {Promise<Response | null>} */
  async #ask() {
    const giveUp = new AbortController();
    const timer = new Timer(this.#clock);
    timer.set(PROBE_MS, () => giveUp.abort());
    const { signal } = giveUp;
    try {
      return await fetch(this.#probe, {
        method: 'HEAD',
        cache: 'no-store',
        redirect: 'manual',
        signal,
      });
    } catch {
      return null;
    } finally {
      timer.clear();
    }
  }

  /** @param {number} ms @param {boolean} [canWake] whether the network's return ends it */
  #sleep(ms, canWake = false) {
    return /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        const timer = new Timer(this.#clock);
        timer.set(ms, resolve);
        this.#wake = canWake ? () => (timer.clear(), resolve()) : () => {};
      })
    );
  }

  /** The user wants the page to be loaded again, however it came. */
  #loadByUser() {
    this.#keeping.keep(true);
    if (answeredPost(this.#document)) loadByGet(this.#window);
    else this.#window.location.reload();
  }

  /** The user leaves the page, or loads it anew. */
  #hidden() {
    if (this.#isLost && !this.#loadTimer.isSet) this.#keeping.keep(false);
    this.#signTimer.clear();
    this.#loadTimer.clear();
    this.#sign?.hide();
  }

  /** @param {'open' | 'suspended' | 'restoring' | 'closed'} state */
  #enter(state) {
    const before = this.#state;
    this.#state = state;
    domGet(this.#document, 'documentElement').dataset.httpsocket = state;
    if (state === 'open') {
      this.#signTimer.clear();
      this.#sign?.hide();
    } else if (before === 'open') this.#showSoon();
    else if (!this.#signTimer.isSet) this.#show();
  }

  /** @param {number} [ms] */
  #showSoon(ms = SIGN_MS) {
    if (this.#state !== 'open') this.#signTimer.set(ms, () => this.#show());
  }

  #show() {
    if (this.#isToldElsewhere) this.#sign?.hide();
    else this.#sign?.show(this.#state === 'closed' ? 'over' : 'waiting');
  }
}

/**
 * Whether a page with this end has a program again when it is loaded.
 * @param {End} end @param {boolean} hadBegun a program that fails at once would fail again
 */
function comesBack({ code, reason }, hadBegun) {
  if (!hadBegun) return code === CLOSE.SERVICE_RESTART;
  return COMES_BACK.includes(code) || (code === CLOSE.NORMAL && LET_GO.includes(reason));
}
