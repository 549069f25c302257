// SPDX-License-Identifier: MIT
// @ts-check
/**
 * One process for many pages: a shared program (docs/page-programs/shared.md). Its functions get
 * the page before everything else.
 */
import { Answer, leadStdoutToLog } from './answer.mjs';
import { Connection } from './connection.mjs';
import { PageError } from './errors.mjs';
import { Functions } from './functions.mjs';
import { Handlers } from './handlers.mjs';
import { Html } from './html.mjs';
import { Queue } from './queue.mjs';
import { Request } from './request.mjs';
import { AnsweredPage } from './answered-page.mjs';

/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./functions.mjs').Handler} Handler
 */

/** The page's answer is a refusal, and there is no more to do. */
class Refused extends Error {}

/**
 * One page of many. Any property may be set on it: it is where a program
 * keeps what belongs to this page.
 */
export class SharedPage extends AnsweredPage {
  /** Of the lines that are its own. */
  id;
  /** What waits to be heard; for the helper's own use. @type {Queue<Message | null>} */
  inbox = new Queue();
  /** @type {Array<() => void> | null} those who wait for room; null: there is room */
  #full = null;

  /**
   * @param {Connection} connection
   * @param {Record<string, any>} joined
   * @param {Buffer} body
   * @param {string} id
   */
  constructor(connection, joined, body, id) {
    const answer = new Answer(
      !joined.page,
      (data) => void this.post('.answer', data),
      () => void this.post('.answer'),
    );
    super(connection, new Functions(), `@${id} `, {
      request: new Request(environmentOf(joined), body),
      direct: !joined.page,
      isRestored: joined.restore === true,
      session: joined.session ? id : '',
      answer,
    });
    this.id = id;
  }

  /**
   * Answers with this status instead of a page; the function that makes it is left.
   * @param {number} [status]
   * @param {import('./answer.mjs').RefusalOptions} [options]
   * @returns {never}
   */
  refuse(status = 401, options = {}) {
    this.answer.refuse(status, options);
    throw new Refused();
  }

  /** @override */
  async room() {
    await super.room();
    while (this.#full && !this.over)
      await new Promise((resolve) => this.#full?.push(() => resolve(undefined)));
    if (this.over) throw new PageError('ended', 'the session is over');
  }

  /** The page takes no more, or more again. @param {boolean} full */
  noteFull(full) {
    const waiting = this.#full ?? [];
    this.#full = full ? waiting : null;
    if (!full) for (const wake of waiting) wake();
  }

  /** @override */
  endConversation() {
    super.endConversation();
    this.noteFull(false);
  }
}

/** All pages of this process; an iterable of those that are here now. */
export class Pages extends Handlers {
  #connection;
  /** @type {Map<string, SharedPage>} */
  #here = new Map();
  /** Whose body is coming. @type {Map<string, { joined: Record<string, any>, parts: Buffer[] }>} */
  #joining = new Map();
  #logged = false;
  #end = () => {};
  #ended = new Promise((resolve) => (this.#end = () => resolve(undefined)));

  /** @param {{ fd?: number, environment?: NodeJS.ProcessEnv }} [where] */
  constructor({ fd, environment = process.env } = {}) {
    super(new Functions());
    this.#connection = new Connection(fd ?? Number(environment.HTTPSOCKET_FD ?? -1), (message) =>
      this.#sort(message),
    );
    if (!environment.HTTPSOCKET_SHARED) this.#connection.post('.shared', undefined);
  }

  [Symbol.iterator]() {
    return [...this.#here.values()][Symbol.iterator]();
  }

  /**
   * Makes each page: it gets the page, and returns its HTML, or shows or refuses it itself.
   * @param {(page: SharedPage) => any} handler
   * @returns {this}
   */
  page(handler) {
    return this.keep('system', '.join', handler);
  }

  /**
   * Hears that the session of a page is over.
   * @param {(page: SharedPage) => any} handler
   * @returns {this}
   */
  left(handler) {
    return this.keep('system', '.leave', handler);
  }

  /** An event for all pages. @param {string} name @param {unknown} [data] */
  send(name, data) {
    for (const page of this) page.send(name, data);
  }

  /** Serves pages until the server ends the process. @returns {Promise<void>} */
  async run() {
    this.#connection.connect();
    await this.#ended;
    const ended = this.functions.hook('');
    if (ended) await this.functions.guarded(ended);
  }

  // -- what comes --

  /** @param {Message | null} message */
  #sort(message) {
    if (!message) return this.#finish();
    const page = this.#here.get(message.session);
    if (message.name === '.join') this.#join(message);
    else if (message.name === '.body') this.#takeBody(message);
    else if (this.#joining.has(message.session))
      this.#joining.delete(message.session); // .leave: its body will not come
    else if (page && message.name === '.leave') this.#leave(page);
    else if (page && (message.name === '.full' || message.name === '.ready'))
      page.noteFull(message.name === '.full');
    else if (page && !page.take(message)) this.#queue(page, message);
  }

  /** @param {SharedPage} page @param {Message} message */
  #queue(page, message) {
    this.#connection.noteUnheard(message.size);
    page.inbox.push(message);
  }

  #finish() {
    for (const page of this) this.#leave(page);
    this.functions.stopTimers();
    this.#end();
  }

