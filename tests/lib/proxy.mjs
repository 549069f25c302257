// SPDX-License-Identifier: MIT
// proxy.mjs - a network that fails on demand: a TCP proxy on loopback between a client and a
// server under test.
import net from 'node:net';
import { EventEmitter, once } from 'node:events';

/**
 * Starts a proxy to 127.0.0.1:`target`. A *link* is one proxied connection.
 *
 * `cut(filter)` breaks the links of now; `freeze(filter)` leaves them open and lets nothing
 * through any more; `refuse(on)` makes new links fail at once, or with an answer, if `on` is one;
 * `plan(link => {downAfter, upAfter, delay, rate})` gives each new link a number of bytes after
 * which it is cut, by direction (undefined: never), the milliseconds that a WebSocket's bytes take
 * either way, and how many bytes a second it lets through either way (`rate`). A link knows
 * `websocket` (its first request was an upgrade), `up` and `down` (bytes so far). Emits `link`,
 * and `websocket` when one has been recognised.
 */
export class Proxy extends EventEmitter {
  links = new Set();
  cuts = 0;
  #server;
  #target;
  #plan = () => ({});
  #refusing = false;

  static async start(target) {
    const proxy = new Proxy();
    proxy.#target = target;
    proxy.#server = net.createServer((client) => proxy.#accept(client));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port() {
    return this.#server.address().port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where new links lead to from now on: for a server that has to know the proxy's port first. */
  to(target) {
    this.#target = target;
  }

  plan(plan) {
    this.#plan = plan;
  }

  refuse(on) {
    this.#refusing = on;
  }

  cut(filter = (link) => link.websocket) {
    const chosen = [...this.links].filter(filter);
    for (const link of chosen) this.#end(link);
    return chosen.length;
  }

  freeze(filter = (link) => link.websocket) {
    for (const link of [...this.links].filter(filter)) link.frozen = true;
  }

  async stop() {
    this.#server.close();
    for (const link of this.links) this.#end(link);
  }

  #end(link) {
    if (!this.links.delete(link)) return;
    if (link.websocket) this.cuts++;
    // Not resetAndDestroy(): Node 20 may lose a socket that is reset while it ends,
    // and then spins for ever at its exit.
    link.client.destroy();
    link.server.destroy();
  }

  #accept(client) {
    if (this.#refusing === true) {
      client.destroy();
      return;
    }
    if (this.#refusing) {
      const answer = this.#refusing;
      client.on('error', () => {}).once('data', () => (client.end(answer), this.emit('refused')));
      return;
    }
    const link = {
      client,
      server: net.connect(this.#target, '127.0.0.1'),
      up: 0,
      down: 0,
      websocket: false,
      frozen: false,
    };
    link.limits = this.#plan(link);
    this.links.add(link);
    for (const socket of [link.client, link.server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.#end(link));
    }
    const late = (run) =>
      link.websocket && link.limits.delay
        ? setTimeout(() => this.links.has(link) && run(), link.limits.delay)
        : run();
    if (link.limits.rate) {
      this.#throttle(client, (data) => this.#forward(link, data, 'up', link.server), link);
      this.#throttle(link.server, (data) => this.#forward(link, data, 'down', client), link);
      return void this.emit('link', link);
    }
    client.on('data', (data) => late(() => this.#forward(link, data, 'up', link.server)));
    link.server.on('data', (data) => late(() => this.#forward(link, data, 'down', link.client)));
    client.on('end', () => late(() => link.frozen || link.server.end()));
    link.server.on('end', () => late(() => link.frozen || link.client.end()));
    client.on('close', () => link.server.destroyed && this.links.delete(link));
    link.server.on('close', () => client.destroyed && this.links.delete(link));
    this.emit('link', link);
  }

  /** Takes no more from the socket than the rate lets through. */
  #throttle(socket, forward, { limits: { rate } }) {
    const STEP_MS = 20;
    const queue = [];
    let ended = false;
    socket.on('data', (data) => (queue.push(data), socket.pause()));
    socket.on('end', () => (ended = true));
    const other = () => [...this.links].find((l) => l.client === socket || l.server === socket);
    const timer = setInterval(() => {
      const link = other();
      if (!link) return clearInterval(timer);
      for (let left = (rate * STEP_MS) / 1000; left > 0 && queue.length;) {
        const part = queue[0].subarray(0, left);
        queue[0] = queue[0].subarray(part.length);
        if (!queue[0].length) queue.shift();
        left -= part.length;
        forward(part);
      }
      if (queue.length) return;
      if (ended) return void (clearInterval(timer), this.#end(link));
      socket.resume();
    }, STEP_MS);
  }

  #forward(link, data, direction, to) {
    if (link.frozen) return;
    if (
      direction === 'up' &&
      link.up === 0 &&
      /upgrade: *websocket/i.test(data.toString('latin1'))
    ) {
      link.websocket = true;
      this.emit('websocket', link);
    }
    const limit = link.websocket ? link.limits[`${direction}After`] : undefined;
    const allowed = limit === undefined ? data.length : Math.max(0, limit - link[direction]);
    link[direction] += Math.min(allowed, data.length);
    if (allowed > 0) to.write(data.subarray(0, allowed));
    if (data.length < allowed || limit === undefined || link[direction] < limit) return;
    // The allowed bytes have to arrive before the reset.
    if (to.writableLength === 0) this.#end(link);
    else to.once('drain', () => this.#end(link));
  }
}

/** Numbers from a seed, so that a failing run can be repeated (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
