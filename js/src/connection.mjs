// SPDX-License-Identifier: MIT
// @ts-check
/** `ServerConnection`: the connection of this page, or of this script, to a program. */
import { Access } from './access/access.mjs';
import { Calls } from './session/calls.mjs';
import { Channels } from './streams/channels.mjs';
import { systemClock } from './base/clock.mjs';
import { hearDeveloper } from './dev.mjs';
import { Dom } from './dom/commands.mjs';
import { ServerConnectionError } from './base/errors.mjs';
import { Handlers } from './session/handlers.mjs';
import { followLife, ownScope } from './session/page-lifecycle.mjs';
import { Link } from './session/link.mjs';
import { Listening } from './events/listeners.mjs';
import {
  checkedOptions,
  domShut,
  isForeign,
  makeKey,
  originOf,
  webSocketUrl,
} from './connection-options.mjs';
import { ownNotes } from './access/expiring-store.mjs';
import { Outbox } from './session/outbox.mjs';
import { ProgramStream } from './streams/program-stream.mjs';
import { HandlerTarget, ServerEvent } from './base/handler-target.mjs';
import { updatePage } from './dom/updates.mjs';
import { upload } from './streams/upload.mjs';
import { formatEvent, formatProblem } from './proto/message.mjs';
import { CLOSE } from './proto/close-codes.mjs';

/** @typedef {import('./connection-options.mjs').ServerConnectionOptions} ServerConnectionOptions */

/** Bytes that telling a problem may take. */
const PROBLEM_SIZE = 1024;

/** What the lifecycle events carry. @typedef {import('./proto/close-codes.mjs').End & { undelivered: number }} CloseDetail */

/**
 * What the byte streams of a ServerConnection need of it: they are objects of their own.
 * @typedef {object} Inside
 * @property {Channels} channels
 * @property {string} url of ws or wss
 * @property {string | null} origin whose connection it is
 * @property {import('./access/expiring-store.mjs').Notes} notes
 * @property {import('./base/clock.mjs').Clock} clock
 */

/** @type {WeakMap<ServerConnection, Inside>} */
const insides = new WeakMap();

/** @param {ServerConnection} connection @returns {Inside} */
export function insideOf(connection) {
  return /** @type {Inside} */ (insides.get(connection));
}

/** Events of our own, which no program can send. */
const LIFECYCLE = new Set(['open', 'suspend', 'resume', 'close', 'error']);

/**
 * An event of the connection's own life. What `data` has is here too, so that `onclose = event => event.code` works
 * either way.
 */
export class ServerLifecycleEvent extends ServerEvent {
  /** A close code, or the stable code of an error. @returns {number | string | undefined} */
  get code() {
    return this.data.code;
  }
  /** @returns {string | undefined} */
  get reason() {
    return this.data.reason;
  }
  /** Seconds not to come back before, or null. @returns {number | null | undefined} */
  get retryAfter() {
    return this.data.retryAfter;
  }
  /** Of `close`: how many messages the program has not been known to take. @returns {number | undefined} */
  get undelivered() {
    return this.data.undelivered;
  }
  /** Of `error`, in words. @returns {string | undefined} */
  get message() {
    return this.data.message;
  }
}

/**
 * A connection to a program, which survives any number of dropped connections: what either side sends reaches the
 * other once and in order, until the session ends.
 *
 *     const c = new ServerConnection("/feed");
 *     c.onprice = (price, event) => show(price);
 *     c.send("watch", { symbol: "XYZ" });
 *     const answer = await c.call("buy", { shares: 3 }, { timeout: 5000 });
 *
 * Every event that the program sends is fired here under its own name, as a {@link ServerEvent}; `onNAME` gets its
 * data first. A listener that throws is reported like that of any EventTarget, and harms no other.
 *
 * Events of its own life, which no program can send (a program's event of such a name is refused and reported by
 * `error`, code `reserved-name`):
 *
 * - `open`: the program is reached, once in a session. Data: `{ session, resumed }`.
 * - `suspend`: the connection is lost and tried again by itself; what is sent meanwhile waits. Data: `{ code, reason,
 *   retryAfter }`.
 * - `resume`: it is back, nothing is lost. Data: `{ session }`.
 * - `close`: the session is over for good, once, and the last event. Data: `{ code, reason, retryAfter, undelivered }`.
 * - `error`: something went wrong that no caller was there for; the session goes on. Data: a {@link
 *   ServerConnectionError}.
 */
