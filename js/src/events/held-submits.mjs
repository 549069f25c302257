// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Holds the forms back that are submitted while no program hears it, so that none goes out natively
 * that the program would have heard, and no password gets into an address.
 *
 * A form is *known* to be the program's if it has `data-hs`, or if a listener with `prevent` was
 * there for it. A known form is never sent natively. Another one of the page's own origin waits
 * until the program has said its first listeners, and goes out natively if none of them wants it;
 * or UNHEARD_MS after the program was reached, if it says none; or UNREACHED_MS after the page has
 * begun, if it is not reached. From then on, and once the session is over, such forms go out at
 * once. A form whose secrets would stand in the address stays.
 */
import { domCall, domGet, isElement, isHtml } from '../base/dom-property.mjs';
import { Timer } from '../base/clock.mjs';

const UNHEARD_MS = 3000;
const UNREACHED_MS = 10_000;

/** @typedef {{ event: any, form: any, submitter: any, known: boolean }} HeldSubmit */

export class HeldSubmits {
  /**
   * WAITING: the program has said no listener; HEARD: it decides by its listeners; OVER.
   * @type {'WAITING' | 'HEARD' | 'OVER' | 'STOPPED'}
   */
  #state = 'WAITING';
  /** Whether forms wait that may be the program's. */
  #isPatient = true;
  #secrets;
  #timer;
  /** The latest that is held. @type {HeldSubmit | null} */
  #held = null;
  /** The form that is submitted natively now. @type {any} */
  #passing = null;
  /**
   * The listeners with `prevent`, by what tells them apart.
   * @type {Map<string, import('./listener.mjs').DomListener>}
   */
  #known = new Map();

  /** Called when a form is not sent at all. @type {(form: any) => void} */
  onnotsent = () => {};

  /**
   * @param {any} window @param {import('../base/clock.mjs').Clock} clock
   * @param {import('./secrets.mjs').Secrets} secrets
   */
  constructor(window, clock, secrets) {
    this.#secrets = secrets;
    this.#timer = new Timer(clock);
    this.#waitFor(UNREACHED_MS);
    window.addEventListener(
      'submit',
      (/** @type {any} */ event) => {
        // The page's own listeners have heard it when it was held.
        if (event.target === this.#passing) event.stopImmediatePropagation();
      },
      true,
    );
    window.addEventListener('submit', (/** @type {any} */ event) => this.#submitted(event));
  }

  /** A listener with `prevent` is there. @param {string} identity @param {any} listener */
  learn(identity, listener) {
    this.#known.set(identity, listener);
  }

  /** The program wants it no longer. @param {string} identity */
  unlearn(identity) {
    this.#known.delete(identity);
  }

  /** The program is reached. */
  opened() {
    if (this.#state === 'WAITING') this.#waitFor(UNHEARD_MS);
  }

  /** The program has said listeners, which are on their way into the page. */
  coming() {
    if (this.#state !== 'WAITING') return;
    this.#isPatient = true;
    this.#timer.clear();
  }

  /** A listener has heard the submit, and prevents it. @param {any} event */
  claim(event) {
    if (this.#held?.event === event) this.#held = null;
  }

  /** The program's first listeners are there. */
  settled() {
    if (this.#state !== 'WAITING') return;
    this.#state = 'HEARD';
    this.#timer.clear();
    this.#decide();
  }

  /** The session is over. */
  over() {
    if (this.#state === 'STOPPED') return;
    this.#state = 'OVER';
    this.#timer.clear();
    this.#decide();
  }

  /** There is no program. */
  stop() {
    this.#state = 'STOPPED';
    this.#held = null;
    this.#timer.clear();
  }

  /** @param {any} event */
  #submitted(event) {
    const { target: form, submitter = null, defaultPrevented } = event;
    if (defaultPrevented || this.#state === 'STOPPED' || !isElement(form)) return;
    if (!isHtml(form, 'form')) return; // a script may fire such an event anywhere
    if (this.#state === 'HEARD' && !isMarked(form)) return;
    if (methodOf(form, submitter) === 'dialog') return;
    const known = this.#knows(event);
    if (this.#state === 'OVER' || !(known || this.#isPatient)) {
      if (known || this.#leaks(form, submitter)) this.#refuse(event, form);
      return;
    }
    if (!known && !isOwn(form, submitter)) return;
    event.preventDefault();
    this.#held = { event, form, submitter, known };
    // Listeners hear it after this one.
    if (this.#state === 'HEARD') this.#timer.set(0, () => this.#decide());
  }

  /** @param {any} event */
  #knows(event) {
    if (isMarked(event.target)) return true;
    const path = event.composedPath();
    return [...this.#known.values()].some((listener) => listener.pathIndexOf(event, path) >= 0);
  }

  /** @param {number} ms from now on forms wait so long */
  #waitFor(ms) {
    this.#isPatient = true;
    this.#timer.set(ms, () => {
      this.#isPatient = false;
      this.#decide();
    });
  }

  /** Sends what is held, or says that it is not sent. */
  #decide() {
    const held = this.#held;
    if (!held) return;
    const { form, submitter, known } = held;
    if (known && this.#state === 'WAITING') return; // the program will come
    this.#held = null;
    if (known || this.#leaks(form, submitter)) this.onnotsent(form);
    else if (domGet(form, 'isConnected')) this.#pass(form, submitter);
  }

  /** @param {any} form @param {any} submitter */
  #pass(form, submitter) {
    this.#passing = form;
    const own = submitter && domGet(submitter, 'form') === form ? [submitter] : [];
    try {
      domCall(form, 'requestSubmit', ...own);
    } finally {
      this.#passing = null;
    }
  }

  /** @param {any} event @param {any} form */
  #refuse(event, form) {
    event.preventDefault();
    this.onnotsent(form);
  }

  /** Whether the address would have a secret in it. @param {any} form @param {any} submitter */
  #leaks(form, submitter) {
    if (methodOf(form, submitter) !== 'get') return false;
    return Array.from(domGet(form, 'elements')).some(
      (/** @type {any} */ control) =>
        control.name && control.value && !control.disabled && this.#secrets.has(control),
    );
  }
}

/** Whether the page says that its program hears the form. @param {any} form */
function isMarked(form) {
  return domCall(form, 'hasAttribute', 'data-hs');
}

/** @param {any} form @param {any} submitter @returns {string} */
function methodOf(form, submitter) {
  if (submitter && domCall(submitter, 'hasAttribute', 'formmethod')) return submitter.formMethod;
  return domGet(form, 'method');
}

/** Whether the form goes to the page's own origin. @param {any} form @param {any} submitter */
function isOwn(form, submitter) {
  const by = submitter && domCall(submitter, 'hasAttribute', 'formaction');
  const action = by ? submitter.formAction : domGet(form, 'action');
  try {
    return new URL(action, location.href).origin === location.origin;
  } catch {
    return false;
  }
}
