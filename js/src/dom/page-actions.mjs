// SPDX-License-Identifier: MIT
// @ts-check
/** What a `.dom` does to the page as a whole, and not to an element: where it goes, its cookies. */
import { domGet, domSet } from '../base/dom-property.mjs';
import { foreignProblem } from './foreign.mjs';
import { isMap, isString, isText } from './json-types.mjs';
import { DomProblem } from './problem.mjs';

/** @param {any} value */
export function isGo(value) {
  if (!isMap(value)) return isString(value);
  const { url, by, replace = false } = value;
  return typeof replace === 'boolean' && isString(url) !== Number.isInteger(by);
}

/**
 * Leaves the page, or goes to another place of it (`#…`). Only to http and https: any other address
 * could run a script, or would be the browser's.
 * @param {any} said @param {boolean} foreign
 */
export function go(said, foreign) {
  if (foreign) throw foreignProblem('goes nowhere');
  const { url, by, replace } = isString(said) ? { url: said } : said;
  if (by !== undefined) return history.go(by);
  const base = domGet(document, 'baseURI');
  if (!URL.canParse(url, base)) throw new DomProblem(`go: no address: ${url.slice(0, 80)}`);
  const { protocol, href } = new URL(url, base);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new DomProblem(`go: to http and https only, not to ${protocol}`);
  if (replace) location.replace(href);
  else location.assign(href);
}

const COOKIE_NAME = /^[!#$%&'*+\-.^`|~\w]+$/;
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
const SAME_SITE = ['Strict', 'Lax', 'None'];

/** The fields of a cookie (RFC 6265). @type {Record<string, (value: any) => boolean>} */
const COOKIE = {
  // @ts-ignore: no field, but the prototype
  __proto__: null,
  name: (value) => isString(value) && COOKIE_NAME.test(value),
  value: (value) => value === null || (isText(value) && COOKIE_VALUE.test(String(value))),
  path: (value) => isString(value) && /^\/[\x21-\x3a\x3c-\x7e]*$/.test(value),
  domain: (value) => isString(value) && /^[\w.-]+$/.test(value),
  maxAge: Number.isInteger,
  sameSite: (value) => SAME_SITE.includes(value),
  secure: (value) => typeof value === 'boolean',
  partitioned: (value) => typeof value === 'boolean',
};

/** @param {any} said a cookie; without a value it is removed @param {boolean} foreign */
export function setCookie(said, foreign) {
  if (foreign) throw foreignProblem('sets no cookie');
  if ('httpOnly' in said)
    throw new DomProblem('cookie: only an answer can set httpOnly, by the header Set-Cookie');
  for (const [field, value] of Object.entries(said))
    if (!COOKIE[field]?.(value)) throw new DomProblem(`cookie: ${field}: not like that`);
  const { name, value = null, path = '/', maxAge } = said;
  if (name === undefined) throw new DomProblem('cookie: a name is wanted');
  domSet(document, 'cookie', cookieText(said));
  const isSeen = value !== null && !(maxAge <= 0) && location.pathname.startsWith(path);
  if (isSeen && !domGet(document, 'cookie').split('; ').includes(`${name}=${value}`))
    throw new DomProblem(`cookie: the browser does not take ${name}`);
}

/** @param {any} said */
function cookieText({ name, value = null, path = '/', domain, maxAge, sameSite = 'Lax', ...more }) {
  const { secure = location.protocol === 'https:', partitioned } = more;
  return [
    `${name}=${value ?? ''}`,
    `Path=${path}`,
    `SameSite=${sameSite}`,
    domain && `Domain=${domain}`,
    value === null ? 'Max-Age=0' : maxAge !== undefined && `Max-Age=${maxAge}`,
    secure && 'Secure',
    partitioned && 'Partitioned',
  ]
    .filter(Boolean)
    .join('; ');
}
