// SPDX-License-Identifier: MIT
// @ts-check
/**
 * One listener of the program: chooses the events that it hears, prevents or stops them, and sends
 * their fields.
 */
import { domCall, isElement } from '../base/dom-property.mjs';
import { busyElements } from './busy.mjs';
import { controlOf, isRestoredEvent } from './controls.mjs';
import { fieldsOf } from './event-classes.mjs';
import { fileListOf, readFields } from './event-fields.mjs';
import { isOneOf, writesText } from './key-combos.mjs';
import { isForModifiers } from './modified-clicks.mjs';
import { Throttle } from './throttle.mjs';

/** @typedef {import('./listen-options.mjs').ListenOptions} ListenOptions */

/**
 * @typedef {{ subject?: object, expires?: number } & Partial<import('./busy.mjs').Delivery>} More
 * @typedef {object} ListenerOwner
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {import('./secrets.mjs').Secrets} secrets
 * @property {(listener: DomListener, data: any, more: More) => void} send
 * @property {(elements: any[]) => import('./busy.mjs').Delivery} busy marks them until the event
 *   has been answered
 * @property {(listener: DomListener, error: any) => void} problem
 * @property {(event: any, control: any) => void} told a listener has heard the event; `control` is
 *   the control around it, or null
 * @property {(listener: DomListener, file: File) => number} upload sends a file, and returns the
 *   number of the upload
 */

export class DomListener {
  #owner;
  #throttle;
  /**
   * For each control or element the object that stands for it as a message's `subject` in the
   * outbox.
   * @type {WeakMap<object, object>}
   */
  #subjectKeys = new WeakMap();

  /** @param {ListenOptions} options @param {ListenerOwner} owner */
  constructor(options, owner) {
    this.options = options;
    this.#owner = owner;
    this.#throttle = new Throttle(owner.clock, options, (what, subject) =>
      this.#send(what, subject),
    );
  }

  /**
   * Where on its path the event meets this listener, as if the listener stood at each element that
   * it selects.
   * @param {any} event @param {any[]} path from the innermost node outwards
   * @returns {number} an index into the path, or -1
   */
  pathIndexOf(event, path) {
    const { select, target, object, capture } = this.options;
    const reached = event.bubbles || capture ? path : path.slice(0, 1);
    if (select !== null)
      return reached.findIndex((node) => isElement(node) && domCall(node, 'matches', select));
    if (object) return reached.indexOf(object);
    if (target !== null) return reached.indexOf(target === 'window' ? window : document);
    return reached.length > 1 || path[0] === window || path[0] === document ? path.length - 1 : -1;
  }

  /**
   * An event has happened.
   * @param {any} event @param {any[]} path
   * @param {number} index in the path, where the event meets this listener
   * @param {import('./controls.mjs').Snapshot | null} [then] what there was when the event
   *   happened, if it happened before this listener came
   * @returns {boolean} whether this listener is for such an event
   */
  hear(event, path, index, then = null) {
    const { fields, files, keys, prevent, select, target } = this.options;
    const { secrets } = this.#owner;
    const source = path[0];
    const control = controlOf(path.slice(0, index + 1));
    if (keys && ((secrets.has(control ?? source) && writesText(event)) || !isOneOf(event, keys)))
      return false;
    if (!isForModifiers(event, path, this.options)) return false;
    if (prevent) event.preventDefault();
    const element = select === null && target === null ? source : path[index];
    const all = fields ?? [...fieldsOf(event, element), ...(files ? ['files'] : [])];
    const heard = { event, element, source, control, secrets, fields: all, then };
    const data = readFields(heard, fields !== null, (field, error) =>
      this.#owner.problem(this, problemOf(field, error)),
    );
    if (isRestoredEvent(event)) data.restored = true;
    this.#owner.told(event, control);
    // Read now: the files of a drop are gone after its event.
    const sent = files && data.files ? [...(fileListOf(heard) ?? [])] : [];
    const busy = busyElements(event, element, control, this.options.busy);
    this.#throttle.push(control ?? element, { data, sent, busy });
    return true;
  }

  /** Sends at once what the throttle holds back. @param {(subject: any) => boolean} which */
  flush(which) {
    this.#throttle.flush(which);
  }

  close() {
    this.#throttle.close();
  }

  /** @param {{ data: any, sent: File[], busy: any[] }} what @param {object} subject */
  #send({ data, sent, busy }, subject) {
    for (const [i, file] of sent.entries()) data.files[i].upload = this.#owner.upload(this, file);
    const { coalesce, maxAge } = this.options;
    this.#owner.send(this, data, {
      ...(coalesce && { subject: this.#subjectKeyFor(subject) }),
      ...(maxAge !== null && { expires: data.time + maxAge }),
      ...(busy.length && this.#owner.busy(busy)),
    });
  }

  /** @param {object} subject */
  #subjectKeyFor(subject) {
    const key = this.#subjectKeys.get(subject) ?? {};
    this.#subjectKeys.set(subject, key);
    return key;
  }
}

/** @param {string} field @param {any} error */
function problemOf(field, error) {
  return Object.assign(new Error(`${field} is left out: ${error?.message ?? error}`), {
    more: { field },
  });
}
