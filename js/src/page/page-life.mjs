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
 * Other connections of the page, and those of its frames, have no say in this. What shows, keeps
 * and loads (page-care.mjs) is a part of the client. It is loaded when the page has nothing else to
 * do, so that it is there when the connection is lost.
 */
import { CLOSE } from '../proto/close-codes.mjs';
import { loadPart, partHere } from '../base/parts.mjs';
import { domGet } from '../base/dom-property.mjs';
import { whenShown } from '../session/page-lifecycle.mjs';
import { answeredPost, isOldCopy } from './navigation.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */
/** @typedef {import('./page-care.mjs').PageCare} PageCare */
/** @typedef {'open' | 'suspended' | 'restoring' | 'closed'} PageState */

/**
 * Of a session's end: whether it was ever open, whether the page closed it, and whether it was to
 * be restored.
 * @typedef {{ opened: boolean, byPage: boolean, restoring: boolean }} EndManner
 */

/**
 * @typedef {object} PageLifeOptions
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {string} url of the page
 * @property {boolean} sign whether there is one
 * @property {string} probe a cheap address of its server
 * @property {import('../events/secrets.mjs').Secrets} [secrets] knows them from the beginning on
 */

/** The longest that a page which has been loaded waits until it has nothing to do. */
const MOST_IDLE_MS = 2000;

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

/** The life of this page, if it has one. */
export function lifeOfPage() {
  return theLife;
}

export class PageLife {
  #document;
  #window;
  #options;
  /** @type {PageCare | null} */
  #care = null;
  /** Whether it was asked for. */
  #isCareWanted = false;
  /** What to tell it when it comes. @type {Array<(care: PageCare) => void>} */
  #untold = [];
  /** @type {PageState | null} */
  #state = null;
  /** When the page began, or when it was last open. */
  #since;
  #wasOpen = false;
  /** Whether it is told of a connection, in a page that is shown. */
  #isFollowing = false;
  /** @type {EndManner} */
  #manner = { opened: false, byPage: false, restoring: false };
  /** Whether the session is over, and that is nobody's wish. */
  #isLost = false;
  /** Whether the page is loaded again, as its client is of another version than its server. */
  #isRenewed = false;
  /** Whether the page, or the developer's panel, tells what has happened. */
  #isToldElsewhere = false;
  /** The fields that the user has changed. @type {WeakSet<object>} */
  touched = new WeakSet();
  /** Whether the user has done anything. */
  hasActed = false;

  /** @param {any} document @param {PageLifeOptions} options */
  constructor(document, options) {
    this.#document = document;
    this.#window = domGet(document, 'defaultView');
    this.#options = options;
    this.#since = options.clock.now();
    theLife = this;
    this.#watchUser();
  }

  get state() {
    return this.#state;
  }

  get isToldElsewhere() {
    return this.#isToldElsewhere;
  }

  /** The document has been parsed. */
  parsed() {
    if (partHere('page') || hasKept()) this.#tell((care) => care.restore());
  }

  /** @param {EventTarget} connection has just been made */
  follow(connection) {
    const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ run) =>
      connection.addEventListener(type, run);
    for (const type of ['open', 'resume', 'restore']) on(type, () => this.enter('open'));
    on('suspend', ({ data }) => this.enter(data.restoring ? 'restoring' : 'suspended'));
    on('error', ({ code }) => {
      if (code === 'connect-failed' && !this.#state) this.enter('suspended');
    });
    // The page's own listeners come later, and may prevent what follows.
    on('close', (event) => queueMicrotask(() => this.#ended(event)));
    const onWindow = (/** @type {string} */ type, /** @type {(event: any) => void} */ run) =>
      this.#window.addEventListener(type, run);
    onWindow('pagehide', () => this.#care?.hidden(this.#isLost));
    onWindow('pageshow', ({ persisted }) => persisted && this.#care?.shown());
    onWindow('online', () => this.#care?.online());
    whenShown(this.#document, () => {
      this.#since = this.#options.clock.now();
      this.#isFollowing = true;
      if (this.#care) this.#care.begin(this.#since, false);
      else this.#whenIdle(() => this.#wantCare());
    });
  }

  /**
   * Loads the page again, unless it answered a POST.
   * @returns {boolean} whether it does
   */
  load() {
    if (answeredPost(this.#document)) return false;
    this.#tell((care) => care.load());
    return true;
  }

  /**
   * The page's client is of another version than its server: loads the page again, if it has a
   * program.
   * @returns {boolean} whether it does
   */
  renew() {
    if (this.#state === null || answeredPost(this.#document)) return false;
    if (!this.#isRenewed) this.#tell((care) => care.comeBack({ retryAfter: null }));
    this.#isRenewed = true;
    return true;
  }

  /** A file of the page has changed. */
  loadChanged() {
    if (this.load() || this.#state !== 'closed') return;
    this.#isToldElsewhere = false;
    this.#tell((care) => care.show());
  }

  /** @param {string} url of the page whose program has failed */
  leaveToPanel(url) {
    if (url === this.#options.url) this.#isToldElsewhere = true;
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
    const isBack = this.#isLost && (restoring || comesBack(data, hadBegun));
    if (!isBack || answeredPost(this.#document)) return this.enter('closed');
    this.enter('restoring');
    this.#tell((care) => care.comeBack(data));
  }

  /** @param {PageState} state */
  enter(state) {
    const before = this.#state;
    this.#state = state;
    if (state === 'open') this.#wasOpen = true;
    else if (before === 'open') this.#since = this.#options.clock.now();
    const root = domGet(this.#document, 'documentElement');
    if (root) root.dataset.httpsocket = state; // there is none behind document.open()
    if (this.#care) this.#care.entered(before);
    else if (state !== 'open') this.#wantCare();
  }

  /** @param {(care: PageCare) => void} what */
  #tell(what) {
    if (this.#care) return what(this.#care);
    this.#untold.push(what);
    this.#wantCare();
  }

  #wantCare() {
    if (this.#isCareWanted) return;
    this.#isCareWanted = true;
    const part = partHere('page');
    if (part) this.#careComes(part);
    else
      loadPart('page').then(
        (part) => this.#careComes(part),
        () => {}, // the page's policy does not allow it
      );
  }

  /** @param {any} part */
  #careComes(part) {
    const care = /** @type {PageCare} */ (new part.PageCare(this.#document, this.#options, this));
    this.#care = care;
    if (this.#isFollowing) care.begin(this.#since, this.#wasOpen);
    for (const what of this.#untold.splice(0)) what(care);
  }

  /** From the beginning on, as the part comes later. */
  #watchUser() {
    const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ run) =>
      this.#window.addEventListener(type, run, { capture: true, passive: true });
    for (const type of ['input', 'change'])
      on(type, (event) => this.touched.add(event.composedPath()[0]));
    for (const type of ['wheel', 'touchmove', 'keydown', 'pointerdown'])
      on(type, () => (this.hasActed = true));
  }

  /** @param {() => void} run */
  #whenIdle(run) {
    const idle = () => {
      if (this.#window.requestIdleCallback)
        this.#window.requestIdleCallback(run, { timeout: MOST_IDLE_MS });
      else this.#options.clock.setTimeout(run, 1);
    };
    if (partHere('page')) run();
    else if (domGet(this.#document, 'readyState') === 'complete') idle();
    else this.#window.addEventListener('load', idle, { once: true });
  }
}

/** Whether something was kept of the page that this one follows, in this tab (keeping.mjs). */
function hasKept() {
  try {
    return Object.keys(sessionStorage).some((key) => /^httpsocket.* kept$/.test(key));
  } catch {
    return false; // the storage is forbidden
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
