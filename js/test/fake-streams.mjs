// SPDX-License-Identifier: MIT
/**
 * The server's side of byte streams, written after docs/protocol.md, section 10, and apart from the
 * client, so that each checks the other. It has whole buffers where the client has queues.
 */
import assert from 'node:assert/strict';

const OPEN = 1;
const OPENED = 2;
const DATA = 3;
const STATE = 4;
const END = 5;
const RESET = 6;
const GONE = 7;

export const frame = (type, channel, body = Buffer.alloc(0)) => {
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32BE(channel, 1);
  return Buffer.concat([head, body]);
};
export const frameOf = {
  open: (channel, data) => frame(OPEN, channel, Buffer.from(JSON.stringify(data))),
  opened: (channel, data) => frame(OPENED, channel, Buffer.from(JSON.stringify(data))),
  data: (channel, bytes) => frame(DATA, channel, Buffer.from(bytes)),
  state: (channel, received, limit) => {
    const body = Buffer.alloc(16);
    body.writeBigUInt64BE(BigInt(received), 0);
    body.writeBigUInt64BE(BigInt(limit), 8);
    return frame(STATE, channel, body);
  },
  end: (channel) => frame(END, channel),
  reset: (channel, data) => frame(RESET, channel, Buffer.from(JSON.stringify(data))),
  gone: (channel) => frame(GONE, channel),
};

/**
 * One stream as the server has it. The test is the target: it reads `got`, writes, ends and resets.
 */
export class FakeStream {
  /** The client's direction: all bytes that have ever arrived, and whether they are all. */
  got = Buffer.alloc(0);
  gotEnd = false;
  /** How many of these bytes the target has taken. Infinity: all, as they arrive. */
  taken = Infinity;
  /** The RESET of the client, or null. */
  resetBy = null;
  over = false;
  onchange = () => {};
  #streams;
  #answer = null;
  #reset = null;
  #sent = Buffer.alloc(0);
  #end = false;
  #at = 0;
  #most = 0;
  #clientHas = 0;
  #limit = 0;
  #synced = false;
  #granted = 0;

  /** How many of our bytes the client is known to have. */
  get acknowledged() {
    return this.#clientHas;
  }

  constructor(streams, number, request) {
    this.#streams = streams;
    this.number = number;
    this.request = request;
  }

  accept(
    info = {
      remoteAddress: '192.0.2.7',
      remotePort: 7,
      localAddress: '192.0.2.1',
      localPort: 40_000,
    },
  ) {
    this.#answer = info;
    this.#say(frameOf.opened(this.number, info));
    this.#tell();
    this.#push();
  }

  write(bytes) {
    this.#sent = Buffer.concat([this.#sent, Buffer.from(bytes)]);
    this.#push();
  }

  end() {
    this.#end = true;
    this.#push();
  }

  reset(data) {
    this.#reset = data;
    this.#say(frameOf.reset(this.number, data));
  }

  /** The target reads this many bytes in all. */
  take(upTo) {
    this.taken = upTo;
    this.#tell();
  }

