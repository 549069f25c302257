// SPDX-License-Identifier: MIT
// http-raw.mjs - a client of HTTP/1.1 that sends exactly the given bytes, and reads strictly.
import { once } from 'node:events';
import net from 'node:net';

/** One connection. `closed` resolves with the error, or undefined, when both sides have ended. */
export class RawHttp {
  #socket;
  #pieces = []; // joined only when they are looked at: a large body is copied once
  #length = 0;
  #wake = () => {};
  ended = false;

  constructor(socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      let error;
      socket.on('error', (e) => (error = e));
      socket.on('close', () => {
        this.ended = true;
        this.#wake();
        resolve(error);
      });
    });
    socket.on('data', (data) => {
      this.#pieces.push(data);
      this.#length += data.length;
      this.#wake();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#wake();
    });
  }

  static async connect(port) {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawHttp(socket);
  }

  get socket() {
    return this.#socket;
  }

  /** Resolves when the kernel has the bytes. */
  send(bytes) {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  end() {
    this.#socket.end();
  }

  destroy() {
    this.#socket.destroy();
  }

  /** At least `n` bytes have come; false: the server ended before. */
  async #have(n) {
    while (this.#length < n && !this.ended) await new Promise((resolve) => (this.#wake = resolve));
    return this.#length >= n;
  }

  #input() {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0];
  }

  #take(n) {
    const input = this.#input();
    this.#pieces = [input.subarray(n)];
    this.#length = input.length - Math.min(n, input.length);
    return input.subarray(0, n);
  }

  /** Up to and with `mark`; undefined if the server ends its side before. */
  async #until(mark) {
    for (;;) {
      const at = this.#input().indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length).toString('latin1');
      if (!(await this.#have(this.#length + 1))) return undefined;
    }
  }

  async #chunks() {
    const parts = [];
    for (;;) {
      const line = await this.#until('\r\n');
      const size = /^[0-9a-f]+\r\n$/.test(line) ? parseInt(line, 16) : NaN;
      if (Number.isNaN(size)) throw new Error(`no chunk size: ${JSON.stringify(line)}`);
      if (!(await this.#have(size + 2))) throw new Error('the server ended inside a chunk');
      parts.push(Buffer.from(this.#take(size)));
      if (this.#take(2).toString() !== '\r\n') throw new Error('no CRLF after a chunk');
      if (size === 0) return Buffer.concat(parts);
    }
  }

  /** The next answer, or undefined if the server ends its side first. `head`: it answers HEAD. */
  async answer({ head = false } = {}) {
    const text = await this.#until('\r\n\r\n');
    if (text === undefined) return undefined;
    const [line, ...fields] = text.slice(0, -4).split('\r\n');
    const [, status, reason] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(line) ?? [];
    if (!status) throw new Error(`no status line: ${JSON.stringify(line)}`);
    const headers = {};
    for (const field of fields) {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\r\n]*)$/.exec(field) ?? [];
      if (!name) throw new Error(`no header: ${JSON.stringify(field)}`);
      const key = name.toLowerCase();
      headers[key] = key === 'vary' && headers.vary ? `${headers.vary}, ${value}` : value;
    }
    const answer = { status: Number(status), reason, headers, body: Buffer.alloc(0) };
    if (head || status < 200 || status === '204' || status === '304') return answer;
    if (headers['transfer-encoding']) answer.body = await this.#chunks();
    else if (headers['content-length']) {
      const length = Number(headers['content-length']);
      answer.whole = await this.#have(length);
      answer.body = Buffer.from(this.#take(length));
    } else {
      answer.body = await this.rest();
    }
    return answer;
  }

  async ask(bytes, options) {
    await this.send(bytes);
    return this.answer(options);
  }

  /** The bytes that still come until the server ends its side. */
  async rest() {
    while (!this.ended) await this.#have(this.#length + 1);
    return this.#take(this.#length);
  }
}

/** One request on a connection of its own. */
export async function request(port, method, path, headers = {}, body = '') {
  const client = await RawHttp.connect(port);
  const fields = { Host: `127.0.0.1:${port}`, Connection: 'close', ...headers };
  const head = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const answer = await client.ask(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`, {
    head: method === 'HEAD',
  });
  client.destroy();
  return answer;
}
