// SPDX-License-Identifier: MIT
// session-client.mjs - a client of `httpsocket.v1` for tests of the server, from docs/protocol.md
// alone; it shares no code with the browser side.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import WebSocket from 'ws';
import { Program } from './program.mjs';
import { request } from './request.mjs';

/** The commands of a program to its page: sequenced. */
const COMMAND = /^\.(dom|listen|unlisten) /;

export const newKey = () => randomBytes(18).toString('base64url');

/**
 * One session over any number of connections.
 *
 * `messages` holds every sequenced message in order: text as a string, bytes as {head, body}.
 * `control` holds the others. `next(pattern)` resolves with the first message not yet taken that
 * matches, in order of arrival.
 */
export class SessionClient extends EventEmitter {
  constructor(
    url,
    {
      session,
      key = newKey(),
      origin = new URL(url).origin,
      headers = {},
      acknowledge = true,
    } = {},
  ) {
    super();
    Object.assign(this, { url, session, key, origin, headers, acknowledge });
    this.answersPings = true;
    this.received = 0;
    this.messages = [];
    this.control = [];
    this.taken = 0;
    SessionClient.all.add(this);
  }

  /** Cuts the connections that a test left open. */
  static dropAll() {
    for (const client of SessionClient.all) client.ws?.terminate();
    SessionClient.all.clear();
  }

  static all = new Set();

  /**
   * Resolves with `.welcome`'s fields; rejects with {code, reason} when it is refused by a close
   * code, {status, headers, body} by HTTP.
   */
  async connect() {
    const options = { headers: this.headers, ...(this.origin && { origin: this.origin }) };
    const ws = (this.ws = new WebSocket(this.url.replace(/^http/, 'ws'), this.offered, options));
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    return new Promise((resolve, reject) => {
      ws.on('error', reject);
      ws.on('unexpected-response', async (request, response) => {
        let body = '';
        for await (const part of response) body += part;
        request.destroy();
        reject(
          Object.assign(new Error(`refused: ${response.statusCode}`), {
            status: response.statusCode,
            headers: response.headers,
            body,
          }),
        );
      });
      this.closed.then((end) =>
        reject(Object.assign(new Error(`closed: ${end.code} ${end.reason}`), end)),
      );
      // Messages of an older connection are ignored.
      ws.on('message', (data, binary) => ws === this.ws && this.#receive(data, binary, resolve));
    });
  }

  /** What each handshake offers. */
  get offered() {
    const offered = ['httpsocket.v1', `key.${this.key}`];
    if (this.session) offered.push(`session.${this.session}`, `received.${this.received}`);
    return offered;
  }

  /** True: a message that is not counted, and is dealt with. For those who know more of them. */
  takes() {
    return false;
  }

  #receive(data, binary, welcomed) {
    const text = binary ? null : data.toString();
    if (this.takes(data, binary)) return;
    if (text?.startsWith('.') && !COMMAND.test(text)) {
      this.control.push(text);
      if (text.startsWith('.welcome ')) {
        const welcome = JSON.parse(text.slice(9));
        this.session = welcome.session;
        welcomed(welcome);
      }
      if (text === '.ping' && this.answersPings) this.ws.send('.pong');
      this.emit('control', text);
      return;
    }
    if (binary && data[0] < 0x20) {
      this.emit('frame', data); // of a byte stream: streams.mjs
      return;
    }
    this.received++;
    const lf = binary ? data.indexOf(10) : 0;
    this.messages.push(
      binary ? { head: data.subarray(0, lf).toString(), body: data.subarray(lf + 1) } : text,
    );
    if (this.acknowledge) this.ws.send(`.ack ${this.received}`);
    this.emit('message');
  }

  send(text) {
    this.ws.send(text);
  }

  sendBytes(head, body) {
    this.ws.send(Buffer.concat([Buffer.from(`${head}\n`), Buffer.from(body)]));
  }

  async next(pattern = /^/) {
    for (;;) {
      while (this.taken < this.messages.length) {
        const message = this.messages[this.taken++];
        if (pattern.test(typeof message === 'string' ? message : message.head)) return message;
      }
      await once(this, 'message');
    }
  }

