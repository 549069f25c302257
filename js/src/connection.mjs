// SPDX-License-Identifier: MIT
// @ts-check
/** `ServerConnection`: the connection of a page, or of a script, to a program. */
import { LateAccess } from './access/late-access.mjs';
import { Calls } from './session/calls.mjs';
import { CLOSE } from './proto/close-codes.mjs';
import { systemClock } from './base/clock.mjs';
import { isForDeveloper, tellDeveloper } from './developing.mjs';
import { DomCommands } from './dom/commands.mjs';
import { DomProblem } from './dom/problem.mjs';
import { ServerConnectionError } from './base/errors.mjs';
import { describeFile } from './base/file-info.mjs';
import { Handlers } from './session/handlers.mjs';
import { followPageLifecycle, globalScope, whenShown } from './session/page-lifecycle.mjs';
import { loadPart, partHere } from './base/parts.mjs';
import {
  checkedOptions,
  domRefusal,
  isForeign,
  makeKey,
  originOf,
  webSocketUrl,
} from './connection-options.mjs';
import { LateChannels } from './streams/late-channels.mjs';
import { MessageQueue } from './session/message-queue.mjs';
import { Outbox } from './session/outbox.mjs';
import { RestoringLink } from './session/restoring-link.mjs';
import { ProgramStream } from './streams/program-stream.mjs';
import { HandlerTarget, ServerEvent } from './base/handler-target.mjs';
import { checkedName, formatEvent, formatProblem, parseableJson } from './proto/message.mjs';

/** @typedef {import('./base/parts.mjs').PartName} PartName */
/** @typedef {import('./connection-options.mjs').ServerConnectionOptions} ServerConnectionOptions */

/** How much room the report of a problem may take, in bytes. */
const PROBLEM_SIZE = 1024;
/** How long a session that is over waits for a part of the client. */
const PART_AT_END_MS = 5000;
/**
 * By its word: the part of the client that a command needs.
 * @type {Record<string, PartName>}
 */
const PART_OF = Object.freeze({ dom: 'dom', listen: 'events', unlisten: 'events' });
/** What answers a call of the page. */
const ANSWER_KINDS = Object.freeze(['answer', 'part', 'failure']);

/**
 * The data of the lifecycle events.
 * @typedef {import('./proto/close-codes.mjs').End & { undelivered: number }} CloseDetail
 */

/**
 * What the byte streams of a ServerConnection, which are objects of their own, need of it.
 * @typedef {object} Internals
 * @property {LateChannels} channels
 * @property {string} url of ws or wss
 * @property {string | null} origin that the connection is made for
 * @property {import('./access/expiring-store.mjs').ExpiringStore} [store] where bans are kept, if
 *   not where all pages keep them
 * @property {import('./base/clock.mjs').Clock} clock
 */

/** @type {WeakMap<ServerConnection, Internals>} */
const internals = new WeakMap();

/** @param {ServerConnection} connection @returns {Internals} */
export function internalsOf(connection) {
  return /** @type {Internals} */ (internals.get(connection));
}

/** Events of the connection itself, which no program can send. */
const LIFECYCLE = new Set(['open', 'suspend', 'resume', 'restore', 'close', 'error']);

/**
 * An event of the connection itself. The fields of `data` are fields of the event too, so that
 * `onclose = event => event.code` works as well as `onclose = data => data.code`.
 */
export class ServerLifecycleEvent extends ServerEvent {
  /** A close code, or the code of an error. @returns {number | string | undefined} */
  get code() {
    return this.data.code;
  }
  /** @returns {string | undefined} */
  get reason() {
    return this.data.reason;
  }
  /** Seconds to wait before the next connection, or null. @returns {number | null | undefined} */
  get retryAfter() {
    return this.data.retryAfter;
  }
  /**
   * Of `close`: how many messages the program is not known to have received.
   * @returns {number | undefined}
   */
  get undelivered() {
    return this.data.undelivered;
  }
  /** Of `error`: what has gone wrong, in words. @returns {string | undefined} */
  get message() {
    return this.data.message;
  }
}

