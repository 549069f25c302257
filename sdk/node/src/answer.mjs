// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The answer to a request: header block and body, or a refusal. A program of its own prints it on
 * stdout, a shared one writes it as lines.
 *
 * When it is complete stdout leads to stderr, the server's log: a console.log() that was left in a
 * program then does no harm.
 */
import fs from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { PageError } from './errors.mjs';

const HTML = 'text/html; charset=utf-8';

/** @typedef {{ type?: string, status?: number, headers?: Record<string, string> }} AnswerOptions */
/** @typedef {{ message?: string, realm?: string, retry?: number, path?: string }} RefusalOptions */

/** begin(), write(), end(): once each. */
export class Answer {
  begun = false;
  ended = false;
  #direct;
  #put;
  #close;

  /**
   * @param {boolean} direct no page is wanted
   * @param {(data: Uint8Array) => void} put
   * @param {() => void} close
   */
  constructor(direct, put, close) {
    this.#direct = direct;
    this.#put = put;
    this.#close = close;
  }

  /** @param {AnswerOptions} [options] */
  begin({ type = HTML, status = 200, headers = {} } = {}) {
    if (this.begun) throw new PageError('answer', 'the answer has begun already');
    this.begun = true;
    const accepted = this.#direct && status === 200 && Object.keys(headers).length === 0;
    const rows = accepted
      ? []
      : Object.entries({
          ...(status !== 200 && { Status: statusLine(status) }),
          ...(type && { 'Content-Type': type }),
          ...headers,
        });
    this.#put(
      Buffer.from(rows.map(([name, value]) => `${clean(name)}: ${clean(value)}\n`).join('') + '\n'),
    );
  }

  /** @param {string | import('./html.mjs').Html | Uint8Array} body */
  write(body) {
    if (!this.begun) this.begin();
    if (!this.#direct) this.#put(body instanceof Uint8Array ? body : Buffer.from(String(body)));
  }

  end() {
    if (this.ended) return;
    if (!this.begun) this.begin();
    this.ended = true;
    this.#close();
  }

  /** @param {number} status @param {RefusalOptions} options */
  refuse(status, { message = statusLine(status), realm, retry, path }) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (realm !== undefined)
      headers['WWW-Authenticate'] =
        `Basic realm="${realm.replace(/["\\]/g, '\\$&')}", charset="UTF-8"`;
    if (retry !== undefined)
      headers[status === 401 ? 'Access-Control-Max-Age' : 'Retry-After'] = String(
        Math.trunc(retry),
      );
    if (path !== undefined) headers['Access-Control-Policy-Path'] = path;
    this.begin({ type: 'text/plain; charset=utf-8', status, headers });
    this.#put(Buffer.from(`${message}\n`));
    this.end();
  }
}

/** @param {Uint8Array} data */
export function putOnStdout(data) {
  let rest = data;
  while (rest.length) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'EAGAIN') throw error;
      // process.stdout has made the pipe one that doesn't wait.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/**
 * Closes stdout; console.log() goes to stderr from now on, and no file that
 * is opened takes its number.
 */
export function leadStdoutToLog() {
  fs.closeSync(1);
  for (const path of ['/proc/self/fd/2', '/dev/null']) {
    try {
      return void fs.openSync(path, 'w');
    } catch {} // stderr is no pipe and no file
  }
}

/** @param {number} status */
function statusLine(status) {
  return `${status} ${STATUS_CODES[status] ?? '-'}`;
}

/** @param {string} text */
function clean(text) {
  if (/[\r\n\0]/.test(text)) throw new PageError('answer', `a line break in a header: ${text}`);
  return text;
}
