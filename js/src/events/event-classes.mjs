// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The fields that a program is told of an event if its listener names none: a list for each class
 * of events.
 */

/** For every event. */
const ALWAYS = Object.freeze(['type', 'time', 'target']);
const CONTROL = ['name', 'value', 'checked', 'selected', 'files'];
const MOUSE = ['clientX', 'clientY', 'button', 'buttons', 'modifiers'];
const SCROLL = ['scrollLeft', 'scrollTop'];

/** @type {Record<string, string[]>} */
const OF_TYPE = {
  // @ts-ignore: no type of event, but the prototype
  __proto__: null,
  input: CONTROL,
  change: CONTROL,
  search: CONTROL,
  click: ['name', 'value', 'checked'],
  invalid: ['name', 'value', 'validation'],
  submit: ['form', 'submitter'],
  formdata: ['form'],
  popstate: ['state', 'url'],
  resize: ['innerWidth', 'innerHeight', 'devicePixelRatio'],
  scroll: SCROLL,
  scrollend: SCROLL,
  visibilitychange: ['visibility'],
  toggle: ['open'],
  close: ['returnValue'],
};

/** By the interface of the event. Derived interfaces stand before their bases. */
const OF_EVENT = Object.freeze(
  Object.entries({
    WheelEvent: [...MOUSE, 'deltaX', 'deltaY', 'deltaZ', 'deltaMode'],
    DragEvent: [...MOUSE, 'types', 'files'],
    PointerEvent: [...MOUSE, 'pointerId', 'pointerType', 'isPrimary', 'pressure'],
    MouseEvent: [...MOUSE, 'detail'],
    KeyboardEvent: ['key', 'code', 'modifiers', 'repeat', 'isComposing'],
    InputEvent: ['inputType', 'data', 'isComposing'],
    TouchEvent: ['touches', 'changedTouches', 'modifiers'],
    FocusEvent: ['relatedTarget'],
    ClipboardEvent: ['types'],
    PromiseRejectionEvent: ['reason'],
    ErrorEvent: ['message', 'filename', 'lineno', 'colno'],
    MessageEvent: ['data', 'origin'],
    CustomEvent: ['detail'],
  }),
);

/** By the interface of the target. */
const OF_TARGET = Object.freeze(
  Object.entries({
    HTMLMediaElement: [
      'currentTime',
      'duration',
      'paused',
      'ended',
      'volume',
      'muted',
      'playbackRate',
    ],
    VisualViewport: ['width', 'height', 'scale', 'offsetLeft', 'offsetTop', 'pageLeft', 'pageTop'],
    ScreenOrientation: ['orientation', 'angle'],
  }),
);

/**
 * @param {any} event @param {any} element the target that the listener has selected
 * @returns {readonly string[]} names of fields
 */
export function fieldsOf(event, element) {
  const ofEvent = OF_EVENT.find(([name]) => is(event, name))?.[1] ?? ownFields(event);
  const ofTarget = OF_TARGET.find(([name]) => is(element, name))?.[1] ?? [];
  return [...new Set([...ALWAYS, ...(OF_TYPE[event.type] ?? []), ...ofEvent, ...ofTarget])];
}

/**
 * Whether the object has that interface. Firefox hides some, such as TouchEvent, so the names of
 * the prototypes are compared.
 * @param {any} object @param {string} name
 */
function is(object, name) {
  let at = Object.getPrototypeOf(object);
  while (at && at[Symbol.toStringTag] !== name) at = Object.getPrototypeOf(at);
  return at !== null;
}

/**
 * The fields that an event of any other class has beyond those of Event and UIEvent, if they are
 * strings, numbers or booleans.
 */
function ownFields(/** @type {any} */ event) {
  const fields = [];
  for (
    let at = Object.getPrototypeOf(event);
    at && !BASES.includes(at[Symbol.toStringTag]);
    at = Object.getPrototypeOf(at)
  )
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (get && ['string', 'number', 'boolean'].includes(typeof event[name])) fields.push(name);
  return fields;
}

const BASES = Object.freeze(['Event', 'UIEvent']);
