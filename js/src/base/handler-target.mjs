// SPDX-License-Identifier: MIT
// @ts-check
/**
 * An EventTarget that has an event handler `onNAME` for every NAME: `c.onwhatever = (data, event)
 * => …`. A Proxy provides the handlers. The Proxy stands at the end of the prototype chain, behind
 * all that the object really has, so the object itself stays an ordinary one.
 */

/**
 * An event that the program sent.
 */
export class ServerEvent extends Event {
  #data;

  /** @param {string} type @param {any} data @param {EventInit} [init] */
  constructor(type, data, init) {
    super(type, init);
    this.#data = data;
  }

  /** What the program sent with it: anything JSON has, or an ArrayBuffer. */
  get data() {
    return this.#data;
  }
}

/** @typedef {(data: any, event: ServerEvent) => any} EventHandler */

/**
 * @typedef {((event: any) => any) | { handleEvent(event: any): any } | null} Listener
 * @typedef {{
 *   [handler: `on${string}`]: EventHandler | null;
 *   addEventListener(name: string, listener: Listener,
 *     options?: boolean | AddEventListenerOptions): void;
 *   removeEventListener(name: string, listener: Listener,
 *     options?: boolean | EventListenerOptions): void;
 * }} NamedHandlers
 */

/** @typedef {{ run: EventHandler, listener: (event: any) => void }} Slot */

/** @type {WeakMap<object, Map<string, Slot>>} */
const slotsOf = new WeakMap();

/**
 * @param {string | symbol} key
 * @returns {string | null} the name of the event, if `key` is the property of a handler
 */
function handledBy(key) {
  return typeof key === 'string' && key.length > 2 && key.startsWith('on') ? key.slice(2) : null;
}

/**
 * @param {any} target
 * @param {string} name
 * @param {unknown} run a value that is no function removes the handler, as in the DOM
 */
function setHandler(target, name, run) {
  const slots = slotsOf.get(target) ?? new Map();
  slotsOf.set(target, slots);
  const slot = slots.get(name);
  if (typeof run !== 'function') {
    if (slot) target.removeEventListener(name, slot.listener);
    slots.delete(name);
  } else if (slot) {
    slot.run = run;
  } else {
    const made = {
      run,
      listener: (/** @type {any} */ event) => made.run.call(target, event.data, event),
    };
    slots.set(name, made);
    target.addEventListener(name, made.listener);
  }
}

const everyHandler = new Proxy(Object.create(EventTarget.prototype), {
  get(target, key, receiver) {
    const name = handledBy(key);
    return name === null
      ? Reflect.get(target, key, receiver)
      : (slotsOf.get(receiver)?.get(name)?.run ?? null);
  },
  set(target, key, value, receiver) {
    const name = handledBy(key);
    if (name === null) return Reflect.set(target, key, value, receiver);
    setHandler(receiver, name, value);
    return true;
  },
});

const Base = /** @type {new () => NamedHandlers & EventTarget} */ (EventTarget);

export class HandlerTarget extends Base {}
Object.setPrototypeOf(HandlerTarget.prototype, everyHandler);
