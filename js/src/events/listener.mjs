// SPDX-License-Identifier: MIT
// @ts-check
/** One listener of the program: which events it is for, what it does to them, and what it tells. */
import { controlOf } from './controls.mjs';
import { fieldsOf } from './event-classes.mjs';
import { fileListOf, tell } from './event-fields.mjs';
import { isOneOf, writesText } from './key-combos.mjs';
import { Rhythm } from './throttle.mjs';

/** @typedef {import('./listen-options.mjs').ListenOptions} ListenOptions */

/**
 * @typedef {object} ListenerOwner
 * @property {import('../base/clock.mjs').Clock} clock
 * @property {import('./secrets.mjs').Secrets} secrets
 * @property {(listener: DomListener, data: any, more: { subject?: object, expires?: number }) => void} said
 * @property {(listener: DomListener, error: any) => void} problem
 * @property {(listener: DomListener, file: File) => number} upload sends it, and says what it is known by
 */

export class DomListener {
  #owner;
  #rhythm;
  /** What stands in the outbox for a subject: one object each. @type {WeakMap<object, object>} */
  #places = new WeakMap();

  /** @param {ListenOptions} options @param {ListenerOwner} owner */
  constructor(options, owner) {
    this.options = options;
    this.#owner = owner;
    this.#rhythm = new Rhythm(owner.clock, options, (what, subject) => this.#say(what, subject));
  }

  /**
   * Where on its way the event meets the listener, as if that stood at each selected element.
   * @param {any} event @param {any[]} path from the innermost node outwards
   * @returns {number} an index into the path, or -1
   */
  placeOf(event, path) {
    const { select, target, object, capture } = this.options;
    const reached = event.bubbles || capture ? path : path.slice(0, 1);
    if (select !== null)
      return reached.findIndex((node) => node.nodeType === 1 && node.matches(select));
    if (object) return reached.indexOf(object);
    if (target !== null) return reached.indexOf(target === 'window' ? window : document);
    return reached.length > 1 || path[0] === window || path[0] === document ? path.length - 1 : -1;
  }

  /**
   * The event has come.
   * @param {any} event @param {any[]} path @param {number} place that it meets us at
   * @returns {boolean} whether it is one that we are for
   */
  hear(event, path, place) {
    const { fields, files, keys, prevent, select, target } = this.options;
    const { secrets } = this.#owner;
    const source = path[0];
    const control = controlOf(path.slice(0, place + 1));
    if (keys && ((secrets.has(control ?? source) && writesText(event)) || !isOneOf(event, keys)))
      return false;
    if (prevent) event.preventDefault();
    const element = select === null && target === null ? source : path[place];
    const all = fields ?? [...fieldsOf(event, element), ...(files ? ['files'] : [])];
    const heard = { event, element, source, control, secrets, fields: all };
    const data = tell(heard, fields !== null, (field, error) =>
      this.#owner.problem(this, problemOf(field, error)),
    );
    // Now: a drop shows its files no longer than it takes.
    const sent = files && data.files ? [...(fileListOf(event, control) ?? [])] : [];
    this.#rhythm.offer(control ?? element, { data, sent });
    return true;
  }

  /** Says now what waits for its time. @param {(subject: any) => boolean} which */
  flush(which) {
    this.#rhythm.flush(which);
  }

  close() {
    this.#rhythm.close();
  }

  /** @param {{ data: any, sent: File[] }} what @param {object} subject */
  #say({ data, sent }, subject) {
    for (const [i, file] of sent.entries()) data.files[i].upload = this.#owner.upload(this, file);
    const { coalesce, maxAge } = this.options;
    this.#owner.said(this, data, {
      ...(coalesce && { subject: this.#placeFor(subject) }),
      ...(maxAge !== null && { expires: data.time + maxAge }),
    });
  }

  /** @param {object} subject */
  #placeFor(subject) {
    const place = this.#places.get(subject) ?? {};
    this.#places.set(subject, place);
    return place;
  }
}

/** @param {string} field @param {any} error */
function problemOf(field, error) {
  return Object.assign(new Error(`${field} is left out: ${error?.message ?? error}`), {
    more: { field },
  });
}
