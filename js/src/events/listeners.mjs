// SPDX-License-Identifier: MIT
// @ts-check
/** What the program listens to in this page: carries out `.listen` and `.unlisten`, and sends what is heard. */
import { EventRoot } from './event-root.mjs';
import { parseListen, parseUnlisten } from './listen-options.mjs';
import { DomListener } from './listener.mjs';
import { Secrets } from './secrets.mjs';
import { Uploads } from '../streams/upload.mjs';

/**
 * @typedef {object} ListeningOwner
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {(name: string, data: any, more: { subject?: object, expires?: number }) => void} send throws if it can't
 * @property {() => Promise<void>} room fulfilled when send() may find room again
 * @property {(command: string, error: any) => void} problem
 * @property {(name: string, file: File, data: object) => Promise<any>} upload
 */

export class Listening {
  #owner;
  /** By what makes it another listener: its type, name, selector and target. @type {Map<string, DomListener>} */
  #listeners = new Map();
  /** @type {Map<EventTarget, Map<string, EventRoot>>} */
  #roots = new Map();
  /** @type {Secrets | null} */
  #secrets = null;
  /** What has been told of each listener: nothing is told twice. @type {WeakMap<DomListener, Set<string>>} */
  #told = new WeakMap();
  /** How many events found no room. */
  #lost = 0;
  #ended = new AbortController();
  #uploads;

  /** @param {ListeningOwner} owner */
  constructor(owner) {
    this.#owner = owner;
    this.#uploads = new Uploads(owner.upload);
  }

  /** @param {any} data of a `.listen` @throws {import('../dom/problem.mjs').DomProblem} */
  listen(data) {
    for (const options of named(data, () => parseListen(data))) this.#add(options);
  }

  /** @param {any} data of an `.unlisten` @throws {import('../dom/problem.mjs').DomProblem} */
  unlisten(data) {
    const isMeant = named(data, () => parseUnlisten(data));
    for (const listener of [...this.#listeners.values()])
      if (isMeant(listener.options)) this.#remove(listener);
  }

  /** The session is over. */
  close() {
    for (const listener of [...this.#listeners.values()]) this.#remove(listener);
    this.#secrets?.close();
    this.#uploads.close();
    this.#ended.abort();
  }

  /** @param {import('./listen-options.mjs').ListenOptions} options */
  #add(options) {
    if (!this.#secrets) this.#begin();
    const { clock } = this.#owner;
    const secrets = /** @type {Secrets} */ (this.#secrets);
    const listener = new DomListener(options, {
      clock,
      secrets,
      said: (listener, heard, more) => this.#said(listener, heard, more),
      upload: (listener, file) => this.#upload(listener, file),
      problem: (listener, error) => this.#problem(listener, error),
    });
    const older = this.#listeners.get(identityOf(options));
    if (older) this.#remove(older);
    this.#listeners.set(identityOf(options), listener);
    this.#rootOf(options).add(listener);
  }

  /** @param {DomListener} listener */
  #remove(listener) {
    const { options } = listener;
    const root = this.#rootOf(options);
    listener.close();
    root.delete(listener);
    this.#listeners.delete(identityOf(options));
    if (!root.isIdle) return;
    const at = options.object ?? window;
    const roots = this.#roots.get(at);
    roots?.delete(options.on);
    if (roots?.size === 0) this.#roots.delete(at);
  }

  /** @param {import('./listen-options.mjs').ListenOptions} options */
  #rootOf({ object, on }) {
    const at = object ?? window;
    const roots = this.#roots.get(at) ?? new Map();
    const root = roots.get(on) ?? new EventRoot(at, on);
    this.#roots.set(at, roots.set(on, root));
    return root;
  }

  /** What waits for its time is said before the control is left, its form submitted, or the page gone. */
  #begin() {
    this.#secrets = new Secrets(document);
    const before = (
      /** @type {string} */ type,
      /** @type {(subject: any, event: any) => boolean} */ which,
    ) =>
      window.addEventListener(type, (event) => this.#flush((subject) => which(subject, event)), {
        capture: true,
        passive: true,
        signal: this.#ended.signal,
      });
    before('focusout', (subject, event) => event.composedPath().includes(subject));
    before('submit', (subject, event) => subject.form === event.target || subject === event.target);
    before('pagehide', () => true);
  }

  /** @param {(subject: any) => boolean} which */
  #flush(which) {
    for (const listener of [...this.#listeners.values()]) listener.flush(which);
  }

  /** @param {DomListener} listener @param {any} data @param {{ subject?: object, expires?: number }} more */
  #said(listener, data, more) {
    if (listener.options.once) this.#remove(listener);
    try {
      this.#owner.send(listener.options.as, data, more);
    } catch (error) {
      if (/** @type {any} */ (error).code === 'buffer-full') this.#countLost(listener);
      else this.#problem(listener, error);
    }
  }

  /** @param {DomListener} listener @param {File} file */
  #upload(listener, file) {
    return this.#uploads.add(listener.options.as, file, (error) => {
      if (this.#ended.signal.aborted || isKnownToProgram(error)) return;
      this.#problem(listener, new Error(`${file.name} is not sent: ${error.message}`));
    });
  }

  /** Tells how many were lost, when there is room for it. @param {DomListener} listener */
  async #countLost(listener) {
    if (this.#lost++) return;
    await this.#owner.room();
    const lost = this.#lost;
    this.#lost = 0;
    if (!this.#ended.signal.aborted)
      this.#owner.problem(
        'listen',
        withMore(new Error(`${lost} events did not fit into the buffer`), listener.options),
      );
  }

  /** @param {DomListener} listener @param {any} error */
  #problem(listener, error) {
    const told = this.#told.get(listener) ?? new Set();
    this.#told.set(listener, told);
    if (told.has(error.message)) return;
    told.add(error.message);
    this.#owner.problem('listen', withMore(error, listener.options));
  }
}

/** Has the program heard of the stream that failed? @param {any} error */
function isKnownToProgram({ code, data }) {
  return code === 'stream-failed' && !data.reason.startsWith('streams-');
}

/** @param {import('./listen-options.mjs').ListenOptions} options */
function identityOf({ on, as, select, target }) {
  return JSON.stringify([on, as, select, target]);
}

/** What is wrong is told with the name that it was to have. @template T @param {any} data @param {() => T} run */
function named(data, run) {
  try {
    return run();
  } catch (error) {
    throw withMore(error, data ?? {});
  }
}

/** @param {any} error @param {{ on?: any, as?: any }} options */
function withMore(error, { on, as }) {
  return Object.assign(error, { more: { on: shortText(on), as: shortText(as), ...error.more } });
}

/** @param {any} value of a listener, perhaps of a wrong one */
function shortText(value) {
  return typeof value === 'string' ? value.slice(0, 128) : undefined;
}
