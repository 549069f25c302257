// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a program of another origin may not do to the page, although the page has opened its document to it: anything by
 * which a script of its own could run there. (Its markup is cleaned by the browser: markup.mjs.)
 */
import { DomProblem } from './problem.mjs';

/** Elements that load or run something, or make others do so. */
const SHUT = new Set([
  'base', 'embed', 'frame', 'iframe', 'link', 'meta', 'object', 'script', 'style', 'template', 'use',
  'animate', 'animatemotion', 'animatetransform', 'set',
]); // prettier-ignore

const PROPERTIES = new Set([
  'checked', 'currentTime', 'defaultChecked', 'defaultValue', 'dir', 'disabled', 'hidden', 'indeterminate', 'inert', 'lang',
  'max', 'min', 'multiple', 'muted', 'open', 'placeholder', 'playbackRate', 'readOnly', 'required', 'scrollLeft',
  'scrollTop', 'selected', 'selectedIndex', 'step', 'tabIndex', 'title', 'value', 'volume',
]); // prettier-ignore

/** @param {any} target */
export function checkStrangersTarget(target) {
  const name = target.localName?.toLowerCase();
  if (SHUT.has(name)) throw refused(`changes no <${name}>`);
}

/** @param {string} name @param {any} value */
export function checkStrangersAttribute(name, value) {
  const plain = name.toLowerCase();
  // The browser passes over white space and control characters when it looks for the scheme.
  const scheme = /^[\0- ]*j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t\s*:/i.test(String(value));
  if (plain.startsWith('on') || plain === 'srcdoc' || scheme)
    throw refused(`sets no such attribute: ${name}`);
}

/** @param {string} name */
export function checkStrangersProperty(name) {
  if (!PROPERTIES.has(name)) throw refused(`sets no such property: ${name}`);
}

/** @param {string} what */
export function refused(what) {
  return new DomProblem(`a program of another origin ${what}`);
}
