// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a program of another origin may not do, even in a page that has opened its document to it:
 * anything that could run a script of its own. (Its markup is sanitized by the browser, see
 * markup.mjs.)
 */
import { domGet, isElement } from '../base/dom-property.mjs';
import { DomProblem } from './problem.mjs';

/** Elements that load or run something, or make others do that. */
const REFUSED_ELEMENTS = new Set([
  'base', 'embed', 'frame', 'iframe', 'link', 'meta', 'object', 'script', 'style', 'template',
  'use', 'animate', 'animatemotion', 'animatetransform', 'set',
]); // prettier-ignore

const ALLOWED_PROPERTIES = new Set([
  'checked', 'currentTime', 'defaultChecked', 'defaultValue', 'dir', 'disabled', 'hidden',
  'indeterminate', 'inert', 'lang', 'max', 'min', 'multiple', 'muted', 'open', 'placeholder',
  'playbackRate', 'readOnly', 'required', 'scrollLeft', 'scrollTop', 'selected', 'selectedIndex',
  'step', 'tabIndex', 'title', 'value', 'volume',
]); // prettier-ignore

/** @param {any} target */
export function checkForeignTarget(target) {
  const name = isElement(target) ? domGet(target, 'localName').toLowerCase() : '';
  if (REFUSED_ELEMENTS.has(name)) throw foreignProblem(`changes no <${name}>`);
}

/** @param {string} name @param {any} value */
export function checkForeignAttribute(name, value) {
  const plain = name.toLowerCase();
  // Browsers ignore white space and control characters when they look for the scheme.
  const scheme = /^[\0- ]*j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t\s*:/i.test(String(value));
  if (plain.startsWith('on') || plain === 'srcdoc' || scheme)
    throw foreignProblem(`sets no such attribute: ${name}`);
}

/** @param {string} name */
export function checkForeignProperty(name) {
  if (!ALLOWED_PROPERTIES.has(name)) throw foreignProblem(`sets no such property: ${name}`);
}

/** @param {string} what */
export function foreignProblem(what) {
  return new DomProblem(`a program of another origin ${what}`);
}
