// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The listeners of the program in this page: carries out `.listen` and `.unlisten`, and sends the
 * events that were heard.
 */
import { Timer } from '../base/clock.mjs';
import { Busy } from './busy.mjs';
import { CatchUp } from './catch-up.mjs';
import { EventRoot } from './event-root.mjs';
import { parseListen, parseUnlisten } from './listen-options.mjs';
import { DomListener } from './listener.mjs';
import { RestoredFields } from './restored-fields.mjs';
import { Secrets } from './secrets.mjs';
import { ViewWatcher } from './view-watcher.mjs';
import { Uploads } from '../streams/uploads.mjs';

/**
 * @typedef {object} ListenersOwner
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {(name: string, data: any, more: import('./listener.mjs').More) => void} send
 *   throws if the event can't be queued
 * @property {() => Promise<void>} whenRoom fulfilled when send() may find room again
 * @property {(command: string, error: any) => void} problem
 * @property {(name: string, file: File, data: object) => Promise<any>} upload
 * @property {import('./early-page.mjs').EarlyPage | null} early knows what has happened in the page
 *   before; null: the page is not this program's
 */

/**
 * How long the listeners of a process that is gone stay: from the first listener of the one that
 * takes its place, and if that one listens to nothing.
 */
const OLD_HEARD_MS = 5_000;
const OLD_UNHEARD_MS = 60_000;

export class DomListeners {
  #owner;
  /**
   * By what tells listeners apart: type, name, selector and target.
   * @type {Map<string, DomListener>}
   */
  #listeners = new Map();
  /** @type {Map<EventTarget, Map<string, EventRoot>>} */
  #roots = new Map();
  /** @type {Secrets | null} */
  #secrets = null;
  /**
   * The problems that were reported of each listener, so that none is reported twice.
   * @type {WeakMap<DomListener, Set<string>>}
   */
  #reported = new WeakMap();
  /** Those of a process that is gone, while another takes its place. @type {Set<DomListener>} */
  #old = new Set();
  #oldTimer;
  /** How many events found no room. */
  #dropped = 0;
  #ended = new AbortController();
  #uploads;
  #busy;
  /** Of the listeners for elements in view. @type {Map<DomListener, ViewWatcher>} */
  #views = new Map();
  /** Null: the page is not this program's. @type {CatchUp | null} */
  #catchUp = null;

