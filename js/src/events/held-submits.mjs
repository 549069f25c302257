// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Holds the forms back that are submitted while no program hears it, so that none goes out natively
 * that the program would have heard, and no password gets into an address.
 *
 * A form is *known* to be the program's if it has `data-hs`, or if a listener with `prevent` was
 * there for it. A known form is never sent natively. Another one of the page's own origin waits
 * until the program has said its first listeners, and goes out natively if none of them wants it;
 * or after UNHEARD_MS, if the program is there and says none, or UNREACHED_MS, if it is not. Once
 * the session is over it goes out at once. A form whose secrets would stand in the address stays.
 */
import { domCall, domGet } from '../base/dom-property.mjs';
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
  #reached = false;
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
    this.#reached = true;
    if (this.#held) this.#timer.set(UNHEARD_MS, () => this.#decide());
  }

  /** A listener has heard the submit, and prevents it. @param {any} event */
  claim(event) {
    if (this.#held?.event === event) this.#held = null;
  }

  /** The program's first listeners are there. */
  settled() {
    if (this.#state !== 'WAITING') return;
    this.#state = 'HEARD';
    this.#decide();
  }

  /** The session is over. */
  over() {
    if (this.#state === 'STOPPED') return;
    this.#state = 'OVER';
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
    if (defaultPrevented || this.#state === 'HEARD' || this.#state === 'STOPPED') return;
    if (methodOf(form, submitter) === 'dialog') return;
    const known = this.#knows(event);
    if (this.#state === 'OVER') {
      if (known || this.#leaks(form, submitter)) this.#refuse(event, form);
      return;
    }
    if (!known && !isOwn(form, submitter)) return;
    event.preventDefault();
    this.#held = { event, form, submitter, known };
    this.#timer.set(this.#reached ? UNHEARD_MS : UNREACHED_MS, () => this.#decide());
  }

  /** @param {any} event */
  #knows(event) {
    if (domCall(event.target, 'hasAttribute', 'data-hs')) return true;
    const path = event.composedPath();
    return [...this.#known.values()].some((listener) => listener.pathIndexOf(event, path) >= 0);
  }

  /** Sends what is held, or says that it is not sent. */
  #decide() {
    this.#timer.clear();
    const held = this.#held;
    if (!held) return;
    const { form, submitter, known } = held;
    if (known && this.#state === 'WAITING') return; // the program will come
    this.#held = null;
    if ((known && this.#state === 'OVER') || this.#leaks(form, submitter)) this.onnotsent(form);
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