  /** @param {Message} message */
  #join({ session, data }) {
    // Not before: until `.shared` has been heard, stdout is an answer.
    if (!this.#logged) leadStdoutToLog();
    this.#logged = true;
    if (data.body === null) this.#begin(session, data, Buffer.alloc(0));
    else this.#joining.set(session, { joined: data, parts: [] });
  }

  /** @param {Message} message */
  #takeBody({ session, data, bare }) {
    const joining = this.#joining.get(session);
    if (!bare) return void joining?.parts.push(data);
    this.#joining.delete(session);
    if (joining) this.#begin(session, joining.joined, Buffer.concat(joining.parts));
  }

  /** @param {string} id @param {Record<string, any>} joined @param {Buffer} body */
  #begin(id, joined, body) {
    const page = new SharedPage(this.#connection, joined, body, id);
    this.#here.set(id, page);
    void this.functions.guarded(() => this.#live(page));
  }

  /** @param {SharedPage} page */
  #leave(page) {
    this.#here.delete(page.id);
    page.endConversation();
    page.inbox.push(null);
  }

  // -- one page --

  /** @param {SharedPage} page */
  async #live(page) {
    await this.#make(page);
    for (;;) {
      await page.inbox.wait();
      const message = page.inbox.items.shift();
      if (!message) break;
      page.noteHeard(message.size);
      if (page.functions.knows(message)) await page.functions.dispatch(page, message);
      else await this.functions.dispatch(page, message, page);
    }
    page.functions.stopTimers();
    const left = this.functions.hook('.leave');
    if (left) await this.functions.guarded(() => left(page));
  }

  /** @param {SharedPage} page */
  async #make(page) {
    try {
      const html = await this.functions.hook('.join')?.(page);
      if (typeof html === 'string' || html instanceof Html || html instanceof Uint8Array)
        page.show(html);
      page.end();
    } catch (error) {
      if (error instanceof Refused) return;
      console.error(error);
      if (!page.answer.begun) page.answer.refuse(500, { message: 'the program failed' });
      page.end();
    }
  }
}

const VARIABLES = Object.freeze({
  method: 'REQUEST_METHOD',
  uri: 'REQUEST_URI',
  script: 'SCRIPT_NAME',
  pathInfo: 'PATH_INFO',
  query: 'QUERY_STRING',
  address: 'REMOTE_ADDR',
  type: 'CONTENT_TYPE',
});

/**
 * The request as CGI/1.1 would have told it.
 * @param {Record<string, any>} joined
 * @returns {NodeJS.ProcessEnv}
 */
function environmentOf(joined) {
  /** @type {NodeJS.ProcessEnv} */
  const environment = joined.scheme === 'https' ? { HTTPS: 'on' } : {};
  for (const [key, name] of Object.entries(VARIABLES))
    if (typeof joined[key] === 'string') environment[name] = joined[key];
  for (const [name, value] of Object.entries(joined.headers))
    environment[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`] = value;
  return environment;
}
