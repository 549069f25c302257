// SPDX-License-Identifier: MIT
// @ts-check
/** Registers a program's handlers: for its page, or for all pages of a shared program. */

/** @typedef {import('./functions.mjs').Handler} Handler */

export class Handlers {
  /** For the helper's own use. @type {import('./functions.mjs').Functions} */
  functions;

  /** @param {import('./functions.mjs').Functions} functions */
  constructor(functions) {
    this.functions = functions;
  }

  /**
   * Hears the event: it gets its data.
   * @param {string} name
   * @param {Handler} handler
   * @returns {this}
   */
  on(name, handler) {
    return this.keep('event', name, handler);
  }

  /**
   * Answers the call: it gets its data and returns the answer; a generator yields several.
   * @param {string} name
   * @param {Handler} handler
   * @returns {this}
   */
  handle(name, handler) {
    return this.keep('call', name, handler);
  }

  /**
   * Takes byte streams of this name, such as files: it gets a PageStream. When it returns the
   * stream ends, when it throws it is reset.
   * @param {string} name
   * @param {Handler} handler
   * @returns {this}
   */
  onStream(name, handler) {
    return this.keep('stream', name, handler);
  }

  /**
   * Hears that the page is connected: {resumed, origin, address}.
   * @param {Handler} handler
   * @returns {this}
   */
  attached(handler) {
    return this.keep('system', '.attach', handler);
  }

  /**
   * Hears that the connection is gone, and may come back: {reason}.
   * @param {Handler} handler
   * @returns {this}
   */
  detached(handler) {
    return this.keep('system', '.detach', handler);
  }

  /**
   * Hears, before everything else, that this process goes on for one that is gone: `page.state` is
   * what that one had. {why: 'deploy', 'crash', 'gone' or 'changed', resent: how many of the next
   * messages it may have seen}.
   * @param {Handler} handler
   * @returns {this}
   */
  restored(handler) {
    return this.keep('system', '.restore', handler);
  }

  /**
   * Is called last: the session is over (of a shared program: the process is
   * to end), and some seconds are left.
   * @param {() => any} handler
   * @returns {this}
   */
  ended(handler) {
    return this.keep('system', '', handler);
  }

  /**
   * Hears that the page could not do what listen() or dom() said, or the server what subscribe()
   * said: {command, message}.
   * @param {Handler} handler
   * @returns {this}
   */
  problem(handler) {
    return this.keep('system', '.problem', handler);
  }

  /**
   * Is called at this interval as long as the session lasts; left out while
   * the last call is still awaited.
   * @param {number} ms
   * @param {() => any} handler
   * @returns {this}
   */
  every(ms, handler) {
    this.functions.every(ms, handler);
    return this;
  }

  /**
   * For the helper's own use.
   * @param {import('./functions.mjs').Taken} kind
   * @param {string} name
   * @param {Handler} handler
   * @returns {this}
   */
  keep(kind, name, handler) {
    this.functions.keep(kind, name, handler);
    return this;
  }
}
