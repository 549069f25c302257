// @ts-check
/**
 * Page programs of httpsocketd in Node: a program prints a page, stays, and goes on talking with it.
 *
 *     const { page } = await import(`${process.env.HTTPSOCKET_SDK}/node/httpsocket.mjs`);
 *     page.show('<!doctype html>…');
 *     let total = 0;
 *     for await (const { name, data } of page) if (name === 'add') page.send('total', (total += data));
 *
 * No dependencies, Node 18 or later. What it throws by itself are PageErrors, told apart by `code`.
 */
import fs from 'node:fs';
import net from 'node:net';
import { STATUS_CODES } from 'node:http';

const HTML = 'text/html; charset=utf-8';
const CALL_MS = 30_000;
const READ_AHEAD = 1024 * 1024; // bytes not heard yet; beyond that the page waits
const READ_AHEAD_CALLING = 16 * READ_AHEAD; // the same while an answer is waited for
const OUT_MAX = 64 * 1024 * 1024; // bytes that were sent without waiting
const UNHEARD_MAX = 16; // a page can send any name: the log is told of so many

const NAME = /^[\w\-:/][\w\-:/.]{0,127}$/;
const HEAD = /^(?:@([\w-]+) )?(?:([=+!])(\d{1,16})|(\.?[\w\-:/.]{1,192})(?:\?(\d{1,16}))?)(?: |$)/;
/** @type {Record<string, 'answer' | 'part' | 'failure'>} */
const ANSWERS = { '=': 'answer', '+': 'part', '!': 'failure' };

/**
 * @typedef {'event' | 'call' | 'answer' | 'part' | 'failure' | 'system'} Kind
 * @typedef {{ kind: Kind, name: string, call: number, data: any, bare: boolean, problem: string, size: number, session: string }} Message
 * @typedef {{ timeout?: number, signal?: AbortSignal }} CallOptions milliseconds, 30 s unless said otherwise; Infinity: no limit
 * @typedef {(data: any) => any} Handler
 * @typedef {{ as?: string, select?: string, target?: string, fields?: string[], keys?: string | string[], prevent?: boolean, stop?: boolean, once?: boolean,
 *   passive?: boolean, capture?: boolean, coalesce?: boolean, throttle?: number, debounce?: number, maxAge?: number }} ListenOptions
 * @typedef {{ history?: number, last?: boolean, presence?: unknown, watch?: boolean, self?: boolean, to?: 'page' }} SubscribeOptions
 * @typedef {{ name: string, publish: (event: string, data?: unknown, options?: { keep?: boolean }) => Room, presence: (handler: Handler) => void,
 *   subscribed: (handler: Handler) => void, stop: () => Room }} Topic
 * @typedef {{ type?: string, status?: number, headers?: Record<string, string> }} AnswerOptions
 */

/**
 * `ended`: the session is over. `remote`: the page answered a call with a failure; `data` is all it said. `timeout`, `aborted`: a call was given up.
 * `several-answers`: use stream(). `reset`: a byte stream was given up. `bad-name`, `unsendable`, `buffer-full`: nothing was sent. `answer`: the page has been made already. `protocol`: what
 * came on descriptor 3 is no line of the server's.
 */
export class PageError extends Error {
  /** @param {string} code @param {string} message @param {unknown} [data] */
  constructor(code, message, data) {
    super(message);
    this.name = 'PageError';
    this.code = code;
    this.data = data;
  }
}

/** Thrown in a function for calls: its text is told to the caller. Of any other error the caller hears no details. */
export class Failure extends Error {
  /** @param {string} message @param {Record<string, unknown>} [more] */
  constructor(message, more = {}) {
    super(message);
    this.data = { message, ...more };
  }
}

// ---- HTML ----

