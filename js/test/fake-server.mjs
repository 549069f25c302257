// SPDX-License-Identifier: MIT
/**
 * A small server of `httpsocket.v1` on loopback, written after docs/protocol.md and apart from the
 * client, so that each checks the other; and a network that cuts connections, splits messages and
 * goes silent at random.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { WebSocketServer } from 'ws';

/** Random numbers from 0 to 1 that depend on a seed (mulberry32). */
export function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One page and one program. The test is the program: it sets `onmessage` and calls send(). */
class Session {
  id = randomBytes(18).toString('base64url');
  onmessage = (_text, _bytes) => {};
  onend = (_reason) => {};
  connections = 0;
  received = 0;
  ended = null;
  #sent = []; // every sequenced message since `acknowledged`
  #acknowledged = 0;
  #next = 0;
  #flying = 0;
  #socket = null;
  #waiters = [];

  constructor(key, limits) {
    this.key = key;
    this.limits = limits;
  }

  /**
   * Queues a message. The promise is fulfilled when there is room for more, as a blocking write
   * would return.
   */
  send(message) {
    this.#sent.push(message);
    this.#pump();
    return this.#next === this.#sent.length
      ? Promise.resolve()
      : new Promise((resolve) => this.#waiters.push(resolve));
  }

  attach(socket, received) {
    if (received < this.#acknowledged || received > this.#acknowledged + this.#sent.length)
      return socket.close(4410, 'session-gone');
    this.#socket?.removeAllListeners('message');
    this.#socket?.close(4000, 'replaced');
    this.#socket = socket;
    socket.on('message', (data, isBinary) => this.#take(socket, data, isBinary));
    const resumed = this.connections++ > 0;
    socket.send(
      `.welcome ${JSON.stringify({ session: this.id, resumed, received: this.received, ...this.limits })}`,
    );
    this.#forget(received);
    this.#next = 0;
    this.#flying = 0;
    this.#pump();
  }

  end(code, reason) {
    this.ended = { code, reason };
    this.#socket?.close(code, reason);
  }

  #take(socket, data, isBinary) {
    if (socket !== this.#socket) return;
    const text = isBinary ? null : data.toString();
    if (text?.startsWith('.')) return this.#control(text);
    this.received++;
    socket.send(`.ack ${this.received}`);
    this.onmessage(text, isBinary ? data : null);
  }

  #control(text) {
    const [word, rest] = text.split(/ (.*)/s);
    if (word === '.ack') this.#acknowledge(Number(rest));
    if (word === '.ping') this.#socket.send('.pong');
    if (word === '.close')
      this.onend((this.ended = { code: 1000, reason: JSON.parse(rest).reason }).reason);
  }

  #acknowledge(count) {
    if (count < this.#acknowledged || count > this.#acknowledged + this.#next)
      return this.end(4400, `wire-protocol: .ack ${count}`);
    this.#forget(count);
    this.#pump();
  }

  #forget(count) {
    const gone = this.#sent.splice(0, count - this.#acknowledged);
    this.#acknowledged = count;
    this.#next = Math.max(0, this.#next - gone.length);
    this.#flying = this.#sent
      .slice(0, this.#next)
      .reduce((sum, message) => sum + Buffer.byteLength(message), 0);
  }

  #pump() {
    for (; this.#socket?.readyState === 1 && this.#next < this.#sent.length; this.#next++) {
      const message = this.#sent[this.#next];
      const size = Buffer.byteLength(message);
      if (this.#flying && this.#flying + size > this.limits.window) return;
      this.#flying += size;
      this.#socket.send(message);
    }
    if (this.#next === this.#sent.length) for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

export class FakeServer {
  sessions = [];
  /** Called for each new session, as the server would start a program. */
  onsession = (_session) => {};
  #limits;
  #server;

  constructor(limits = {}) {
    this.#limits = { window: 65_536, maxMessage: 1 << 20, ping: 20_000, grace: 600_000, ...limits };
    this.#server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      perMessageDeflate: false,
      handleProtocols: (offered) => offered.has('httpsocket.v1') && 'httpsocket.v1',
    });
    this.#server.on('connection', (socket, request) => this.#connected(socket, request));
  }

  async start() {
    if (!this.#server.address()) await once(this.#server, 'listening');
    return this.#server.address().port;
  }

  stop() {
    for (const socket of this.#server.clients) socket.terminate();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #connected(socket, request) {
    socket.on('error', () => {});
    const offer = Object.fromEntries(
      request.headers['sec-websocket-protocol']
        .split(/, */)
        .slice(1)
        .map((word) => word.split('.')),
    );
    const session =
      this.sessions.find(({ id, key }) =>
        offer.session ? id === offer.session : key === offer.key,
      ) ?? this.#begin(offer);
    if (!session) return socket.close(4410, 'session-gone');
    if (session.key !== offer.key) return socket.close(4409, 'session-taken');
    if (session.ended)
      return socket.close(
        session.ended.code === 1000 ? 4410 : session.ended.code,
        session.ended.reason,
      );
    session.attach(socket, Number(offer.received ?? 0));
  }

  #begin({ session: id, key }) {
    if (id) return null;
    const session = new Session(key, this.#limits);
    this.sessions.push(session);
    this.onsession(session);
    return session;
  }
}

/**
 * A network between a client and a server. It breaks each connection after a random number of
 * bytes, anywhere in a message.
 */
export class BadNetwork {
  cuts = 0;
  #random;
  #target;
  #server = net.createServer((near) => this.#join(near));
  #sockets = new Set();
  #good = false;

  constructor(target, random) {
    this.#target = target;
    this.#random = random;
  }

  async start() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this.#server.address().port;
  }

  /** No more cuts from now on. */
  heal() {
    this.#good = true;
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near) {
    const far = net.connect(this.#target, '127.0.0.1');
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    }
    const road = { left: this.#budget(), deaf: false };
    const cut = () => {
      if (near.destroyed) return;
      this.cuts++;
      road.deaf = this.#random() < 0.3; // the server does not learn of it: its socket stays open
      near.destroy();
      if (!road.deaf) far.destroy();
    };
    this.#carry(near, far, road, cut);
    this.#carry(far, near, road, cut);
    near.on('close', () => road.deaf || far.destroy());
    far.on('close', () => near.destroy());
  }

  /**
   * How many bytes until the next cut: in the handshake, in the welcome, or some hundred thousand
   * bytes of messages later.
   */
  #budget() {
    const inHandshake = this.#random() < 0.2;
    return Math.floor(inHandshake ? this.#random() * 700 : 400 + 10 ** (this.#random() * 5.3));
  }

  #carry(from, to, road, cut) {
    from.on('data', (chunk) => {
      if (this.#good) return void to.write(chunk);
      const whole = chunk.length < road.left;
      const part = whole ? chunk : chunk.subarray(0, road.left);
      road.left -= part.length;
      const middle = Math.floor(this.#random() * part.length);
      to.write(part.subarray(0, middle));
      to.write(part.subarray(middle));
      if (!whole) setImmediate(cut);
    });
  }
}

/** A clock that runs faster, so that the waits between attempts are short. */
export function fastClock(speed, random) {
  return {
    now: () => performance.now() * speed,
    date: () => Date.now() * speed,
    setTimeout: (run, ms) => setTimeout(run, ms / speed),
    clearTimeout: (timer) => clearTimeout(timer),
    random,
  };
}
