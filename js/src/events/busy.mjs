// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Marks the elements whose event is on its way to the program (docs/page-programs/hearing.md,
 * "While an event is on its way"): `aria-busy`, `data-hs-busy`, and for buttons
 * `data-hs-disable-with`. An event is on its way until the program says anything, or has had it for
 * some seconds. The marks are taken off while the program's markup is compared with the page.
 */
import { domCall, domGet, isElement } from '../base/dom-property.mjs';
import { Timer } from '../base/clock.mjs';

const DISABLE_WITH = 'data-hs-disable-with';
const LONGEST_BUSY_MS = 10_000;

/**
 * @typedef {{ taken: () => void, gone: () => void }} Delivery what the outbox calls: the program
 *   has the event, or never gets it
 */

export class Busy {
  #clock;
  /** How to take the mark off again, by element. @type {Map<any, { events: number, undo: any }>} */
  #marks = new Map();
  /** What ends each event that is on its way. @type {Set<() => void>} */
  #ends = new Set();

  /** @param {import('../base/clock.mjs').Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** @param {any[]} elements whose event is sent @returns {Delivery} */
  begin(elements) {
    const timer = new Timer(this.#clock);
    const end = () => {
      if (!this.#ends.delete(end)) return;
      timer.clear();
      for (const element of elements) this.#release(element);
    };
    const taken = () => void (this.#ends.has(end) && timer.set(LONGEST_BUSY_MS, end));
    this.#ends.add(end);
    for (const element of elements) this.#hold(element);
    return { taken, gone: end };
  }

  /** Nothing is on its way: the program has said something, or the session is over. */
  end() {
    for (const end of [...this.#ends]) end();
  }

  /** Runs something that must not meet the marks. @param {() => void} run */
  without(run) {
    for (const mark of this.#marks.values()) mark.undo();
    try {
      run();
    } finally {
      for (const [element, mark] of this.#marks) mark.undo = markBusy(element);
    }
  }

  /** @param {any} element */
  #hold(element) {
    const mark = this.#marks.get(element);
    if (mark) mark.events++;
    else this.#marks.set(element, { events: 1, undo: markBusy(element) });
  }

  /** @param {any} element */
  #release(element) {
    const mark = this.#marks.get(element);
    if (!mark || --mark.events > 0) return;
    this.#marks.delete(element);
    mark.undo();
  }
}

/**
 * The elements that are busy while the event is on its way.
 * @param {any} event @param {any} element that the listener has selected @param {any} control
 * @param {boolean} asked whether the listener has asked for it
 * @returns {any[]}
 */
export function busyElements(event, element, control, asked) {
  const isPress = event.type === 'click' || event.type === 'submit';
  const found = [element, control, event.submitter].filter(isElement);
  const isForm = isElement(element) && domGet(element, 'localName') === 'form';
  if (event.type === 'submit' && isForm) found.push(...domGet(element, 'elements'));
  return [...new Set(found)].filter(
    (node) =>
      (asked && (node === element || node === event.submitter)) ||
      (isPress && domCall(node, 'hasAttribute', DISABLE_WITH) && !stillSubmits(event, node)),
  );
}

/** Whether the button's own form is yet to be sent: a disabled one would stop that. */
function stillSubmits(/** @type {any} */ event, /** @type {any} */ node) {
  return !event.defaultPrevented && node.type === 'submit' && Boolean(node.form);
}

/** @param {any} element @returns {() => void} takes the mark off */
function markBusy(element) {
  const undo = [
    attributeSet(element, 'aria-busy', 'true'),
    attributeSet(element, 'data-hs-busy', ''),
  ];
  const text = domCall(element, 'getAttribute', DISABLE_WITH);
  if (text !== null) undo.push(textSet(element, text), disable(element));
  return () => undo.reverse().forEach((run) => run());
}

/** @param {any} element @param {string} name @param {string} value */
function attributeSet(element, name, value) {
  const before = domCall(element, 'getAttribute', name);
  domCall(element, 'setAttribute', name, value);
  return () => {
    if (domCall(element, 'getAttribute', name) !== value) return; // somebody has said another
    if (before === null) domCall(element, 'removeAttribute', name);
    else domCall(element, 'setAttribute', name, before);
  };
}

/** @param {any} button @param {string} text empty: the button's own stays */
function textSet(button, text) {
  if (text === '') return () => {};
  if (button.localName === 'input') {
    const { value } = button;
    button.value = text;
    return () => void (button.value === text && (button.value = value));
  }
  const nodes = [...domGet(button, 'childNodes')];
  button.replaceChildren(text);
  return () => void (button.textContent === text && button.replaceChildren(...nodes));
}

/** @param {any} button */
function disable(button) {
  if (button.disabled !== false) return () => {};
  const hadFocus = domGet(document, 'activeElement') === button;
  button.disabled = true;
  return () => {
    button.disabled = false;
    const active = domGet(document, 'activeElement');
    if (hadFocus && (!active || active === domGet(document, 'body')))
      button.focus({ preventScroll: true });
  };
}
