// SPDX-License-Identifier: MIT
// @ts-check
/** A page whose request the program answers. Afterwards the two converse. */
import { Conversation } from './conversation.mjs';

/**
 * @typedef {import('./answer.mjs').AnswerOptions} AnswerOptions
 * @typedef {import('./request.mjs').Request} Request
 * @typedef {import('./answer.mjs').Answer} Answer
 * @typedef {{ request: Request, direct: boolean, isRestored: boolean, session: string,
 *   answer: Answer }} PageSetup
 */

export class AnsweredPage extends Conversation {
  /** The request that it answers. */
  request;
  /** A script or a device connects straight to the program: no page is wanted. */
  direct;
  /**
   * The program was started to go on for one that is gone: the page is there already, and what
   * show() says is not wanted.
   */
  isRestored;
  /** The session's id; empty where there is none. */
  session;
  /** For the helper's own use. */
  answer;

  /**
   * @param {import('./connection.mjs').Connection} connection
   * @param {import('./functions.mjs').Functions} functions
   * @param {string} lead
   * @param {PageSetup} making
   */
  constructor(connection, functions, lead, { request, direct, isRestored, session, answer }) {
    super(connection, functions, lead, isRestored);
    this.isRestored = isRestored;
    this.request = request;
    this.direct = direct;
    this.session = session;
    this.answer = answer;
  }

  /**
   * Answers the request with this page, whole. For a direct connection it
   * accepts, and the body is not wanted.
   * @param {string | import('./html.mjs').Html | Uint8Array} [body]
   * @param {AnswerOptions} [options]
   */
  show(body = '', options) {
    this.begin(options);
    this.write(body);
    this.end();
  }

  /**
   * Begins a page that is written in pieces; end() completes it.
   * @param {AnswerOptions} [options]
   */
  begin(options) {
    this.answer.begin(options);
  }

  /** @param {string | import('./html.mjs').Html | Uint8Array} body */
  write(body) {
    this.answer.write(body);
  }

  /** The page is complete. What is printed from now on goes to the server's log. */
  end() {
    this.answer.end();
  }
}