  /** Cuts the connection without a close frame. */
  async cut() {
    this.ws.terminate();
    await this.closed;
  }

  // ---- the vocabulary of scenario tests

  /** A client without a page, connected to a program of this server. */
  static async connects(server, where, options) {
    const client = new SessionClient(server.at(where), options);
    client.server = server;
    client.welcome = await client.connect();
    return client;
  }

  /** The subprotocols that ask for this session, and these in addition. */
  offers(...more) {
    return ['httpsocket.v1', `session.${this.session}`, `key.${this.key}`, ...more].join(', ');
  }

  says(...lines) {
    for (const line of lines) this.send(line);
  }

  saysBytes(head, bytes) {
    this.sendBytes(head, bytes);
  }

  /**
   * For each line: the next message of its name is exactly this; for a RegExp, some message
   * matches. Messages before it are skipped. Resolves with the last match.
   */
  async hears(...lines) {
    let message;
    for (const line of lines) {
      message = await this.next(line instanceof RegExp ? line : named(nameOf(line)));
      if (!(line instanceof RegExp)) assert.equal(message, line);
    }
    return message;
  }

  /** The very next messages are exactly these. */
  async hearsNext(...lines) {
    for (const line of lines) assert.equal(await this.next(), line);
  }

  /** The data of the next message of this name. */
  async hearsOf(name) {
    const message = await this.next(named(name));
    return JSON.parse(message.slice(name.length + 1));
  }

  /** The next message of this name carries exactly these bytes. */
  async hearsBytes(name, bytes) {
    const { head, body } = await this.next(named(nameOf(name)));
    assert.equal(head, name);
    assert.ok(body.equals(Buffer.from(bytes)));
  }

  /** All messages of this name so far, in order. */
  heard(name) {
    return this.messages.filter((message) => named(name).test(message.head ?? message));
  }

  /** As if the last `n` messages had been lost on their way here. */
  forgets(n) {
    this.received -= n;
    this.messages.length -= n;
    this.taken = Math.min(this.taken, this.messages.length);
  }

  /** Waits until the server has read all that was said. */
  async isRead() {
    this.send('.ping');
    this.pings = (this.pings ?? 0) + 1;
    while (this.control.filter((text) => text === '.pong').length < this.pings)
      await once(this, 'control');
  }

  /** The program's process, if the program begins with `started {"pid":N}`. */
  async program() {
    return new Program((await this.hearsOf('started')).pid, this);
  }

  async cuts() {
    await this.cut();
  }

  /** Connects anew, and the session goes on. */
  async comesBack() {
    const welcome = await this.connect();
    assert.equal(welcome.resumed, true);
    return welcome;
  }

  /** Connects anew, and is refused like this. */
  async isRefused(...how) {
    await assert.rejects(this.connect(), ...how);
  }

  /** Ends the session. */
  async closes() {
    this.send('.close {"reason":"test over"}');
    return this.closed;
  }

  /** Says `.bye`, and closes the connection. */
  async leaves() {
    this.send('.bye {"reason":"left"}');
    await this.cut();
  }

  /** The server closes the connection with exactly this code and reason. */
  async isClosed(code, reason) {
    assert.deepEqual(await this.closed, { code, reason });
  }
}

const nameOf = (line) => line.split(' ')[0];
const named = (name) => new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![^ ])`);

/** A session whose page was loaded; `answer` is the answer to that request. */
export class Page extends SessionClient {
  /** Loads the page and connects. */
  static async opens(server, where, options) {
    const page = await Page.loads(server, where, options);
    page.welcome = await page.connect();
    return page;
  }

  /** Loads the page alone; `options` are those of the request, and of the client. */
  static async loads(server, where, { method, headers, body, ...options } = {}) {
    const answer = await request(server.at(where), { method, headers, body });
    const session = answer.headers['session-id'];
    const page = new Page(server.at(where), { session, ...options });
    return Object.assign(page, { server, answer });
  }
}

/** Loads a page: its answer, and a client for its session. */
export async function openPage(url, options) {
  const answer = await request(url, options);
  const session = answer.headers['session-id'];
  return { answer, session, client: new SessionClient(url, { session }) };
}
