// SPDX-License-Identifier: MIT
// @ts-check
/** The page of a program of its own. */
import { Answer, leadStdoutToLog, putOnStdout } from './answer.mjs';
import { Connection } from './connection.mjs';
import { Functions } from './functions.mjs';
import { Queue } from './queue.mjs';
import { Request } from './request.mjs';
import { AnsweredPage } from './answered-page.mjs';

/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./functions.mjs').Handler} Handler
 * @typedef {import('./queue.mjs').Room} Room
 */

/** What the page sent, where the program reads it itself. A call wants answer(), or fail(). */
export class PageEvent {
  #post;
  #number;

  /**
   * @param {(head: string, data: unknown) => Room} post
   * @param {Message} message
   * @param {boolean} [resent]
   */
  constructor(post, message, resent = false) {
    /** A process before this one may have seen it. */
    this.resent = resent;
    this.#post = post;
    this.#number = message.call;
    this.name = message.name;
    this.data = message.data;
    this.call = message.kind === 'call';
  }

  /** @param {unknown} [data] */
  answer(data) {
    return this.#post(`=${this.#number}`, data);
  }

  /** One of several answers; answer() ends them. @param {unknown} data */
  part(data) {
    return this.#post(`+${this.#number}`, data ?? null);
  }

  /** @param {string} message @param {Record<string, unknown>} [more] */
  fail(message, more) {
    return this.#post(`!${this.#number}`, { message, ...more });
  }
}

/**
 * The page that this program has made. Functions may be async; events are heard one after the
 * other, calls are answered side by side.
 */
export class Page extends AnsweredPage {
  #connection;
  /** @type {Queue<Message | null>} */
  #queue = new Queue();

  /** @param {{ fd?: number, environment?: NodeJS.ProcessEnv }} [where] */
  constructor({ fd, environment = process.env } = {}) {
    const direct = environment.HTTPSOCKET_CONNECT === '1';
    const connection = new Connection(fd ?? Number(environment.HTTPSOCKET_FD ?? -1), (message) =>
      this.#sort(message),
    );
    super(connection, new Functions(), '', {
      request: new Request(environment),
      direct,
      isRestored: environment.HTTPSOCKET_RESTORE === '1',
      session: environment.HTTPSOCKET_SESSION ?? '',
      answer: new Answer(direct, putOnStdout, leadStdoutToLog),
    });
    this.#connection = connection;
  }

  /**
   * Answers with this status instead of a page, and ends the program. 401 keeps the
   * client's scripts away from here for a minute, or for `retry` seconds; `path` says from
   * where down. With `realm` a browser asks its user for a name and a password, which are
   * the header `authorization` next time.
   * @param {number} [status]
   * @param {import('./answer.mjs').RefusalOptions} [options]
   * @returns {never}
   */
  refuse(status = 401, options = {}) {
    this.answer.refuse(status, options);
    process.exit(0);
  }

  /**
   * Is asked for each TCPConnection of the page that DNS allows ({host, port, secure}); gives
   * whether it may be. A number refuses for so many seconds.
   * @param {(target: { host: string, port: number, secure: boolean }) => boolean | number |
   *   Promise<boolean | number>} handler
   * @returns {this}
   */
  consentTcp(handler) {
    this.functions.keep('system', '.tcp', async (target) => {
      const verdict = await handler(target);
      return this.post('.tcp', {
        id: target.id,
        allow: verdict === true,
        ...(typeof verdict === 'number' && { retryAfter: verdict }),
      });
    });
    this.post('.tcp', { ask: true });
    return this;
  }

  /**
   * Calls the functions until the session is over. One that throws is
   * reported, and the others go on.
   * @returns {Promise<void>}
   */
  async run() {
    for await (const message of this.#messages()) await this.functions.dispatch(this, message);
  }

  /**
   * Events and calls for which there is no function, until the session is over.
   * @returns {AsyncGenerator<PageEvent, void, void>}
   */
  async *[Symbol.asyncIterator]() {
    for await (const message of this.#messages()) {
      if (message.kind === 'system' || message.problem || this.functions.knows(message))
        await this.functions.dispatch(this, message);
      else yield* this.#read(message);
    }
  }

  /** @param {Message} message @returns {Generator<PageEvent, void, void>} */
  *#read(message) {
    const resent = this.saving.isResent(message);
    let asked = false;
    this.saving.reads(message);
    try {
      yield new PageEvent((head, data) => this.post(head, data), message, resent);
      asked = true;
    } finally {
      this.saving.hasRead(message, asked);
    }
  }

  /** @returns {AsyncGenerator<Message, void, void>} */
  async *#messages() {
    this.#connection.connect();
    for (;;) {
      await this.#queue.wait();
      const message = this.#queue.items.shift();
      if (!message) break;
      this.noteHeard(message.size);
      yield message;
    }
    const ended = this.functions.hook('');
    if (ended) await this.functions.guarded(ended);
  }

  /** @param {Message | null} message */
  #sort(message) {
    if (!message) {
      this.endConversation();
      this.functions.stopTimers();
    } else if (this.take(message)) {
      return;
    } else {
      this.#connection.noteUnheard(message.size);
    }
    this.#queue.push(message);
  }
}