  /** @param {ListenersOwner} owner */
  constructor(owner) {
    this.#owner = owner;
    this.#oldTimer = new Timer(owner.clock);
    this.#uploads = new Uploads(owner.upload);
    this.#busy = new Busy(owner.clock);
    const { clock, early } = owner;
    if (early) early.fields ??= new RestoredFields(document);
    if (early)
      this.#catchUp = new CatchUp(early, {
        clock,
        listeners: () => [...this.#listeners.values()],
        lost: (count) =>
          owner.problem('listen', new Error(`${count} events before the first .listen are lost`)),
      });
  }

  /** @param {any} data of a `.listen` @throws {import('../dom/problem.mjs').DomProblem} */
  listen(data) {
    for (const options of named(data, () => parseListen(data))) this.#add(options);
  }

  /** @param {any} data of an `.unlisten` @throws {import('../dom/problem.mjs').DomProblem} */
  unlisten(data) {
    const isMeant = named(data, () => parseUnlisten(data));
    for (const [identity, listener] of [...this.#listeners]) {
      if (!isMeant(listener.options)) continue;
      this.#remove(listener);
      this.#catchUp?.left(identity);
    }
  }

  /** Sends what is held back: the user leaves the page. */
  flush() {
    this.#flush(() => true);
    this.#catchUp?.release();
  }

  /**
   * Another process takes the place of the program's. Until that one listens, the listeners of the
   * old one hear for it: no form is submitted by the browser meanwhile.
   */
  beginAgain() {
    this.#old = new Set(this.#listeners.values());
    this.#oldTimer.clear();
  }

  /** The other process has begun. */
  begun() {
    this.#oldTimer.set(OLD_UNHEARD_MS, () => this.#removeOld());
  }

  #removeOld() {
    for (const listener of this.#listeners.values())
      if (this.#old.has(listener)) {
        listener.flush(() => true);
        this.#remove(listener);
        this.#catchUp?.left(identityOf(listener.options));
      }
    this.#old.clear();
  }

  /** The program has said something. */
  heard() {
    this.#busy.end();
  }

  /** Runs what the program does to the page. @param {() => void} change */
  changing(change) {
    this.#busy.without(change);
  }

  /** The session is over. */
  close() {
    this.#oldTimer.clear();
    for (const listener of [...this.#listeners.values()]) this.#remove(listener);
    this.#catchUp?.close();
    if (!this.#catchUp) this.#secrets?.close();
    this.#uploads.close();
    this.#busy.end();
    this.#ended.abort();
  }

  /** @param {import('./listen-options.mjs').ListenOptions} options */
  #add(options) {
    if (!this.#secrets) this.#start();
    const { clock } = this.#owner;
    const secrets = /** @type {Secrets} */ (this.#secrets);
    const listener = new DomListener(options, {
      clock,
      secrets,
      send: (listener, heard, more) => this.#send(listener, heard, more),
      busy: (elements) => this.#busy.begin(elements),
      upload: (listener, file) => this.#upload(listener, file),
      problem: (listener, error) => this.#problem(listener, error),
      told: (event, control) => this.#catchUp?.heard(listener, event, control),
    });
    const identity = identityOf(options);
    const older = this.#listeners.get(identity);
    if (older) {
      older.flush(() => true);
      this.#remove(older);
    }
    this.#listeners.set(identity, listener);
    if (options.view)
      this.#views.set(
        listener,
        new ViewWatcher(options, (event, element) => void listener.hear(event, [element], 0)),
      );
    else this.#rootOf(options).add(listener);
    if (this.#old.size && this.#oldTimer.isSet)
      this.#oldTimer.set(OLD_HEARD_MS, () => this.#removeOld());
    const isThere = () => this.#listeners.get(identity) === listener;
    this.#catchUp?.came(listener, identity, isThere);
  }

  /** @param {DomListener} listener */
  #remove(listener) {
    const { options } = listener;
    listener.close();
    this.#listeners.delete(identityOf(options));
    this.#views.get(listener)?.close();
    if (this.#views.delete(listener)) return;
    const root = this.#rootOf(options);
    root.delete(listener);
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

  /**
   * Makes ready for the first listener. What a throttle holds back is sent before the user leaves
   * the control or submits its form.
   */
  #start() {
    this.#secrets = this.#owner.early?.secrets ?? new Secrets(document);
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
  }

  /** @param {(subject: any) => boolean} which */
  #flush(which) {
    for (const listener of [...this.#listeners.values()]) listener.flush(which);
  }

  /**
   * @param {DomListener} listener @param {any} data
   * @param {import('./listener.mjs').More} more
   */
  #send(listener, data, more) {
    if (listener.options.once) this.#remove(listener);
    const send = () => this.#sendNow(listener, data, more);
    if (this.#catchUp) this.#catchUp.send(data.time, send);
    else send();
  }

  /**
   * @param {DomListener} listener @param {any} data
   * @param {import('./listener.mjs').More} more
   */
  #sendNow(listener, data, more) {
    try {
      this.#owner.send(listener.options.as, data, more);
    } catch (error) {
      more.gone?.();
      if (/** @type {any} */ (error).code === 'buffer-full') this.#countDropped(listener);
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

  /**
   * Reports how many events were dropped, as soon as there is room for that.
   * @param {DomListener} listener
   */
  async #countDropped(listener) {
    if (this.#dropped++) return;
    await this.#owner.whenRoom();
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (!this.#ended.signal.aborted)
      this.#owner.problem(
        'listen',
        withMore(new Error(`${dropped} events did not fit into the buffer`), listener.options),
      );
  }

  /** @param {DomListener} listener @param {any} error */
  #problem(listener, error) {
    const reported = this.#reported.get(listener) ?? new Set();
    this.#reported.set(listener, reported);
    if (reported.has(error.message)) return;
    reported.add(error.message);
    this.#owner.problem('listen', withMore(error, listener.options));
  }
}

/**
 * Whether the program has ended the stream itself, or has seen its end. It is told of a file that
 * can't be read in any case.
 * @param {any} error
 */
function isKnownToProgram({ code, data }) {
  return code === 'stream-failed' && !/^(?:streams|file)-/.test(data.reason);
}

/** @param {import('./listen-options.mjs').ListenOptions} options */
function identityOf({ on, as, select, target }) {
  return JSON.stringify([on, as, select, target]);
}

/**
 * Adds the name of the listener to a problem with its options.
 * @template T @param {any} data @param {() => T} run
 */
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

/** @param {any} value an option, perhaps of a wrong type */
function shortText(value) {
  return typeof value === 'string' ? value.slice(0, 128) : undefined;
}
