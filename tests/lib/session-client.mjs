// SPDX-License-Identifier: MIT
// session-client.mjs - a client of `httpsocket.v1` for tests of the server, from docs/protocol.md
// alone; it shares no code with the browser side.
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import WebSocket from 'ws';
import { request } from './request.mjs';

/** What the program wants of its page: sequenced. */
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
    this.received = 0;
    this.messages = [];
    this.control = [];
    this.taken = 0;
    SessionClient.all.add(this);
  }

  /** Cuts what a test left open. */
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
    const offered = ['httpsocket.v1', `key.${this.key}`];
    if (this.session) offered.push(`session.${this.session}`, `received.${this.received}`);
    const options = { headers: this.headers, ...(this.origin && { origin: this.origin }) };
    const ws = (this.ws = new WebSocket(this.url.replace(/^http/, 'ws'), offered, options));
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
      // An older one is not heard any more.
      ws.on('message', (data, binary) => ws === this.ws && this.#receive(data, binary, resolve));
    });
  }

  #receive(data, binary, welcomed) {
    const text = binary ? null : data.toString();
    if (text?.startsWith('.') && !COMMAND.test(text)) {
      this.control.push(text);
      if (text.startsWith('.welcome ')) {
        const welcome = JSON.parse(text.slice(9));
        this.session = welcome.session;
        welcomed(welcome);
      }
      if (text === '.ping') this.ws.send('.pong');
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

  /** Cuts the connection without a word. */
  async cut() {
    this.ws.terminate();
    await this.closed;
  }
}

/** Loads a page: its answer, and a client for its session. */
export async function openPage(url, options) {
  const answer = await request(url, options);
  const session = answer.headers['session-id'];
  return { answer, session, client: new SessionClient(url, { session }) };
}
