// SPDX-License-Identifier: MIT
// resp.mjs - what a test says to Redis itself, from its protocol (RESP2) alone.
import net from 'node:net';

const encode = (words) =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => {
      const bytes = Buffer.from(String(word));
      return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
    }),
  ]);

/** The reply at `at` as {value, end}, or null if it is not whole. Errors are Error objects. */
function decode(bytes, at) {
  const eol = bytes.indexOf('\r\n', at);
  if (eol < 0) return null;
  const rest = bytes.toString('utf8', at + 1, eol);
  const end = eol + 2;
  switch (String.fromCharCode(bytes[at])) {
    case '+':
      return { value: rest, end };
    case '-':
      return { value: new Error(rest), end };
    case ':':
      return { value: Number(rest), end };
    case '$':
      return decodeText(bytes, end, Number(rest));
    case '*':
      return decodeList(bytes, end, Number(rest));
    default:
      throw new Error(`no reply of Redis: ${bytes.toString('utf8', at, at + 40)}`);
  }
}

function decodeText(bytes, at, length) {
  if (length < 0) return { value: null, end: at };
  if (bytes.length < at + length + 2) return null;
  return { value: bytes.toString('utf8', at, at + length), end: at + length + 2 };
}

function decodeList(bytes, at, length) {
  if (length < 0) return { value: null, end: at };
  const value = [];
  for (let end = at; ;) {
    if (value.length === length) return { value, end };
    const item = decode(bytes, end);
    if (!item) return null;
    value.push(item.value);
    end = item.end;
  }
}

/** One connection. `call()` resolves with the reply, and rejects with Redis's error. */
export class Resp {
  #socket;
  #inbox = Buffer.alloc(0);
  #waiting = [];

  /** What Redis says unasked, to one that has subscribed: ['message', channel, text]. */
  onPush = null;

  /** `at` is a port of 127.0.0.1, or the path of a Unix socket. */
  constructor(at) {
    this.#socket = net.connect(typeof at === 'number' ? { port: at, host: '127.0.0.1' } : at);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (data) => this.#read(data));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      for (const { reject } of this.#waiting) reject(new Error('Redis has closed the connection'));
      this.#waiting = [];
      this.isClosed = true;
    });
  }

  call(...words) {
    if (this.isClosed) return Promise.reject(new Error('Redis has closed the connection'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(encode(words));
    });
  }

  close() {
    this.#socket.destroy();
  }

  #read(data) {
    this.#inbox = this.#inbox.length ? Buffer.concat([this.#inbox, data]) : data;
    let at = 0;
    for (;;) {
      const reply = at < this.#inbox.length ? decode(this.#inbox, at) : null;
      if (!reply) break;
      at = reply.end;
      this.#take(reply.value);
    }
    this.#inbox = this.#inbox.subarray(at);
  }

  #take(value) {
    if (this.onPush && Array.isArray(value) && value[0] === 'message') return this.onPush(value);
    const { resolve, reject } = this.#waiting.shift();
    if (value instanceof Error) reject(value);
    else resolve(value);
  }
}

/** One command on a connection of its own. */
export async function ask(at, ...words) {
  const redis = new Resp(at);
  try {
    return await redis.call(...words);
  } finally {
    redis.close();
  }
}
