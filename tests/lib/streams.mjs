// SPDX-License-Identifier: MIT
// streams.mjs - byte streams (docs/protocol.md, section 10) of a SessionClient, for tests of the
// server; it shares no code with the browser side.
import { EventEmitter, once } from 'node:events';

const OPEN = 1,
  OPENED = 2,
  DATA = 3,
  STATE = 4,
  END = 5,
  RESET = 6,
  GONE = 7;
const DATA_MAX = 65536;

function frame(type, channel, body = Buffer.alloc(0)) {
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32BE(channel, 1);
  return Buffer.concat([head, body]);
}

const json = (value) => Buffer.from(JSON.stringify(value));

/**
 * The streams of one session. At each `.welcome` they go on over the new connection by
 * themselves.
 */
export class Streams {
  /** `window`: how many bytes each stream takes ahead of its reader. */
  constructor(client, { window = 1 << 20 } = {}) {
    this.client = client;
    this.window = window;
    this.last = 0;
    this.channels = new Map();
    client.on(
      'control',
      (text) => text.startsWith('.welcome ') && this.#attach(JSON.parse(text.slice(9))),
    );
    client.on('frame', (data) => this.#receive(data));
  }

  open(wish, options) {
    const stream = new Stream(this, ++this.last, wish, options);
    this.channels.set(stream.number, stream);
    stream.say(OPEN, json(wish));
    return stream;
  }

  /**
   * A TCPConnection: resolves when it is open; rejects with an Error that has the RESET's fields.
   */
  async connect(host, port, more = {}, options) {
    const stream = this.open({ kind: 'tcp', host, port, ...more }, options);
    await stream.opened;
    return stream;
  }

  #attach({ streamWindow }) {
    this.kept = streamWindow; // by the server, until it is acknowledged
    for (const stream of this.channels.values()) stream.attach();
  }

  #receive(data) {
    const [type, number, body] = [data[0], data.readUInt32BE(1), data.subarray(5)];
    const stream = this.channels.get(number);
    if (stream) stream.receive(type, body);
    else if (type !== GONE) this.client.ws.send(frame(GONE, number));
  }
}

/**
 * One stream. `opened` resolves with the OPENED's fields or rejects; `closed` resolves
 * with {} after a good end, otherwise with the fields of the RESET. Bytes wait for
 * read(), unless `onData` takes them.
 */
export class Stream extends EventEmitter {
  constructor(streams, number, wish, { onData, window = streams.window } = {}) {
    super();
    Object.assign(this, { streams, number, wish, onData, window });
    this.out = { parts: [], base: 0, sent: 0, written: 0, ended: false, limit: 0, synced: false };
    this.in = { parts: [], held: 0, received: 0, consumed: 0, told: 0, limit: 0, ended: false };
    this.answered = false;
    this.wasReset = false;
    this.opened = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.opened.catch(() => {});
    this.closed = once(this, 'over').then(([end]) => end);
  }

  say(type, body) {
    const { ws } = this.streams.client;
    if (ws?.readyState === 1) ws.send(frame(type, this.number, body));
  }

  // ---- the reader's side

  /** The next `size` bytes; fewer at the end. */
  async read(size) {
    while (this.in.held < size && !this.in.ended && !this.end)
      await Promise.race([once(this, 'data'), this.closed]);
    const all = Buffer.concat(this.in.parts);
    const taken = all.subarray(0, size);
    this.in.parts = all.length > size ? [all.subarray(size)] : [];
    this.in.held -= taken.length;
    this.#consume(taken.length);
    return taken;
  }

  /** All bytes that come until the end. */
  async readAll(atATime = 65536) {
    const parts = [];
    for (let part; (part = await this.read(atATime)).length;) parts.push(part);
    return Buffer.concat(parts);
  }

  #consume(size) {
    this.in.consumed += size;
    const grown = this.in.consumed + this.window - this.in.limit;
    if (grown >= this.window / 4 || this.#unacknowledged()) this.#state();
  }