/**
 * A connection to a program. It survives any number of dropped connections: whatever either side
 * sends reaches the other once and in order, until the session ends.
 *
 *     const c = new ServerConnection("/feed");
 *     c.onprice = (price, event) => show(price);
 *     c.send("watch", { symbol: "XYZ" });
 *     const answer = await c.call("buy", { shares: 3 }, { timeout: 5000 });
 *
 * Every event of the program is fired here under its own name, as a {@link ServerEvent}; `onNAME`
 * gets its data first. A listener that throws is reported, as with any EventTarget, and does not
 * affect the others.
 *
 * The connection has events of its own, which no program can send. If a program sends an event of
 * such a name, it is dropped and reported by `error`, code `reserved-name`.
 *
 * - `open`: the program is reached; once in a session. Data: `{ session, resumed }`.
 * - `suspend`: the connection is lost, and reconnects by itself; messages wait meanwhile. Data: `{
 *   code, reason, retryAfter }`; with `restoring: true` the session is over, and another process of
 *   the program is to go on from the state that it has saved.
 * - `resume`: the connection is back, and nothing is lost. Data: `{ session }`.
 * - `restore`: another process has gone on from the state. Data: `{ session, why, resent }`.
 * - `close`: the session is over; once, and the last event. Data: `{ code, reason, retryAfter,
 *   undelivered }`. Of `document.serverConnection` it may be prevented: then the page does nothing
 *   by itself.
 * - `error`: something has gone wrong, and no caller is there to be told; the session goes on.
 *   Data: a {@link ServerConnectionError}.
 */
