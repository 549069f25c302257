// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Loads the parts of client.js. A part is a script at the address of client.js itself, with the
 * part's name and the hash of its text as the query: so it comes from the same build, may be kept
 * for ever, and a Content-Security-Policy that allows the one by its address allows the other. The
 * nonce of the script element is passed on.
 *
 * While the server can't be reached, the loader asks again and again. It gives up when the page's
 * policy refuses the part; when something else keeps the part back, such as a blocker of
 * advertisements, while the line to the same server stands; or when the server has another version
 * of the client. Then a page with a program is loaded again, as after a restart, and finds the
 * parts of that version.
 */
import { domCall, domGet } from './base/dom-property.mjs';
import { ServerConnectionError } from './base/errors.mjs';
import { loadPartsBy, openLines, partHere } from './base/parts.mjs';
import { trustedScriptUrl } from './base/trusted.mjs';
import { lifeOfPage } from './page/page-life.mjs';
import { delay } from './session/delay.mjs';

/** @typedef {import('./base/parts.mjs').PartName} PartName */
/** @typedef {{ hash: string, needs: PartName[] }} PartFile */

/** Where the function is that a part calls. */
const TAKER = Symbol.for('httpsocket.part');
/** The longest wait between two attempts is that of this one: 8 s. */
const SLOWEST_LOAD = 5;
/** So often another version, or something else, may answer: there may be several servers. */
const MOST_STRANGE = 4;
/**
 * After the first failure so many may follow while the same line stands. They take about 10 s: a
 * dead line, which is probed at each, has been noticed by then.
 */
const MOST_BLOCKED = 6;

/**
 * @param {object} core what client.js gives to its parts
 * @param {Record<PartName, PartFile>} files
 */
export function startParts(core, files) {
  const all = /** @type {any} */ (globalThis);
  if (all[TAKER]) return; // client.js was loaded twice
  const script = all.document && domGet(document, 'currentScript');
  /** Made when a part is first needed. @type {PartLoader | undefined} */
  let loader;
  const load = (/** @type {PartName} */ name) =>
    (loader ??= new PartLoader(core, files, script)).load(name);
  const value = (/** @type {any[]} */ ...part) => loader?.take(...part);
  Object.defineProperty(all, TAKER, { value });
  loadPartsBy(load);
  // A service worker may import scripts only now.
  if (all.ServiceWorkerGlobalScope && all instanceof all.ServiceWorkerGlobalScope)
    for (const name of /** @type {PartName[]} */ (['access', 'tcp'])) load(name).catch(() => {});
}

class PartLoader {
  #core;
  #files;
  #script;
  #base;
  /** @type {Map<string, (core: object) => void>} */
  #made = new Map();
  /** @type {Map<PartName, Promise<any>>} */
  #loads = new Map();
  /** Whether the page's policy refuses parts. */
  #isRefused = false;
  /** The parts that did not come while the line stood. @type {Set<PartName>} */
  #blocked = new Set();
  /** How often the server had another version. */
  #gone = 0;

  /**
   * @param {object} core @param {Record<PartName, PartFile>} files
   * @param {any} script the element of client.js, if there is one
   */
  constructor(core, files, script) {
    this.#core = core;
    this.#files = files;
    this.#script = script;
    const { src } = this.#script ?? {};
    this.#base = /\/client\.js(?:$|\?)/.test(src) ? src.replace(/[?#].*/, '') : clientOfOrigin();
    const { document } = globalThis;
    if (document)
      domCall(document, 'addEventListener', 'securitypolicyviolation', (/** @type {any} */ event) =>
        this.#violated(event),
      );
  }

  /** @param {PartName} name @returns {Promise<any>} what the part offers */
  load(name) {
    const known = this.#loads.get(name);
    if (known) return known;
    const load = this.#load(name);
    this.#loads.set(name, load);
    load.catch(({ code }) => code === 'part-refused' || this.#loads.delete(name));
    return load;
  }

  /** A part has come; without a name: the server has another version. @param {any[]} part */
  take(...[name, make]) {
    if (make) this.#made.set(name, make);
    else this.#gone++;
  }

  /** @param {PartName} name */
  async #load(name) {
    const { needs } = this.#files[name];
    await Promise.all([this.#fetch(name), ...needs.map((need) => this.load(need))]);
    this.#made.get(name)?.(this.#core);
    return partHere(name);
  }

  /** @param {PartName} name */
  async #fetch(name) {
    let strange = 0;
    let blocked = 0;
    /** @type {import('./base/parts.mjs').OpenLine | undefined} */
    let line;
    this.#gone = 0;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#run(`${this.#base}?${name}.${this.#files[name].hash}`, attempt);
        if (this.#made.has(name)) return;
        strange++;
      } catch {
        // the line is lost, or the policy refuses it: that is told by an event
        const before = line;
        line = lineTo(this.#base);
        line?.probe();
        blocked = line === before ? blocked + 1 : 0;
        if (line && (blocked >= MOST_BLOCKED || this.#blocked.has(name))) {
          this.#blocked.add(name);
          const why = `something keeps the part '${name}' of ${this.#base} from this page`;
          throw new ServerConnectionError('part-blocked', why);
        }
      }
      if (strange >= MOST_STRANGE) break;
      if (!this.#isRefused) await pause(delay(Math.min(attempt, SLOWEST_LOAD), Math.random()));
      if (this.#isRefused)
        throw new ServerConnectionError('part-refused', `the page's policy refuses ${this.#base}`);
    }
    if (this.#gone && lifeOfPage()?.renew()) return new Promise(() => {});
    const why = `the server has no part '${name}' of this version of client.js`;
    throw new ServerConnectionError('part-gone', why);
  }

  /** @param {any} event */
  #violated({ blockedURI, disposition, effectiveDirective }) {
    this.#isRefused ||=
      disposition === 'enforce' &&
      effectiveDirective.startsWith('script-src') &&
      Boolean(blockedURI) &&
      this.#base.startsWith(blockedURI.replace(/\?.*/, ''));
  }

  /** @param {string} url @param {number} attempt @returns {any} a promise, if it takes time */
  #run(url, attempt) {
    const { document, importScripts } = /** @type {any} */ (globalThis);
    if (!document) return importScripts(url);
    const script = domCall(document, 'createElement', 'script');
    try {
      script.src = trustedScriptUrl(url);
    } catch {
      // Trusted Types, without our policy. A module that has failed once is not asked for again.
      return import(`${url}&${attempt}`);
    }
    const { nonce, crossOrigin } = this.#script ?? {};
    if (nonce) script.nonce = nonce;
    if (crossOrigin !== null && crossOrigin !== undefined) script.crossOrigin = crossOrigin;
    return new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = reject;
      domGet(document, 'documentElement').append(script);
    }).finally(() => script.remove());
  }
}

/** The line that stands to the server of this URL. @param {string} url */
function lineTo(url) {
  const hostOf = (/** @type {string} */ whole) => new URL(whole).host;
  return [...openLines].find((line) => url[0] === '/' || hostOf(line.url) === hostOf(url));
}

/** Where the page's, or the worker's, own server has the client. */
function clientOfOrigin() {
  const path = '/.httpsocket/client.js';
  return URL.canParse?.(path, globalThis.origin) ? new URL(path, globalThis.origin).href : path;
}

/** Waits, but not for longer than until the network is back. @param {number} ms */
function pause(ms) {
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        globalThis.removeEventListener?.('online', done);
        resolve();
      }
      globalThis.addEventListener?.('online', done);
    })
  );
}
