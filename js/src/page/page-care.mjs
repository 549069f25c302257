// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a page does for its user when its connection is lost: shows the sign, keeps what was typed,
 * waits for the server and loads the page again. page-life.mjs says when.
 */
import { delay } from '../session/delay.mjs';
import { domCall, domGet } from '../base/dom-property.mjs';
import { Timer } from '../base/clock.mjs';
import { Keeping } from './keeping.mjs';
import { loadByGet, Loads } from './loads.mjs';
import { answeredPost, navigation } from './navigation.mjs';
import { Notes } from './notes.mjs';
import { Sign } from './sign.mjs';

/** A connection that is not open for so long is shown; and one that never was open. */
const SIGN_MS = 1000;
const FIRST_SIGN_MS = 3000;
/** A load that has not gone on by then was stopped: by the user, who was asked whether to leave. */
const LOAD_MS = 15_000;
/** The longest wait between two questions is that of this attempt: 8 s. */
const SLOWEST_ATTEMPT = 5;
const PROBE_MS = 30_000;

export class PageCare {
  #document;
  #window;
  #clock;
  #probe;
  #life;
  #keeping;
  #loads;
  #sign;
  #signTimer;
  #loadTimer;
  /** Ends a wait for the server. */
  #wake = () => {};

  /**
   * @param {any} document @param {import('./page-life.mjs').PageLifeOptions} options
   * @param {import('./page-life.mjs').PageLife} life
   */
  constructor(document, { clock, sign, probe, secrets }, life) {
    this.#document = document;
    this.#window = domGet(document, 'defaultView');
    this.#clock = clock;
    this.#probe = probe;
    this.#life = life;
    const notes = new Notes(() => sessionStorage, this.#window);
    this.#keeping = new Keeping(document, { clock, notes, secrets, user: life });
    this.#loads = new Loads(notes, clock);
    this.#sign = sign ? new Sign(document, clock, () => this.#loadByUser()) : null;
    this.#signTimer = new Timer(clock);
    this.#loadTimer = new Timer(clock);
  }

  /**
   * Takes over.
   * @param {number} since when the page began, or when it was last open
   * @param {boolean} wasOpen
   */
  begin(since, wasOpen) {
    this.#showSoon((wasOpen ? SIGN_MS : FIRST_SIGN_MS) - (this.#clock.now() - since));
  }

  /** The document has been parsed: puts back what was kept. */
  restore() {
    this.#keeping.restore(navigation()?.type === 'reload');
  }

  /** The page has another state. @param {import('./page-life.mjs').PageState | null} before */
  entered(before) {
    if (this.#life.state === 'open') {
      this.#signTimer.clear();
      this.#sign?.hide();
    } else if (before === 'open') this.#showSoon();
    else if (!this.#signTimer.isSet) this.show();
  }

  /** Loads the page again. */
  load() {
    this.#keeping.keep(true);
    this.#loadTimer.set(LOAD_MS, () => this.#life.enter('closed'));
    this.#window.location.reload();
  }

  /** Loads the page again when the server answers. @param {{ retryAfter: number | null }} end */
  async comeBack({ retryAfter }) {
    const wait = this.#loads.next();
    if (wait === null) return this.#life.enter('closed');
    const asked = retryAfter === null ? 0 : (retryAfter + this.#clock.random()) * 1000;
    await this.#sleep(Math.max(wait, asked));
    if (await this.#serverAnswers()) this.load();
    else this.#life.enter('closed');
  }

  /** The user leaves the page, or loads it anew. @param {boolean} isLost */
  hidden(isLost) {
    if (isLost && !this.#loadTimer.isSet) this.#keeping.keep(false);
    this.#signTimer.clear();
    this.#loadTimer.clear();
    this.#sign?.hide();
  }

  /** The page is back from the history. */
  shown() {
    this.#showSoon();
  }

  /** The network is back. */
  online() {
    this.#wake();
  }

  show() {
    if (this.#life.isToldElsewhere) this.#sign?.hide();
    else this.#sign?.show(this.#life.state === 'closed' ? 'over' : 'waiting');
  }

  /** @param {number} [ms] */
  #showSoon(ms = SIGN_MS) {
    if (this.#life.state !== 'open') this.#signTimer.set(Math.max(0, ms), () => this.show());
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
}