  #unacknowledged() {
    return this.in.received - this.in.told >= Math.min(this.window, this.streams.kept) / 4;
  }

  #state() {
    if (!this.answered || this.wasReset) return;
    const body = Buffer.alloc(16);
    this.in.told = this.in.received;
    this.in.limit = Math.max(this.in.limit, this.in.consumed + this.window);
    body.writeBigUInt64BE(BigInt(this.in.received), 0);
    body.writeBigUInt64BE(BigInt(this.in.limit), 8);
    this.say(STATE, body);
  }

  // ---- the writer's side

  /** Resolves once no more than `window` bytes wait. */
  async write(data) {
    const bytes = Buffer.from(data);
    if (bytes.length) this.out.parts.push(bytes);
    this.out.written += bytes.length;
    this.#pump();
    while (this.out.written - this.out.base > this.window && !this.end)
      await Promise.race([once(this, 'room'), this.closed]);
  }

  /** Writes all of these bytes, a piece at a time, and our end. */
  async writeAll(bytes, atATime = 40_000) {
    for (let at = 0; at < bytes.length; at += atATime)
      await this.write(bytes.subarray(at, at + atATime));
    this.finish();
  }

  finish() {
    this.out.ended = true;
    this.#pump();
  }

  reset(reason = 'cancelled') {
    this.wasReset = true;
    this.say(RESET, json({ reason }));
  }

  #pump() {
    const { out } = this;
    if (!out.synced || this.wasReset) return;
    let at = out.base;
    for (const part of out.parts) {
      while (out.sent < at + part.length && out.sent < out.limit) {
        const from = out.sent - at;
        const piece = part.subarray(
          from,
          Math.min(part.length, from + DATA_MAX, from + out.limit - out.sent),
        );
        this.say(DATA, piece);
        out.sent += piece.length;
      }
      at += part.length;
    }
    if (out.ended && out.sent === out.written) {
      this.say(END);
      out.sent++;
    }
  }

  #heard(received, limit) {
    const { out } = this;
    if (!out.synced) out.sent = received;
    out.synced = true;
    out.limit = limit;
    while (out.parts.length && out.base + out.parts[0].length <= received)
      out.base += out.parts.shift().length;
    if (out.parts.length && received > out.base) {
      out.parts[0] = out.parts[0].subarray(received - out.base);
      out.base = received;
    }
    this.outReceived = received;
    this.emit('room');
    this.#pump();
    this.#conclude();
  }

  // ---- its end

  attach() {
    this.out.synced = false;
    if (this.wasReset) this.say(RESET, json({ reason: 'cancelled' }));
    else if (!this.answered) this.say(OPEN, json(this.wish));
    else this.#state();
  }

  #conclude() {
    if (this.in.ended && this.out.ended && this.outReceived === this.out.written + 1)
      this.#over({});
  }

  #over(end) {
    if (this.end) return;
    this.end = end;
    this.streams.channels.delete(this.number);
    this.settle.reject(Object.assign(new Error(end.reason ?? 'over'), end));
    this.emit('over', end);
  }

  receive(type, body) {
    if (type === OPENED && !this.answered) {
      this.answered = true;
      this.#state();
      this.settle.resolve(JSON.parse(body));
    } else if (type === DATA) {
      this.in.received += body.length;
      if (this.onData) {
        this.onData(body);
        this.#consume(body.length);
      } else {
        this.in.parts.push(body);
        this.in.held += body.length;
        if (this.#unacknowledged()) this.#state();
      }
      this.emit('data');
    } else if (type === STATE) {
      this.#heard(Number(body.readBigUInt64BE(0)), Number(body.readBigUInt64BE(8)));
    } else if (type === END) {
      this.in.received++;
      this.in.ended = true;
      this.#state();
      this.emit('data');
      this.#conclude();
    } else if (type === RESET) {
      this.say(GONE);
      this.#over(JSON.parse(body));
    } else if (type === GONE) {
      this.#over(this.wasReset ? { reason: 'cancelled' } : { reason: 'stream-gone' });
    }
  }
}