  /** How many bytes the client is known to have. */
  get delivered() {
    return Math.min(this.#clientHas, this.#sent.length);
  }

  attach() {
    this.#synced = false;
    if (this.#reset) this.#say(frameOf.reset(this.number, this.#reset));
    else if (this.#answer) this.#tell();
  }

  receive(type, body) {
    if (type === GONE || type === RESET) return this.#finish(type, body);
    if (this.#reset) return;
    if (type === OPEN && this.#answer) {
      this.#say(frameOf.opened(this.number, this.#answer));
      this.#tell();
    } else if (type === DATA) this.#data(body);
    else if (type === END) this.#gotEnd();
    else if (type === STATE)
      this.#state(Number(body.readBigUInt64BE(0)), Number(body.readBigUInt64BE(8)));
  }

  #finish(type, body) {
    if (type === RESET) {
      this.resetBy = JSON.parse(body);
      this.#say(frameOf.gone(this.number));
    }
    this.#leave();
  }

  #data(bytes) {
    assert.ok(!this.gotEnd, 'DATA behind END');
    assert.ok(bytes.length > 0 && bytes.length <= 65_536, `DATA of ${bytes.length}`);
    this.got = Buffer.concat([this.got, bytes]);
    assert.ok(
      this.got.length <= this.#granted,
      `${this.got.length} bytes where ${this.#granted} were granted`,
    );
    this.#tell();
    this.onchange();
  }

  #gotEnd() {
    assert.ok(!this.gotEnd, 'END behind END');
    this.gotEnd = true;
    this.#tell();
    this.onchange();
    this.#settle();
  }

  #state(received, limit) {
    assert.ok(
      received >= this.#clientHas && received <= this.#most,
      `STATE: received ${received} of ${this.#most}`,
    );
    assert.ok(limit >= this.#limit, 'STATE takes credit back');
    this.#clientHas = received;
    this.#limit = limit;
    if (!this.#synced) this.#at = received;
    this.#synced = true;
    this.onchange();
    if (!this.#settle()) this.#push();
  }

  #push() {
    const { piece } = this.#streams;
    while (this.#synced && this.#answer && this.#streams.attached) {
      const most = Math.min(this.#sent.length, this.#limit, this.#at + piece());
      if (this.#at < most) {
        this.#say(frameOf.data(this.number, this.#sent.subarray(this.#at, most)));
        this.#at = most;
      } else if (this.#end && this.#at === this.#sent.length) {
        this.#say(frameOf.end(this.number));
        this.#at++;
      } else break;
      this.#most = Math.max(this.#most, this.#at);
    }
  }

  #tell() {
    const has = this.got.length;
    this.#granted = Math.max(this.#granted, Math.min(has, this.taken) + this.#streams.window);
    if (this.#answer)
      this.#say(frameOf.state(this.number, has + (this.gotEnd ? 1 : 0), this.#granted));
  }

  #settle() {
    if (!this.gotEnd || this.#clientHas <= this.#sent.length) return false;
    this.#leave();
    return true;
  }

  #leave() {
    this.over = true;
    this.#streams.forget(this);
    this.onchange();
  }

  #say(bytes) {
    this.#streams.say(bytes);
  }
}

/**
 * All streams of one session. `onopen(stream)` answers each OPEN, and `say` sends on the present
 * connection.
 */
export class FakeStreams {
  all = [];
  attached = false;
  onopen = (stream) => stream.accept();
  #live = new Map();
  #last = 0;
  #out = null;

  constructor({ window = 10_000, streams = 8, piece = () => 1000 } = {}) {
    Object.assign(this, { window, streams, piece });
  }

  get live() {
    return this.#live.size;
  }

  /** The fields that `.welcome` has for streams. */
  get welcome() {
    return { streams: this.streams, streamWindow: this.window };
  }

  attach(out) {
    this.#out = out;
    this.attached = true;
    for (const stream of [...this.#live.values()]) stream.attach();
  }

  detach() {
    this.attached = false;
  }

  say(bytes) {
    if (this.attached) this.#out(bytes);
  }

  forget(stream) {
    this.#live.delete(stream.number);
  }

  receive(message) {
    const bytes = Buffer.from(
      message.buffer ?? message,
      message.byteOffset ?? 0,
      message.byteLength,
    );
    const type = bytes[0];
    const number = bytes.readUInt32BE(1);
    const stream = this.#live.get(number);
    if (stream) stream.receive(type, bytes.subarray(5));
    else if (type === OPEN) this.#open(number, JSON.parse(bytes.subarray(5)));
    else if (type !== GONE) this.say(frameOf.gone(number));
  }

  #open(number, request) {
    assert.ok(number > this.#last, `channel ${number} behind ${this.#last}`);
    assert.ok(this.#live.size < this.streams, 'more streams than allowed');
    this.#last = number;
    const stream = new FakeStream(this, number, request);
    this.#live.set(number, stream);
    this.all.push(stream);
    this.onopen(stream);
  }
}