export class ServerConnection extends HandlerTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  static SUSPENDED = 4;

  #link;
  #outbox;
  #calls;
  #handlers;
  #listening;
  #dom;
  #options;
  #closing = false;
  #unfollow;

  /**
   * Connects to a program: that at `url`, newly started, or that which has made this page if options.session says so.
   * While this origin's pages are to stay away from there, it makes no connection: `close` is fired, with the code and
   * the reason of the refusal, and in `retryAfter` the seconds that remain.
   * @param {string | URL} url of http(s) or ws(s); relative to the document
   * @param {ServerConnectionOptions} [options]
   * @throws {ServerConnectionError} `bad-url`, `bad-option`
   */
  constructor(url, options = {}) {
    super();
    const checked = checkedOptions(options);
    const { clock = systemClock, session, scope = ownScope() } = checked;
    const push = this.#push.bind(this);
    this.#options = checked;
    this.#outbox = new Outbox(checked.buffer, clock.date);
    this.#calls = new Calls(push, clock, checked.streamBuffer);
    this.#handlers = new Handlers(this.#outbox, push);
    const whole = webSocketUrl(url);
    this.#listening = this.#listens(clock);
    this.#dom = new Dom(this.#commands(isForeign(whole)), domShut(checked, whole), (problem) =>
      this.#tell(problem),
    );
    const origin = originOf(checked, scope);
    const notes = checked.notes ?? ownNotes;
    const channels = new Channels(clock);
    insides.set(this, { channels, url: whole, origin, notes, clock });
    this.#link = new Link({
      url: whole,
      key: makeKey(),
      session: session ?? undefined,
      WebSocket: checked.WebSocket,
      webSocketOptions: checked.webSocketOptions,
      clock,
      outbox: this.#outbox,
      channels,
      access: new Access({
        url: whole,
        origin,
        notes,
        clock,
        fetch: checked.fetch,
        online: () => scope?.navigator?.onLine !== false,
      }),
      owner: { ...this.#listener(), control: (word, data) => hearDeveloper(word, data, whole) },
    });
    this.#unfollow = followLife(this.#link, scope);
    if (session === null)
      this.#link.end({ code: CLOSE.NO_PROGRAM, reason: 'no-session', retryAfter: null });
    else this.#link.connect();
  }

  /**
   * CONNECTING 0 (never open yet), OPEN 1, CLOSING 2, CLOSED 3, SUSPENDED 4 (was open, and will be).
   * @returns {number}
   */
  get readyState() {
    const { state } = this.#link;
    if (state === 'ENDED') return ServerConnection.CLOSED;
    if (this.#closing) return ServerConnection.CLOSING;
    if (state === 'OPEN') return ServerConnection.OPEN;
    return this.#link.welcome ? ServerConnection.SUSPENDED : ServerConnection.CONNECTING;
  }

  /** The session's id, or null before it is known. Whoever has it can read along: it belongs in no URL and no log. */
  get sessionId() {
    return this.#link.session;
  }

  /** Bytes that were sent here and that the program is not known to have taken. */
  get bufferedAmount() {
    return this.#outbox.held;
  }

  /**
   * Sends an event. It is delivered once and in order, now or when the connection is back.
   * @param {string} name 1 to 128 of `A-Z a-z 0-9 _ - : / .`, no dot first
   * @param {any} [data] anything JSON has, or bytes (ArrayBuffer and its views), which are copied
   * @throws {ServerConnectionError} at once, and nothing is sent: `bad-name`, `unsendable`, `too-large`,
   *   `buffer-full`, `closed`
   */
  send(name, data) {
    this.#push(formatEvent(name, data));
  }

  /**
   * Calls the program. Rejects with a {@link ServerConnectionError}: `remote` if the program answers with an error,
   * `timeout`, `aborted`, `several-answers`, `closed` if the session ends before, or for what send() would throw. A
   * call outlives dropped connections.
   * @param {string} name
   * @param {any} [data]
   * @param {import('./session/calls.mjs').CallOptions} [options] `timeout` in milliseconds (none unless given), `signal`
   * @returns {Promise<any>} the program's answer
   */
  call(name, data, options) {
    return this.#calls.call(name, data, options);
  }

  /**
   * Calls the program, which gives several answers: `for await (const part of c.stream("NAME", data))`. Leaving the
   * loop gives the call up. Throws in the loop what call() rejects with; `timeout` is the time from one answer to the
   * next, and `overrun` says that more than `streamBuffer` bytes of answers were not read.
   * @param {string} name
   * @param {any} [data]
   * @param {import('./session/calls.mjs').CallOptions} [options]
   * @returns {AsyncIterableIterator<any>}
   * @throws {ServerConnectionError} at once, for what send() would throw
   */
  stream(name, data, options) {
    return this.#calls.stream(name, data, options);
  }

  /**
   * Answers the program's calls of that name. The function gets the data and `{ name, signal }`; the signal is
   * aborted when the session ends. It returns the answer, a promise of it, or an async iterable (such as an async
   * generator) of several. What it throws is the program's error. A call that nobody handles is answered by the error
   * `no handler for NAME`.
   * @param {string} name
   * @param {import('./session/handlers.mjs').Handler | null} handler takes the place of the one before; null takes it away
   * @throws {ServerConnectionError} `bad-name`, `bad-option`
   */
  handle(name, handler) {
    this.#handlers.set(name, handler);
  }

  /**
   * Opens a byte stream to the program, which must accept it (docs/page-programs.md).
   * @param {string} name 1 to 128 of `A-Z a-z 0-9 _ - : / .`, no dot first
   * @param {import('./streams/program-stream.mjs').ProgramStreamOptions} [options] `data`, `signal`
   * @throws {ServerConnectionError} at once: `bad-name`, `unsendable`, `closed`
   */
  openStream(name, options = {}) {
    this.#checkOpen();
    return new ProgramStream(insideOf(this), name, options);
  }

  /**
   * Sends a file or another Blob to the program, as fast as that reads, over any number of dropped connections.
   * @param {string} name of the stream
   * @param {Blob} blob
   * @param {import('./streams/upload.mjs').UploadOptions} [options] `data`, `signal`, `progress`
   * @returns {Promise<any>} what the program said of it when it accepted; fulfilled when everything has arrived. Rejects
   *   with a {@link ServerConnectionError}: `stream-failed`, `aborted`, or what openStream() throws
   */
  async upload(name, blob, options = {}) {
    this.#checkOpen();
    return upload(insideOf(this), name, blob, options);
  }

  /**
   * Ends the session: delivers what is queued (for at most `closeTimeout`), tells the program, and fires `close`.
   * Sending throws from now on, and calls of the program get no more answers.
   * @param {string} [reason] for the program
   */
  close(reason = 'closed') {
    if (this.#closing) return;
    this.#closing = true;
    this.#handlers.close();
    this.#listening.close();
    this.#link.finish(String(reason), this.#options.closeTimeout);
  }

  #checkOpen() {
    if (this.#closing || this.#link.state === 'ENDED') throw closedError();
  }

  /** @param {import('./session/outbox.mjs').Entry} message */
  #push(message) {
    this.#checkOpen();
    const most = this.#link.welcome?.maxMessage ?? Infinity;
    if (message.size > most) throw tooLarge(message.size, most);
    this.#outbox.push(message);
    this.#link.flush();
  }

  /** What the link tells. @returns {import('./session/link.mjs').Owner} */
  #listener() {
    return {
      welcomed: (welcome, first) => this.#welcomed(welcome, first),
      lost: (end, wasOpen) => this.#lost(end, wasOpen),
      ended: (end) => this.#ended(end),
      message: (message, size) => this.#take(message, size),
    };
  }

  /** @param {import('./proto/welcome.mjs').Welcome} welcome @param {boolean} first */
  #welcomed(welcome, first) {
    for (const { size, refused } of this.#outbox.withdraw(welcome.maxMessage)) {
      const error = tooLarge(size, welcome.maxMessage);
      if (refused) refused(error);
      else this.#report(error);
    }
    if (first) this.#fire('open', { session: welcome.session, resumed: welcome.resumed });
    else if (!this.#closing) this.#fire('resume', { session: welcome.session });
  }

  /** @param {import('./proto/close-codes.mjs').End} end @param {boolean} wasOpen */
  #lost(end, wasOpen) {
    if (this.#closing) return;
    if (wasOpen) return this.#fire('suspend', end);
    const what = `no connection: ${end.code} ${end.reason}`.trimEnd();
    this.#report(new ServerConnectionError('connect-failed', what, { data: end }));
  }

  /** @param {import('./proto/close-codes.mjs').End} end */
  #ended(end) {
    this.#unfollow?.();
    this.#handlers.close();
    this.#listening.close();
    this.#calls.close(closedError(end));
    if (!this.#link?.welcome && this.#options.recover?.(end)) return;
    // Not before whoever has made this object has had the time to listen.
    queueMicrotask(() => this.#fire('close', { ...end, undelivered: this.#outbox.undelivered }));
  }

  /** @param {import('./proto/message.mjs').SequencedMessage} message @param {number} size */
  #take(message, size) {
    if (message.kind === 'event') this.#event(message.name, message.data);
    else if (message.kind === 'command') this.#dom.take(message);
    else if (message.kind === 'call') this.#handlers.serve(message);
    else if (!this.#calls.take(message, size))
      this.#report(
        new ServerConnectionError(
          'unknown-call',
          `an answer to call ${message.call}, which was never made`,
        ),
      );
  }

  /** What the program may want of the page. @param {boolean} foreign whether it is of another origin */
  #commands(foreign) {
    /** @type {Record<string, import('./dom/commands.mjs').Command>} */
    const commands = Object.create(null);
    commands.dom = (data) =>
      updatePage(data, foreign, (problem) => this.#dom.problem('dom', problem));
    commands.listen = (data) => this.#listening.listen(data);
    commands.unlisten = (data) => this.#listening.unlisten(data);
    return commands;
  }

  /** What the program hears of the page. @param {import('./base/clock.mjs').Clock} clock */
  #listens(clock) {
    return new Listening({
      clock,
      send: (name, data, more) => this.#push({ ...formatEvent(name, data), ...more }),
      room: () => this.#outbox.room(PROBLEM_SIZE),
      problem: (command, error) => this.#dom.problem(command, error),
      upload: (name, file, data) => this.upload(name, file, { data }),
    });
  }

  /** What the program wanted could not be done. @param {{ command: string, message: string }} problem */
  #tell(problem) {
    try {
      this.#push(formatProblem(problem));
    } catch (error) {
      this.#report(/** @type {ServerConnectionError} */ (error));
    }
  }

  /** @param {string} name @param {any} data */
  #event(name, data) {
    if (!LIFECYCLE.has(name)) return void this.dispatchEvent(new ServerEvent(name, data));
    this.#report(
      new ServerConnectionError('reserved-name', `the program sent an event '${name}'`, { data }),
    );
  }

  /** @param {ServerConnectionError} error */
  #report(error) {
    this.#fire('error', error);
  }

  /** @param {string} name @param {any} detail */
  #fire(name, detail) {
    this.dispatchEvent(new ServerLifecycleEvent(name, Object.freeze(detail)));
  }
}

/** @param {import('./proto/close-codes.mjs').End} [end] */
function closedError(end) {
  const why = end
    ? `the session is over: ${end.code} ${end.reason}`.trimEnd()
    : 'the connection is closed';
  return new ServerConnectionError('closed', why, { data: end });
}

/** @param {number} size @param {number} most */
function tooLarge(size, most) {
  return new ServerConnectionError(
    'too-large',
    `${size} bytes; the server takes ${most} in one message`,
  );
}