export class ServerConnection extends HandlerTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  static SUSPENDED = 4;

  #link;
  #access;
  #outbox;
  #calls;
  #handlers;
  /**
   * Null: the program has said no listener yet.
   * @type {import('./events/listeners.mjs').DomListeners | null}
   */
  #listeners = null;
  /**
   * Null: the program has not changed the page yet.
   * @type {import('./dom/updates.mjs').PageUpdates | null}
   */
  #updates = null;
  #domCommands;
  /** The events that somebody has listened to. @type {Set<string>} */
  #listened = new Set();
  /** What the program has said, and is not heard yet. */
  #messages = new MessageQueue();
  /** The part of the client that a command waits for. @type {PartName | null} */
  #awaited = null;
  /** Whether commands that need a part which is not here are left out. */
  #hasGivenUp = false;
  /** Goes on without the part that is waited for. */
  #goOn = () => {};
  #options;
  #closing = false;
  #unfollow;

  /**
   * Connects to a program: with options.session to the program that has made this page, otherwise
   * to a new run of the program at `url`. While a ban is in force, no connection is made: `close`
   * is fired with the code and the reason of the refusal, and with the seconds that remain in
   * `retryAfter`.
   * @param {string | URL} url of http(s) or ws(s), relative to the document
   * @param {ServerConnectionOptions} [options]
   * @throws {ServerConnectionError} `bad-url`, `bad-option`
   */
  constructor(url, options = {}) {
    super();
    const checked = checkedOptions(options);
    const { clock = systemClock, session, scope = globalScope() } = checked;
    const push = this.#push.bind(this);
    this.#options = checked;
    this.#outbox = new Outbox(checked.buffer, clock.date);
    this.#calls = new Calls(push, clock, checked.streamBuffer);
    this.#handlers = new Handlers(this.#outbox, push);
    const whole = webSocketUrl(url);
    if (checked.early) checked.early.submits.onnotsent = () => this.#reportNotSent();
    this.#domCommands = new DomCommands(
      this.#makeCommands(isForeign(whole), clock),
      domRefusal(checked, whole),
      (problem) => this.#reportProblem(problem),
    );
    const origin = originOf(checked, scope);
    const { store } = checked;
    const channels = new LateChannels(clock);
    internals.set(this, { channels, url: whole, origin, store, clock });
    this.#access = new LateAccess({
      url: whole,
      origin,
      store,
      clock,
      fetch: checked.fetch,
      online: () => scope?.navigator?.onLine !== false,
    });
    this.#link = new RestoringLink({
      url: whole,
      makeKey,
      session: session ?? undefined,
      WebSocket: checked.WebSocket,
      webSocketOptions: checked.webSocketOptions,
      clock,
      outbox: this.#outbox,
      channels,
      access: this.#access,
      owner: {
        ...this.#linkOwner(),
        control: (word, data) => {
          if (isForDeveloper(word, whole)) tellDeveloper(word, data, whole);
        },
      },
    });
    this.#messages.oncaughtup = () => this.#link.acknowledge();
    this.#unfollow = followPageLifecycle(this.#link, scope, () => this.#listeners?.flush());
    if (session === null)
      this.#link.end({ code: CLOSE.NO_PROGRAM, reason: 'no-session', retryAfter: null });
    else whenShown(scope?.document, () => this.#access.whenKnown(() => this.#link.connect()));
  }

  /**
   * CONNECTING 0 (never open yet), OPEN 1, CLOSING 2, CLOSED 3, SUSPENDED 4 (connection lost,
   * reconnects by itself).
   * @returns {number}
   */
  get readyState() {
    if (this.#link.isOver) return ServerConnection.CLOSED;
    if (this.#closing) return ServerConnection.CLOSING;
    if (this.#link.isOpen) return ServerConnection.OPEN;
    return this.#link.welcome ? ServerConnection.SUSPENDED : ServerConnection.CONNECTING;
  }

  /**
   * The session's id, or null before it is known. The id is a secret: whoever has it can read
   * along, so keep it out of URLs and logs.
   */
  get sessionId() {
    return this.#link.session;
  }

  /** Bytes that were sent here and that the program is not known to have received. */
  get bufferedAmount() {
    return this.#outbox.held;
  }

  /**
   * @param {string} name
   * @param {import('./base/handler-target.mjs').Listener} listener
   * @param {boolean | AddEventListenerOptions} [options]
   * @override
   */
  addEventListener(name, listener, options) {
    super.addEventListener(name, listener, options);
    this.#listened.add(name);
    this.#options.unheard?.listened();
  }

  /**
   * Sends an event. The event is delivered once and in order, now or when the connection is back.
   * @param {string} name 1 to 128 of `A-Z a-z 0-9 _ - : / .`, no dot first
   * @param {any} [data] anything JSON has, or bytes (ArrayBuffer and its views), which are copied
   * @throws {ServerConnectionError} at once, and nothing is sent: `bad-name`, `unsendable`,
   *   `too-large`, `buffer-full`, `closed`
   */
  send(name, data) {
    this.#push(formatEvent(name, data));
  }

  /**
   * Calls the program. Rejects with a {@link ServerConnectionError}: `remote` if the program
   * answers with an error, `timeout`, `aborted`, `several-answers`, `closed` if the session ends
   * before the answer, or whatever send() would throw. A call survives dropped connections.
   * @param {string} name
   * @param {any} [data]
   * @param {import('./session/calls.mjs').CallOptions} [options] `timeout` in milliseconds (by
   *   default none), `signal`
   * @returns {Promise<any>} the program's answer
   */
  call(name, data, options) {
    return this.#calls.call(name, data, options);
  }

  /**
   * Calls a program that gives several answers: `for await (const part of c.stream("NAME", data))`.
   * Leaving the loop gives up the call. The loop throws what call() rejects with. `timeout` is the
   * time from one answer to the next; `overrun` says that more than `streamBuffer` bytes of answers
   * were not read.
   * @param {string} name
   * @param {any} [data]
   * @param {import('./session/calls.mjs').CallOptions} [options]
   * @returns {AsyncIterableIterator<any>}
   * @throws {ServerConnectionError} at once: whatever send() would throw
   */
  stream(name, data, options) {
    return this.#calls.stream(name, data, options);
  }

  /**
   * Answers the program's calls of that name. The function gets the data and `{ name, signal }`.
   * The signal is aborted when the session ends. The function returns the answer, a promise of the
   * answer, or an async iterable of several answers (such as an async generator). If it throws, the
   * program gets the error. A call without a handler is answered by the error `no handler for
   * NAME`.
   * @param {string} name
   * @param {import('./session/handlers.mjs').Handler | null} handler replaces the previous one;
   *   null removes it
   * @throws {ServerConnectionError} `bad-name`, `bad-option`
   */
  handle(name, handler) {
    this.#handlers.set(name, handler);
    this.#options.unheard?.listened();
  }

  /**
   * Opens a byte stream to the program. The program has to accept it
   * (docs/page-programs/streams.md).
   * @param {string} name 1 to 128 of `A-Z a-z 0-9 _ - : / .`, no dot first
   * @param {import('./streams/program-stream.mjs').ProgramStreamOptions} [options] `data`, `signal`
   * @throws {ServerConnectionError} at once: `bad-name`, `unsendable`, `closed`
   */
  openStream(name, options = {}) {
    this.#checkOpen();
    return new ProgramStream(internalsOf(this), name, options);
  }

  /**
   * Sends a file or another Blob to the program, as fast as the program reads. The upload survives
   * dropped connections, and begins again if another process takes the place of the program's.
   * @param {string} name of the stream
   * @param {Blob} blob
   * @param {import('./streams/upload.mjs').UploadOptions} [options] `data`, `signal`, `progress`
   * @returns {Promise<any>} the data that the program accepted it with; fulfilled when everything
   *   has arrived. Rejects with a {@link ServerConnectionError}: `stream-failed`, `aborted`, or
   *   whatever openStream() throws
   */
  async upload(name, blob, options = {}) {
    checkedName(name);
    const { data = describeFile(blob) } = options;
    const told = { ...options, data: parseableJson(data) };
    for (;;) {
      this.#checkOpen();
      const part = partHere('streams') ?? (await loadPart('streams'));
      this.#checkOpen();
      const { sessionId } = this;
      try {
        return await part.upload(internalsOf(this), name, blob, told);
      } catch (error) {
        const isOver = this.#link.isRestoring || sessionId !== this.sessionId;
        if (!isOver || /** @type {any} */ (error).code !== 'stream-failed') throw error;
      }
    }
  }

  /**
   * Ends the session: delivers what is queued (for at most `closeTimeout`), tells the program, and
   * fires `close`. From now on sending throws, and the program's calls are not answered.
   * @param {string} [reason] told to the program
   */
  close(reason = 'closed') {
    if (this.#closing) return;
    this.#listeners?.flush();
    this.#closing = true;
    this.#handlers.close();
    this.#stopListening();
    this.#link.finish(String(reason), this.#options.closeTimeout);
  }

  #checkOpen() {
    if (this.#closing || this.#link.isOver) throw closedError();
  }

  /** @param {import('./session/outbox.mjs').Entry} message */
  #push(message) {
    this.#checkOpen();
    const most = this.#link.welcome?.maxMessage ?? Infinity;
    if (message.size > most) throw tooLarge(message.size, most);
    this.#outbox.push(message);
    this.#link.flush();
  }

  /**
   * What the link tells this connection.
   * @returns {import('./session/restoring-link.mjs').RestoringOwner}
   */
  #linkOwner() {
    return {
      welcomed: (welcome, first) => this.#welcomed(welcome, first),
      lost: (end, wasOpen) => this.#lost(end, wasOpen),
      limited: (welcome) => this.#limited(welcome),
      restoring: (end) => this.#restoring(end),
      restored: (restoration) => this.#restored(restoration),
      ended: (end, wasRestoring) => this.#ended(end, wasRestoring),
      message: (message, size) => {
        const { kind } = message;
        const word = kind === 'command' && message.word;
        if (word && this.#awaited) this.#foresee(PART_OF[word]);
        const run = () => this.#take(message, size);
        this.#messages.take({ size, kind, changes: word === 'dom', run });
      },
      isBehind: () => this.#messages.isMuch,
    };
  }

  /** @param {import('./proto/welcome.mjs').Welcome} welcome */
  #limited(welcome) {
    for (const { size, refused } of this.#outbox.removeLargerThan(welcome.maxMessage)) {
      const error = tooLarge(size, welcome.maxMessage);
      if (refused) refused(error);
      else this.#report(error);
    }
  }

  /** @param {import('./proto/welcome.mjs').Welcome} welcome @param {boolean} first */
  #welcomed(welcome, first) {
    if (first) this.#options.early?.opened();
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

  /**
   * Another process takes the place of the program's: it knows nothing of what that one asked, and
   * listens anew. What the old one has said, and waits, is carried out before.
   * @param {import('./proto/close-codes.mjs').End} end
   */
  #restoring(end) {
    this.#messages.hurry();
    // Nobody waits for the answers to what the old process has asked.
    this.#messages.remove(({ kind }) => kind === 'call');
    for (const { run } of this.#messages.remove(({ kind }) => ANSWER_KINDS.includes(kind))) run();
    this.#handlers.beginAgain();
    this.#calls.beginAgain(closedError(end));
    const run = () => this.#listeners?.beginAgain();
    this.#messages.take({ size: 0, kind: 'again', run });
    this.#fire('suspend', { ...end, restoring: true });
  }

  /** @param {import('./session/restoring-link.mjs').Restoration} restoration */
  #restored({ why, resent }) {
    this.#messages.take({ size: 0, kind: 'begun', run: () => this.#listeners?.begun() });
    this.#fire('restore', { session: this.sessionId, why, resent });
  }

  /**
   * The session is over. What the program has said before comes first.
   * @param {import('./proto/close-codes.mjs').End} end @param {boolean} wasRestoring
   */
  #ended(end, wasRestoring) {
    this.#messages.hurry();
    if (this.#access.pending && !this.#messages.isHeld) {
      this.#goOn = this.#messages.hold();
      this.#access.pending.then(this.#goOn);
    }
    if (this.#messages.isHeld) internalsOf(this).clock.setTimeout(this.#giveUp, PART_AT_END_MS);
    const run = () => this.#over(end, wasRestoring);
    this.#messages.take({ size: 0, kind: 'end', run });
  }

  /** @param {import('./proto/close-codes.mjs').End} end @param {boolean} wasRestoring */
  #over(end, wasRestoring) {
    this.#unfollow?.();
    this.#handlers.close();
    this.#stopListening();
    this.#calls.close(closedError(end));
    const opened = Boolean(this.#link?.welcome);
    this.#options.ends?.({ opened, byPage: this.#closing, restoring: wasRestoring });
    if (!opened && this.#options.recover?.(end)) return;
    // Not at once: the maker of this object has had no time to listen yet.
    queueMicrotask(() => this.#fire('close', { ...end, undelivered: this.#outbox.undelivered }));
  }

  #stopListening() {
    this.#listeners?.close();
    if (!this.#listeners) this.#options.early?.over();
  }

  /** @param {import('./proto/message.mjs').SequencedMessage} message @param {number} size */
  #take(message, size) {
    this.#listeners?.heard();
    if (message.kind === 'event') this.#event(message.name, message.data);
    else if (message.kind === 'command') this.#domCommands.run(message);
    else if (message.kind === 'call')
      this.#whenHeard(
        () => this.#handlers.has(message.name),
        () => void this.#handlers.serve(message),
      );
    else if (!this.#calls.take(message, size))
      this.#report(
        new ServerConnectionError(
          'unknown-call',
          `an answer to call ${message.call}, which was never made`,
        ),
      );
  }

  /**
   * The commands that a program may send to its page.
   * @param {boolean} foreign whether the program is of another origin
   * @param {import('./base/clock.mjs').Clock} clock
   */
  #makeCommands(foreign, clock) {
    /** @type {Record<string, import('./dom/commands.mjs').Command>} */
    const commands = Object.create(null);
    commands.dom = (data) =>
      this.#withPart('dom', 'dom', (part) => {
        this.#updates ??= part.makeUpdates(this.#messages, foreign, (/** @type {any} */ problem) =>
          this.#domCommands.problem('dom', problem),
        );
        const change = () => this.#updates?.take(data);
        if (this.#listeners) this.#listeners.changing(change);
        else change();
      });
    for (const word of /** @type {const} */ (['listen', 'unlisten']))
      commands[word] = (data) => {
        if (!partHere('events')) this.#options.early?.submits.coming();
        this.#withPart('events', word, (part) => {
          if (this.#closing || this.#link.isOver) return;
          this.#listeners ??= part.makeListeners(this.#listenersOwner(clock));
          this.#listeners?.[word](data);
        });
      };
    return commands;
  }

  /**
   * Runs a command when the part of the client that it needs is here. What the program says
   * meanwhile waits.
   * @param {PartName} name @param {string} word of the command
   * @param {(part: any) => void} run
   */
  #withPart(name, word, run) {
    const part = partHere(name);
    if (part) return run(part);
    if (this.#hasGivenUp) return;
    const release = (this.#goOn = this.#messages.hold());
    this.#awaited = name;
    loadPart(name)
      .then((part) => {
        if (!this.#hasGivenUp) run(part);
      })
      .catch((error) => {
        this.#domCommands.problem(word, new DomProblem(error.message, error.more));
        if (!partHere(name)) this.#report(error);
        if (name === 'events') this.#options.early?.submits.opened();
      })
      .finally(() => {
        this.#awaited = null;
        release();
      });
  }

  /** A command waits behind another one: what it needs comes meanwhile. @param {PartName} name */
  #foresee(name) {
    if (name !== this.#awaited && !partHere(name)) loadPart(name).catch(() => {}); // told later
  }

  #giveUp = () => {
    this.#hasGivenUp = true;
    this.#goOn();
  };

  /**
   * What the listeners of the program in this page need.
   * @param {import('./base/clock.mjs').Clock} clock
   * @returns {import('./events/listeners.mjs').ListenersOwner}
   */
  #listenersOwner(clock) {
    return {
      clock,
      send: (name, data, more) => this.#push({ ...formatEvent(name, data), ...more }),
      whenRoom: () => this.#outbox.whenRoom(PROBLEM_SIZE),
      problem: (command, error) => this.#domCommands.problem(command, error),
      upload: (name, file, data) => this.upload(name, file, { data }),
      early: this.#options.early ?? null,
    };
  }

  /**
   * Tells the program what could not be done.
   * @param {{ command: string, message: string }} problem
   */
  #reportProblem(problem) {
    try {
      this.#push({ ...formatProblem(problem), mortal: true });
    } catch (error) {
      this.#report(/** @type {ServerConnectionError} */ (error));
    }
  }

  /** A form was submitted that only the program could have heard. */
  #reportNotSent() {
    const why = "a form was not sent: no program hears it, and its fields don't belong into a URL";
    this.#report(new ServerConnectionError('not-sent', why));
  }

  /** @param {string} name @param {any} data */
  #event(name, data) {
    if (!LIFECYCLE.has(name))
      return this.#whenHeard(
        () => this.#listened.has(name),
        () => void this.dispatchEvent(new ServerEvent(name, data)),
      );
    this.#report(
      new ServerConnectionError('reserved-name', `the program sent an event '${name}'`, { data }),
    );
  }

  /** @param {() => boolean} isHeard @param {() => void} run */
  #whenHeard(isHeard, run) {
    const { unheard } = this.#options;
    if (unheard) unheard.take(this.#messages, isHeard, run);
    else run();
  }

  /** @param {ServerConnectionError} error */
  #report(error) {
    this.#fire('error', error);
  }

  /** @param {string} name @param {any} detail */
  #fire(name, detail) {
    const init = { cancelable: name === 'close' };
    this.dispatchEvent(new ServerLifecycleEvent(name, Object.freeze(detail), init));
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
