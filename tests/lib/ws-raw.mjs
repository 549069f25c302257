// SPDX-License-Identifier: MIT
// ws-raw.mjs - a WebSocket client that sends whatever bytes a test wants, right or wrong, and shows
// every frame that comes back.
import { once } from 'node:events';
import net from 'node:net';

export const OP = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };

const MASK = [0x37, 0xfa, 0x21, 0x3d];

/**
 * One frame as bytes. `payload` is a string or bytes; `length` overrides what the header says,
 * `mask: null` leaves it unmasked.
 */
export function frame(op, payload = '', { fin = true, rsv = 0, mask = MASK, length } = {}) {
  const body = Buffer.from(payload);
  const size = length ?? body.length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | op];
  const bit = mask ? 0x80 : 0;
  if (size < 126) head.push(bit | size);
  else if (size < 65536) head.push(bit | 126, size >> 8, size & 255);
  else head.push(bit | 127, ...bigEndian(size));
  if (mask) for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3];
  return Buffer.concat([Buffer.from([...head, ...(mask ?? [])]), body]);
}

function bigEndian(n) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(n));
  return bytes;
}

/** A message as several frames: `parts` are their payloads. */
export function fragments(op, parts) {
  return parts.map((part, i) =>
    frame(i ? OP.CONTINUATION : op, part, { fin: i === parts.length - 1 }),
  );
}

export function closeFrame(code, reason = '', options = {}) {
  return frame(
    OP.CLOSE,
    Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]),
    options,
  );
}

/** Pieces of n bytes. */
export function chop(bytes, n) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += n) pieces.push(bytes.subarray(at, at + n));
  return pieces;
}

/**
 * The header at the beginning of `bytes`: {fin, op, length, at}, or null. Checks what a server's
 * frames have to keep (RFC 6455, 5.1, 5.2).
 */
function readHeader(bytes) {
  if (bytes.length < 2) return null;
  const [first, second] = bytes;
  if (second & 0x80) throw new Error('the server sent a masked frame');
  if (first & 0x70) throw new Error('the server sent a reserved bit');
  const at = second === 127 ? 10 : second === 126 ? 4 : 2;
  if (bytes.length < at) return null;
  const length =
    at === 10 ? Number(bytes.readBigUInt64BE(2)) : at === 4 ? bytes.readUInt16BE(2) : second;
  if ((at === 4 && length < 126) || (at === 10 && length < 65536))
    throw new Error('a length that is not in its shortest form');
  return { fin: !!(first & 0x80), op: first & 15, length, at };
}

/** How many bytes the frame at the beginning needs, as far as one can tell. */
function frameSize(bytes) {
  const header = readHeader(bytes);
  return header ? header.at + header.length : bytes.length + 1;
}

/** The frame at the beginning of `bytes` and its size, or null if it is not whole. */
export function readFrame(bytes) {
  const header = readHeader(bytes);
  if (!header || bytes.length < header.at + header.length) return null;
  const size = header.at + header.length;
  return { fin: header.fin, op: header.op, payload: bytes.subarray(header.at, size), size };
}

/**
 * A socket with an inbox: `until(found)` waits for what `found(inbox)`
 * returns that is neither null nor undefined.
 */
export class RawSocket {
  #waiting = new Set();
  #chunks = [];
  #size = 0;
  ended = false;
  error = null;

  static async connect(port, { from } = {}) {
    const raw = new this();
    raw.socket = net.connect({
      host: '127.0.0.1',
      port,
      localAddress: from,
      noDelay: true,
      allowHalfOpen: true,
    });
    raw.socket.on(
      'data',
      (data) => (raw.#chunks.push(data), (raw.#size += data.length), raw.#look()),
    );
    raw.socket.on('error', (error) => (raw.error = error));
    for (const event of ['end', 'close'])
      raw.socket.on(event, () => ((raw.ended = true), raw.#look()));
    await once(raw.socket, 'connect');
    return raw;
  }

  /** The bytes that have come and were not taken. */
  get inbox() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  take(n) {
    const all = this.inbox;
    this.#size = all.length - n;
    this.#chunks = n < all.length ? [all.subarray(n)] : [];
    return all.subarray(0, n);
  }

  #look() {
    for (const look of this.#waiting) look();
  }

  /** `atLeast()` says how many bytes must be there before `found` is called. */
  until(found, what = 'more', atLeast = () => 0) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.#size < atLeast() && !this.ended) return;
        try {
          const result = found(this.inbox);
          if (result === null || result === undefined) {
            if (!this.ended) return;
            const why = this.error ? `: ${this.error.message}` : '';
            throw new Error(`the connection ended before ${what} came${why}`);
          }
          this.#waiting.delete(look);
          resolve(result);
        } catch (error) {
          this.#waiting.delete(look);
          reject(error);
        }
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Each piece in a write of its own. */
  async send(...pieces) {
    for (const piece of pieces.flat(Infinity)) {
      if (this.socket.destroyed) return;
      if (!this.socket.write(piece))
        await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]).catch(
          () => {},
        );
      else if (pieces.length > 1 || Array.isArray(pieces[0])) await new Promise(setImmediate);
    }
  }

  end() {
    this.socket.end();
  }

  destroy() {
    this.socket.destroy();
  }
}

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/**
 * The lines of an opening handshake; `change` replaces headers, removes
 * them (null) or repeats them (array).
 */
export function handshake(change = {}, { line = 'GET /any/path?x=1 HTTP/1.1' } = {}) {
  const headers = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...change,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => `${name}: ${one}`),
  );
  return `${[line, ...lines].join('\r\n')}\r\n\r\n`;
}

/** The head of an answer: {status, headers (lower case)}. */
export async function readHead(raw) {
  const text = await raw.until((inbox) => {
    const end = inbox.indexOf('\r\n\r\n');
    return end < 0 ? null : raw.take(end + 4).toString('latin1');
  }, 'an answer');
  const [line, ...rest] = text.trimEnd().split('\r\n');
  const headers = Object.fromEntries(
    rest.map((one) => [
      one.slice(0, one.indexOf(':')).toLowerCase(),
      one.slice(one.indexOf(':') + 1).trim(),
    ]),
  );
  return { status: Number(line.split(' ')[1]), headers };
}

/** An open WebSocket of raw frames. */
export class RawWebSocket extends RawSocket {
  static async open(port, change) {
    const raw = await this.connect(port);
    raw.socket.write(handshake(change));
    const { status } = await readHead(raw);
    if (status !== 101) throw new Error(`the handshake was answered ${status}`);
    return raw;
  }

  #wanted = 2;

  /** The next frame: {fin, op, payload}. */
  next() {
    return this.until(
      (inbox) => {
        const found = readFrame(inbox);
        if (!found) {
          this.#wanted = frameSize(inbox);
          return null;
        }
        this.#wanted = 2;
        this.take(found.size);
        return found;
      },
      'a frame',
      () => this.#wanted,
    );
  }

  /** All frames until the server has ended its side. */
  async rest() {
    const frames = [];
    while (await this.until((inbox) => (inbox.length > 0 ? true : this.ended ? false : null)))
      frames.push(await this.next());
    return frames;
  }
}
