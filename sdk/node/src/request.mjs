// SPDX-License-Identifier: MIT
// @ts-check
/** The request that a page answers, as CGI/1.1 tells it. */
import fs from 'node:fs';

/**
 * Name and value, in one entry or none. By places, not by a pattern: a stranger's spaces would have
 * it tried in every way.
 * @param {string} pair @returns {[string, string][]}
 */
function cookieOf(pair) {
  const sign = pair.indexOf('=');
  if (sign < 0) return [];
  const value = pair.slice(sign + 1).trim();
  const from = value.startsWith('"') ? 1 : 0;
  const to = value.endsWith('"') ? -1 : undefined;
  return [[pair.slice(0, sign).trim(), value.slice(from, to)]];
}

/**
 * The request that the program was started for. Read when it is asked for: a program that wants no
 * body leaves stdin alone.
 */
export class Request {
  #environment;
  /** @type {Buffer | undefined} */
  #body;

  /** @param {NodeJS.ProcessEnv} environment @param {Buffer} [body] instead of stdin's */
  constructor(environment, body) {
    this.#environment = environment;
    this.#body = body;
  }

  /** @param {string} name @returns {string} */
  #of(name) {
    return this.#environment[name] ?? '';
  }

  get method() {
    return this.#of('REQUEST_METHOD');
  }

  /** Path and query as they were sent. */
  get uri() {
    return this.#of('REQUEST_URI');
  }

  /** The program's own path in the site. */
  get script() {
    return this.#of('SCRIPT_NAME');
  }

  /** What follows the program in the path, decoded; begins with a slash if there is something. */
  get pathInfo() {
    return this.#of('PATH_INFO');
  }

  get address() {
    return this.#of('REMOTE_ADDR');
  }

  get secure() {
    return this.#of('HTTPS') === 'on';
  }

  get query() {
    return new URLSearchParams(this.#of('QUERY_STRING'));
  }

  /** By name in lower case. @returns {Record<string, string>} */
  get headers() {
    const rows = Object.entries(this.#environment)
      .filter(([name]) => /^(HTTP_|CONTENT_(TYPE|LENGTH)$)/.test(name))
      .map(([name, value]) => [
        name
          .replace(/^HTTP_/, '')
          .replaceAll('_', '-')
          .toLowerCase(),
        value ?? '',
      ]);
    return Object.fromEntries(rows);
  }

  /** @returns {Record<string, string>} */
  get cookies() {
    return Object.fromEntries((this.headers.cookie ?? '').split(';').flatMap(cookieOf));
  }

  /** The whole body. @returns {Buffer} */
  get body() {
    return (this.#body ??= fs.readFileSync(0, null));
  }

  /**
   * The fields of a form posted as application/x-www-form-urlencoded;
   * formData() takes both encodings, and files.
   */
  get form() {
    const type = this.#of('CONTENT_TYPE').split(';')[0].trim().toLowerCase();
    return new URLSearchParams(
      type === 'application/x-www-form-urlencoded' ? this.body.toString() : '',
    );
  }

  /** @returns {Promise<FormData>} */
  async formData() {
    return new Response(this.body, {
      headers: { 'Content-Type': this.#of('CONTENT_TYPE') },
    }).formData();
  }

  /** The body as JSON. @returns {any} */
  get json() {
    return JSON.parse(this.body.toString());
  }
}