/** @type {Record<string, string>} */
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text that stands for itself in HTML. @param {unknown} text @returns {string} */
export function escape(text) {
  return String(text).replace(/[&<>"']/g, (c) => ENTITIES[c]);
}

/** A value as JSON that may stand inside of a <script> element. @param {unknown} value @returns {string} */
export function scriptJson(value) {
  return JSON.stringify(value ?? null).replace(/</g, '\\u003c');
}

/** HTML that needs no escaping any more. */
export class Html {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/**
 * html`<p>${anything}</p>`: what is put in is escaped, unless it is html`` itself; of an array its elements.
 * @param {TemplateStringsArray} texts @param {...unknown} values @returns {Html}
 */
export function html(texts, ...values) {
  return new Html(texts.reduce((whole, text, i) => whole + inserted(values[i - 1]) + text));
}

/** @param {unknown} value @returns {string} */
function inserted(value) {
  if (Array.isArray(value)) return value.map(inserted).join('');
  return value instanceof Html ? value.text : escape(value ?? '');
}

// ---- the request ----

/** The request that the program was started for. Read when it is asked for: a program that wants no body leaves stdin alone. */
export class Request {
  #environment;
  /** @type {Buffer | undefined} */
  #body;

  /** @param {NodeJS.ProcessEnv} environment */
  constructor(environment) {
    this.#environment = environment;
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
      .map(([name, value]) => [name.replace(/^HTTP_/, '').replaceAll('_', '-').toLowerCase(), value ?? '']);
    return Object.fromEntries(rows);
  }

  /** @returns {Record<string, string>} */
  get cookies() {
    const pairs = (this.headers.cookie ?? '').split(';').map((pair) => /^\s*([^=]*?)\s*=\s*"?(.*?)"?\s*$/.exec(pair));
    return Object.fromEntries(pairs.flatMap((found) => (found ? [[found[1], found[2]]] : [])));
  }

  /** The whole body. @returns {Buffer} */
  get body() {
    return (this.#body ??= fs.readFileSync(0, null));
  }

  /** The fields of a form posted as application/x-www-form-urlencoded; formData() takes both encodings, and files. */
  get form() {
    const type = this.#of('CONTENT_TYPE').split(';')[0].trim().toLowerCase();
    return new URLSearchParams(type === 'application/x-www-form-urlencoded' ? this.body.toString() : '');
  }

  /** @returns {Promise<FormData>} */
  async formData() {
    return new Response(this.body, { headers: { 'Content-Type': this.#of('CONTENT_TYPE') } }).formData();
  }

  /** The body as JSON. @returns {any} */
  get json() {
    return JSON.parse(this.body.toString());
  }
}

// ---- lines ----

/** Bytes in, messages out; keeps what is not whole yet. Pure. */
class Reader {
  /** @type {Buffer[]} */
  #chunks = [];
  #length = 0;
  #wanted = 0; // bytes before it is worth a look; 0: an LF is
  /** @type {RegExpExecArray | null} */
  #head = null; // of a message whose bytes are awaited

  /** @param {Buffer} chunk @returns {Message[]} */
  feed(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#wanted ? this.#length < this.#wanted : !chunk.includes(10)) return [];
    const messages = [];
    let rest = Buffer.concat(this.#chunks);
    for (let next; (next = this.#next(rest)); rest = rest.subarray(next.used)) if (next.message) messages.push(next.message);
    this.#chunks = [rest];
    this.#length = rest.length;
    return messages;
  }

  /** @param {Buffer} rest @returns {{ used: number, message: Message | null } | null} */
  #next(rest) {
    if (this.#head) return this.#bytes(rest);
    const end = rest.indexOf(10);
    if (end < 0) return null;
    const line = rest.toString('utf8', 0, end);
    const head = HEAD.exec(line);
    if (!head) throw new PageError('protocol', `not a line of the server's: ${line.slice(0, 80)}`);
    const body = line.slice(head[0].length);
    if (body[0] !== '@') return { used: end + 1, message: made(head, ...parsed(body), body === '', end + 1) };
    this.#head = head;
    this.#wanted = Number(body.slice(1)) + 1;
    return { used: end + 1, message: null };
  }

  /** @param {Buffer} rest */
  #bytes(rest) {
    const head = this.#head;
    const used = this.#wanted;
    if (!head || rest.length < used) return null;
    this.#head = null;
    this.#wanted = 0;
    return { used, message: made(head, Buffer.from(rest.subarray(0, used - 1)), '', false, used) };
  }
}

/** @param {string} json @returns {[any, string]} */
function parsed(json) {
  try {
    return [json ? JSON.parse(json) : null, ''];
  } catch (error) {
    return [null, String(error)];
  }
}

/** @param {RegExpExecArray} head @param {any} data @param {string} problem @param {boolean} bare @param {number} size @returns {Message} */
function made([, session = '', sign, answered, name = '', call], data, problem, bare, size) {
  const kind = sign ? ANSWERS[sign] : call ? 'call' : name[0] === '.' ? 'system' : 'event';
  return { kind, name, call: Number(answered ?? call ?? 0), data, bare, problem, size, session };
}

/** @param {string} name */
function checked(name) {
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw new PageError('bad-name', `not a name: ${name} (1 to 128 of A-Z a-z 0-9 _ - : / . not beginning with a dot)`);
}

/** A whole message: bytes as bytes, everything else as JSON. @param {string} head @param {unknown} data @returns {Buffer} */
function line(head, data) {
  const bytes = bytesOf(data);
  if (bytes) return Buffer.concat([Buffer.from(`${head} @${bytes.length}\n`), bytes, Buffer.from('\n')]);
  if (data === undefined) return Buffer.from(`${head}\n`);
  const json = JSON.stringify(data);
  if (json === undefined) throw new PageError('unsendable', `${head}: JSON has no way to say a ${typeof data}`);
  return Buffer.from(`${head} ${json}\n`);
}

/** @param {unknown} data @returns {Buffer | null} */
function bytesOf(data) {
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : null;
}

// ---- the conversation ----

/** What the page sent, where the program reads it itself. A call wants answer(), or fail(). */
export class PageEvent {
  #post;
  #number;

  /** @param {(head: string, data: unknown) => Room} post @param {Message} message */
  constructor(post, message) {
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

/** A byte stream of the page, such as a file: an async iterable of Buffers, and write(), end(). Reading or writing accepts it. */
export class PageStream {
  #post;
  #accepted = false;
  #ended = false;
  #over = false;
  /** @type {Queue<Message | null>} */
  #queue = new Queue();
  #heard;

  /** @param {(head: string, data: unknown) => Room} post @param {(size: number) => void} heard @param {{ id: number, name: string, data?: any }} opened */
  constructor(post, heard, { id, name, data }) {
    this.#post = post;
    this.#heard = heard;
    this.id = id;
    this.name = name;
    this.data = data;
  }

  /** Lets it begin; `data` may say more to the page. @param {unknown} [data] */
  accept(data) {
    this.#accepted = true;
    return this.#post('.accept', { id: this.id, data });
  }

  /** The next bytes for the page. @param {ArrayBuffer | ArrayBufferView} bytes */
  write(bytes) {
    if (!this.#accepted) this.accept();
    return this.#post(`.stream/${this.id}`, bytes);
  }

  /** Nothing more is written. */
  end() {
    this.#ended = true;
    return this.#post('.end', { id: this.id });
  }

  /** It is over at once, both ways; before accept(): it is refused. @param {string} [reason] @param {string} [message] */
  reset(reason = 'refused', message) {
    this.#over = true;
    return this.#post('.reset', { id: this.id, reason, message });
  }

  /** What the page says, until its end. Throws `reset` or `ended`. @returns {AsyncGenerator<Buffer, void, void>} */
  async *[Symbol.asyncIterator]() {
    if (!this.#accepted) this.accept();
    for (;;) {
      await this.#queue.wait();
      const message = this.#queue.items.shift();
      if (!message) throw new PageError('ended', 'the session is over');
      this.#heard(message.size);
      if (message.name === '.end') return;
      if (message.name === '.reset') throw new PageError('reset', message.data.message ?? message.data.reason, message.data);
      yield message.data;
    }
  }

  /** A line of it has come. @param {Message | null} message */
  take(message) {
    if (message?.name === '.reset') this.#over = true;
    this.#queue.push(message);
  }

  /** What nobody will read any more. */
  forget() {
    for (const message of this.#queue.items.splice(0)) if (message) this.#heard(message.size);
  }

  /** Its function has returned. */
  finish() {
    if (this.#over) return;
    if (!this.#accepted) this.reset();
    else if (!this.#ended) this.end();
  }
}

/** The stream that a line is about, beyond its opening. @param {Message} message @returns {number | null} */
function streamOf({ name, data }) {
  if (name.startsWith('.stream/')) return Number(name.slice(8));
  return name === '.end' || name === '.reset' ? data.id : null;
}

/** What send() gives: awaiting it waits until the page has room for more. @implements {PromiseLike<void>} */
class Room {
  #wait;

  /** @param {() => Promise<void>} wait */
  constructor(wait) {
    this.#wait = wait;
  }

  /**
   * @template A, B
   * @param {((value: void) => A | PromiseLike<A>) | null} [resolve] @param {((reason: any) => B | PromiseLike<B>) | null} [reject]
   * @returns {Promise<A | B>}
   */
  then(resolve, reject) {
    return this.#wait().then(resolve, reject);
  }
}

/** A queue that is read by awaiting. @template T */
class Queue {
  /** @type {T[]} */
  items = [];
  #wake = () => {};

  /** @param {T} item */
  push(item) {
    this.items.push(item);
    this.#wake();
  }

  /** Resolves when there is something, or `ms` are over. @param {number} [ms] @param {AbortSignal} [signal] @returns {Promise<void>} */
  async wait(ms = Infinity, signal) {
    if (this.items.length || signal?.aborted) return;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const woken = new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      if (ms < 2 ** 31) timer = setTimeout(this.#wake, ms);
      signal?.addEventListener('abort', this.#wake);
    });
    await woken;
    clearTimeout(timer);
    signal?.removeEventListener('abort', this.#wake);
  }
}

/** The page that this program has made. Functions may be async; events are heard one after the other, calls are answered side by side. */
export class Page {
  /** The request that it answers. */
  request;
  /** A script or a device connects straight to the program: no page is wanted. */
  direct;
  /** The session's id; empty where there is none. */
  session;
  #fd;
  #begun = false;
  #complete = false;
  /** @type {net.Socket | null} */
  #socket = null;
  #reader = new Reader();
  /** @type {Queue<Message | null>} */
  #queue = new Queue();
  #queued = 0;
  #over = false;
  #numbers = 0;
  /** @type {Map<number, Queue<Message | null>>} */
  #waiting = new Map();
  /** @type {Record<'event' | 'call' | 'system' | 'stream', Map<string, Handler>>} */
  #handlers = { event: new Map(), call: new Map(), system: new Map(), stream: new Map() };
  /** @type {Map<number, PageStream>} */
  #streams = new Map();
  /** By the server's line, by topic. @type {Map<string, Map<string, Handler>>} */
  #topics = new Map();
  /** @type {Set<string>} */
  #unheard = new Set();
  /** @type {NodeJS.Timeout[]} */
  #timers = [];
  /** @type {Array<() => void>} */
  #drains = [];

  /** @param {{ fd?: number, environment?: NodeJS.ProcessEnv }} [where] */
  constructor({ fd, environment = process.env } = {}) {
    this.#fd = fd ?? Number(environment.HTTPSOCKET_FD ?? -1);
    this.request = new Request(environment);
    this.direct = environment.HTTPSOCKET_CONNECT === '1';
    this.session = environment.HTTPSOCKET_SESSION ?? '';
  }

  // -- the answer --

  /**
   * Answers the request with this page, whole. For a direct connection it accepts, and the body is not wanted.
   * @param {string | Html | Uint8Array} [body] @param {AnswerOptions} [options]
   */
  show(body = '', options) {
    this.begin(options);
    this.write(body);
    this.end();
  }

  /** Begins a page that is written in pieces; end() completes it. @param {AnswerOptions} [options] */
  begin({ type = HTML, status = 200, headers = {} } = {}) {
    if (this.#begun) throw new PageError('answer', 'the answer has begun already');
    this.#begun = true;
    const accepted = this.direct && status === 200 && Object.keys(headers).length === 0;
    const rows = accepted ? [] : Object.entries({ ...(status !== 200 && { Status: statusLine(status) }), ...(type && { 'Content-Type': type }), ...headers });
    output(rows.map(([name, value]) => `${clean(name)}: ${clean(value)}\n`).join('') + '\n');
  }

  /** @param {string | Html | Uint8Array} body */
  write(body) {
    if (!this.#begun) this.begin();
    if (!this.direct) output(body instanceof Uint8Array ? body : String(body));
  }

  /** The page is complete. What is printed from now on goes to the server's log. */
  end() {
    if (this.#complete) return;
    if (!this.#begun) this.begin();
    this.#complete = true;
    leadOutputToLog();
  }

  /**
   * Answers with this status instead of a page, and ends the program. 401 keeps the client's scripts away from here for a minute, or for `retry` seconds;
   * `path` says from where down. With `realm` a browser asks its user for a name and a password, which are the header `authorization` next time.
   * @param {number} [status] @param {{ message?: string, realm?: string, retry?: number, path?: string }} [options]
   * @returns {never}
   */
  refuse(status = 401, { message = statusLine(status), realm, retry, path } = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (realm !== undefined) headers['WWW-Authenticate'] = `Basic realm="${realm.replace(/["\\]/g, '\\$&')}", charset="UTF-8"`;
    if (retry !== undefined) headers[status === 401 ? 'Access-Control-Max-Age' : 'Retry-After'] = String(Math.trunc(retry));
    if (path !== undefined) headers['Access-Control-Policy-Path'] = path;
    this.begin({ type: 'text/plain; charset=utf-8', status, headers });
    output(`${message}\n`);
    process.exit(0);
  }

  // -- what the program wants to hear --

  /** Hears the event: it gets its data. @param {string} name @param {Handler} handler @returns {this} */
  on(name, handler) {
    return this.#keep('event', checked(name), handler);
  }

  /** Answers the call: it gets its data and returns the answer; a generator yields several. @param {string} name @param {Handler} handler @returns {this} */
  handle(name, handler) {
    return this.#keep('call', checked(name), handler);
  }

  /**
   * Takes byte streams of this name, such as files: it gets a PageStream. When it returns the stream ends, when it throws it is reset.
   * @param {string} name @param {(stream: PageStream) => any} handler @returns {this}
   */
  onStream(name, handler) {
    return this.#keep('stream', name, handler);
  }

  /** Hears that the page is connected. @param {(info: { resumed: boolean, origin: string, address: string }) => any} handler @returns {this} */
  attached(handler) {
    return this.#keep('system', '.attach', handler);
  }

  /** Hears that the connection is gone, and may come back. @param {(info: { reason: string }) => any} handler @returns {this} */
  detached(handler) {
    return this.#keep('system', '.detach', handler);
  }

  /** Is called last: the session is over, and some seconds are left. @param {() => any} handler @returns {this} */
  ended(handler) {
    return this.#keep('system', '', handler);
  }

  /**
   * Is called at this interval as long as the session lasts; left out while the last call is still awaited.
   * @param {number} ms @param {() => any} handler @returns {this}
   */
  every(ms, handler) {
    let busy = false;
    const tick = async () => {
      if (busy) return;
      busy = true;
      await this.#guarded(handler);
      busy = false;
    };
    this.#timers.push(setInterval(tick, ms));
    return this;
  }

  /** @param {'event' | 'call' | 'system' | 'stream'} kind @param {string} name @param {Handler} handler */
  #keep(kind, name, handler) {
    if (this.#handlers[kind].has(name)) throw new PageError('bad-name', `there is a function for ${name || 'the end'} already`);
    this.#handlers[kind].set(name, handler);
    return this;
  }

  // -- what it says --

  /**
   * An event for the page: JSON, or bytes as bytes. It is queued at once; `await page.send(…)` waits while the page is slower than the program. After the
   * end of the session nothing is sent, and awaiting rejects with `ended`.
   * @param {string} name @param {unknown} [data]
   */
  send(name, data) {
    return this.#post(checked(name), data);
  }

  /** The session is over; the page is told why. @param {string} [reason] */
  close(reason) {
    return this.#post('.close', reason ? { reason } : undefined);
  }

  // -- the page's document --

  /**
   * Hears these events of the page's document; times are milliseconds. They come to `handler`, or, without one, as events of the name `as`.
   * @param {string | string[]} on @param {string | ListenOptions | null} [select] a selector, or all options @param {ListenOptions | Handler} [options]
   * @param {Handler} [handler]
   * @returns {{ name: string, stop: () => Room }}
   */
  listen(on, select, options, handler) {
    if (typeof options === 'function') return this.listen(on, select, {}, options);
    const all = { ...(typeof select === 'string' ? { select } : select), ...options };
    const name = checked(all.as ?? `${typeof on === 'string' && /^\w+$/.test(on) ? on : 'heard'}:${++this.#numbers}`);
    if (handler) this.on(name, handler);
    this.#post('.listen', { on, ...all, as: name });
    return { name, stop: () => this.unlisten({ as: name }) };
  }

  /** No more of what listen() began and all of this fits. @param {{ on?: string | string[], as?: string, select?: string, target?: string }} which */
  unlisten(which) {
    return this.#post('.unlisten', which);
  }

  /** Changes the page's document, all in one frame. @param {...Record<string, unknown>} operations */
  dom(...operations) {
    return this.#post('.dom', operations.length === 1 ? operations[0] : operations);
  }

  /** Hears that the page could not do what listen() or dom() said. @param {(problem: { command: string, message: string }) => any} handler @returns {this} */
  problem(handler) {
    return this.#keep('system', '.problem', handler);
  }

  // -- topics --

  /**
   * Hears what programs of this server publish in the topic: {event, data, from, seq, time, …}. Options are those of `.subscribe`.
   * @param {string} topic @param {SubscribeOptions | Handler} [options] @param {Handler} [handler] @returns {Topic}
   */
  subscribe(topic, options = {}, handler) {
    if (typeof options === 'function') return this.subscribe(topic, {}, options);
    if (handler) this.#ofTopic('.topic', topic, handler);
    this.#post('.subscribe', { topic, ...options });
    return {
      name: topic,
      publish: (event, data, more) => this.publish(topic, event, data, more),
      presence: (heard) => this.#ofTopic('.presence', topic, heard),
      subscribed: (heard) => this.#ofTopic('.subscribed', topic, heard),
      stop: () => this.unsubscribe(topic),
    };
  }

  /** @param {string} topic */
  unsubscribe(topic) {
    for (const handlers of this.#topics.values()) handlers.delete(topic);
    return this.#post('.unsubscribe', { topic });
  }

  /** An event for all that are subscribed to the topic. `keep: true`: it is the topic's last value. @param {string} topic @param {string} event @param {unknown} [data] @param {{ keep?: boolean }} [options] */
  publish(topic, event, data, options) {
    return this.#post('.publish', { topic, event: checked(event), data, ...options });
  }

  /** @param {string} line @param {string} topic @param {Handler} handler */
  #ofTopic(line, topic, handler) {
    const handlers = this.#topics.get(line) ?? new Map();
    if (!this.#topics.has(line)) this.#keep('system', line, (message) => handlers.get(message.topic)?.(message));
    this.#topics.set(line, handlers.set(topic, handler));
  }

  // -- TCPConnections of the page --

  /** The page's TCPConnections are refused, all of them. @param {number} [retry] seconds */
  refuseTcp(retry) {
    return this.#post('.tcp', { allow: false, retryAfter: retry });
  }

  /**
   * Is asked for each TCPConnection of the page that DNS allows; gives whether it may be. A number refuses for so many seconds.
   * @param {(target: { host: string, port: number, secure: boolean }) => boolean | number | Promise<boolean | number>} handler @returns {this}
   */
  consentTcp(handler) {
    this.#keep('system', '.tcp', async (target) => {
      const verdict = await handler(target);
      return this.#post('.tcp', { id: target.id, allow: verdict === true, ...(typeof verdict === 'number' && { retryAfter: verdict }) });
    });
    this.#post('.tcp', { ask: true });
    return this;
  }

  // -- calls --

  /** The page's answer. @param {string} name @param {unknown} [data] @param {CallOptions} [options] @returns {Promise<any>} */
  async call(name, data, options) {
    for await (const message of this.#ask(name, data, options)) {
      if (message.kind === 'part') throw new PageError('several-answers', `${name} gives several answers: use stream()`);
      return message.data;
    }
  }

  /**
   * The page's several answers; `timeout` counts from one to the next. Leaving the loop gives the call up.
   * @param {string} name @param {unknown} [data] @param {CallOptions} [options] @returns {AsyncGenerator<any, void, void>}
   */
  async *stream(name, data, options) {
    for await (const message of this.#ask(name, data, options)) if (message.kind === 'part' || !message.bare) yield message.data;
  }

  /** @param {string} name @param {unknown} data @param {CallOptions} [options] @returns {AsyncGenerator<Message, void, void>} */
  async *#ask(name, data, { timeout = CALL_MS, signal } = {}) {
    if (signal?.aborted) throw new PageError('aborted', `${name}: aborted`);
    const number = ++this.#numbers;
    /** @type {Queue<Message | null>} */
    const answers = new Queue();
    this.#waiting.set(number, answers);
    this.#noteRoom();
    try {
      await this.#post(`${checked(name)}?${number}`, data);
      for (;;) {
        await answers.wait(timeout, signal);
        const message = answers.items.shift();
        if (message === null || (!message && this.#over)) throw new PageError('ended', 'the session is over');
        if (!message) throw signal?.aborted ? new PageError('aborted', `${name}: aborted`) : new PageError('timeout', `${name}: no answer in ${timeout} ms`);
        if (message.kind === 'failure') throw new PageError('remote', String(message.data?.message ?? 'the call failed'), message.data);
        yield message;
        if (message.kind === 'answer') return;
      }
    } finally {
      this.#waiting.delete(number);
    }
  }

  // -- what comes --

  /** Calls the functions until the session is over. One that throws is reported, and the others go on. @returns {Promise<void>} */
  async run() {
    for await (const message of this.#messages()) await this.#dispatch(message);
  }

  /** Events and calls for which there is no function, until the session is over. @returns {AsyncGenerator<PageEvent, void, void>} */
  async *[Symbol.asyncIterator]() {
    for await (const message of this.#messages()) {
      const known = message.kind === 'system' || this.#handlers[message.kind === 'call' ? 'call' : 'event'].has(message.name);
      if (known || message.problem) await this.#dispatch(message);
      else yield new PageEvent((head, data) => this.#post(head, data), message);
    }
  }

  /** @returns {AsyncGenerator<Message, void, void>} */
  async *#messages() {
    this.#connect();
    for (;;) {
      await this.#queue.wait();
      const message = this.#queue.items.shift();
      if (!message) break;
      this.#noteUnheard(-message.size);
      yield message;
    }
    const ended = this.#handlers.system.get('');
    if (ended) await this.#guarded(() => ended(undefined));
  }

  /** @param {Message} message @returns {unknown} awaited before the next one is heard */
  #dispatch(message) {
    if (message.problem) return this.#refuseUnreadable(message);
    if (message.kind === 'call') return void this.#guarded(() => this.#serve(message));
    if (message.name === '.stream') return void this.#guarded(() => this.#takeStream(message.data));
    const handler = this.#handlers[message.kind === 'system' ? 'system' : 'event'].get(message.name);
    if (handler) return this.#guarded(() => handler(message.data));
    if (message.kind === 'event') this.#complainUnheard('event', message.name);
  }

  /** @param {Message} message */
  #refuseUnreadable(message) {
    if (message.kind === 'call') this.#post(`!${message.call}`, { message: "the program can't read this data" });
    console.error(`httpsocket: ${message.name}: ${message.problem}`);
  }

  /** @param {{ id: number, name: string, data?: any }} opened */
  async #takeStream(opened) {
    const heard = (/** @type {number} */ size) => this.#noteUnheard(-size);
    const stream = new PageStream((head, data) => this.#post(head, data), heard, opened);
    const handler = this.#handlers.stream.get(stream.name);
    if (!handler) {
      this.#complainUnheard('stream', stream.name);
      return void stream.reset('refused', `nothing takes a stream ${stream.name}`);
    }
    this.#streams.set(stream.id, stream);
    try {
      await handler(stream);
      stream.finish();
    } catch (error) {
      const code = error instanceof PageError ? error.code : '';
      if (code === 'reset' || code === 'ended') return;
      stream.reset('program-failed');
      throw error;
    } finally {
      this.#streams.delete(stream.id);
      stream.forget();
    }
  }

  /** @param {Message} message */
  async #serve({ name, call, data }) {
    try {
      const handler = this.#handlers.call.get(name);
      if (!handler) {
        this.#complainUnheard('call', name);
        throw new Failure(`no function for ${name}`);
      }
      const result = await handler(data);
      await this.#post(`=${call}`, isIterator(result) ? await this.#sendParts(call, result) : result);
    } catch (error) {
      if (error instanceof PageError && error.code === 'ended') return;
      await this.#post(`!${call}`, error instanceof Failure ? error.data : { message: 'the program failed' });
      if (!(error instanceof Failure)) throw error;
    }
  }

  /** @param {number} call @param {AsyncIterator<unknown> | Iterator<unknown>} parts @returns {Promise<unknown>} what the generator returned */
  async #sendParts(call, parts) {
    for (;;) {
      const { value, done } = await parts.next();
      if (done) return value;
      await this.#post(`+${call}`, value ?? null);
    }
  }

  /** @param {() => any} work */
  async #guarded(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof PageError && error.code === 'ended')) console.error(error);
    }
  }

  /** @param {string} kind @param {string} name */
  #complainUnheard(kind, name) {
    if (this.#unheard.has(name) || this.#unheard.size >= UNHEARD_MAX) return;
    this.#unheard.add(name);
    console.error(`httpsocket: nothing hears the ${kind} ${name.slice(0, 128)} (said once)`);
  }

  // -- descriptor 3 --

  #connect() {
    if (this.#socket) return this.#socket;
    if (!(this.#fd >= 0)) throw new PageError('ended', 'there is no page to talk with: this program is to be started by httpsocketd');
    const socket = (this.#socket = new net.Socket({ fd: this.#fd }));
    socket.on('data', (chunk) => this.#receive(/** @type {Buffer} */ (chunk)));
    socket.on('drain', () => this.#wakeWriters());
    socket.on('error', () => this.#finish()); // the server is gone: as its end of file
    socket.on('close', () => this.#finish());
    socket.on('end', () => this.#finish());
    return socket;
  }

  /** @param {Buffer} chunk */
  #receive(chunk) {
    for (const message of this.#reader.feed(chunk)) {
      if (message.kind === 'answer' || message.kind === 'part' || message.kind === 'failure') {
        this.#waiting.get(message.call)?.push(message); // one that was given up is passed over
      } else {
        this.#sort(message);
      }
    }
  }

  /** @param {Message} message */
  #sort(message) {
    const number = message.kind === 'system' ? streamOf(message) : null;
    const stream = number === null ? undefined : this.#streams.get(number);
    if (number !== null && !stream) return;
    this.#noteUnheard(message.size);
    if (stream) stream.take(message);
    else this.#queue.push(message);
  }

  /** @param {number} size */
  #noteUnheard(size) {
    this.#queued += size;
    this.#noteRoom();
  }

  #finish() {
    if (this.#over) return;
    this.#over = true;
    this.#queue.push(null);
    for (const answers of this.#waiting.values()) answers.push(null);
    for (const stream of this.#streams.values()) stream.take(null);
    for (const timer of this.#timers) clearInterval(timer);
    this.#wakeWriters();
  }

  #wakeWriters() {
    for (const wake of this.#drains.splice(0)) wake();
  }

  /** Reading stops where the functions are slow, but goes further while one of them waits for an answer. */
  #noteRoom() {
    const socket = this.#connect();
    if (this.#queued >= (this.#waiting.size ? READ_AHEAD_CALLING : READ_AHEAD)) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  /** @param {string} head @param {unknown} data @returns {Room} */
  #post(head, data) {
    const whole = line(head, data);
    const socket = this.#connect();
    if (socket.writableLength > OUT_MAX) throw new PageError('buffer-full', `${OUT_MAX} bytes wait for the page: await what send() gives`);
    if (!this.#over) socket.write(whole);
    return new Room(async () => {
      if (!this.#over && socket.writableNeedDrain) await new Promise((resolve) => this.#drains.push(() => resolve(undefined)));
      if (this.#over) throw new PageError('ended', 'the session is over');
    });
  }
}

/** @param {any} value @returns {value is AsyncIterator<unknown> | Iterator<unknown>} */
function isIterator(value) {
  return typeof value?.next === 'function' && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

// ---- standard output ----

/** @param {string | Uint8Array} data */
function output(data) {
  /** @type {Uint8Array} */
  let rest = typeof data === 'string' ? Buffer.from(data) : data;
  while (rest.length) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); // process.stdout has made the pipe one that doesn't wait
    }
  }
}

/** Closes stdout; console.log() goes to stderr from now on, and no file that is opened takes its number. */
function leadOutputToLog() {
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

/** The page of this program. */
export const page = new Page();
