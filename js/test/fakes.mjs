// SPDX-License-Identifier: MIT
/** A clock that runs only when a test advances it, and WebSockets whose other end is the test. */
import { ExpiringStore } from '../src/access/expiring-store.mjs';

export class FakeClock {
  time = 1000;
  chance = 0.5;
  #timers = new Map();
  #made = 0;

  now = () => this.time;
  date = () => 1e12 + this.time;
  random = () => this.chance;
  setTimeout = (run, ms) => {
    this.#timers.set(++this.#made, { at: this.time + ms, run });
    return this.#made;
  };
  clearTimeout = (timer) => void this.#timers.delete(timer);

  /** Runs the timers that are due within `ms`, each at its time. */
  advance(ms) {
    const end = this.time + ms;
    for (let due; (due = this.#next(end));) {
      this.#timers.delete(due.id);
      this.time = due.at;
      due.run();
    }
    this.time = end;
  }

  /** The machine sleeps: time passes, and timers that are due run late. */
  sleep(ms) {
    this.time += ms;
    this.advance(0);
  }

  get pending() {
    return this.#timers.size;
  }

  #next(end) {
    let first = null;
    for (const [id, { at, run }] of this.#timers)
      if (at <= end && (!first || at < first.at)) first = { id, at, run };
    return first && { ...first, at: Math.max(first.at, this.time) };
  }
}

export const SESSION = 'abcdefghijklmnopqrstuvwx';

/** A WebSocket class, and the list of the sockets made of it. */
export function fakeWebSockets() {
  const made = [];
  class FakeWebSocket {
    readyState = 0;
    protocol = '';
    sent = [];
    closedWith = null;
    bufferedAmount = 0;
    constructor(url, protocols, more) {
      Object.assign(this, { url, protocols, more });
      made.push(this);
    }
    send(data) {
      if (this.readyState === 0) throw new Error('send() before open');
      if (this.readyState === 1) this.sent.push(data);
    }
    close(code, reason) {
      this.closedWith ??= { code, reason };
      this.readyState = Math.max(this.readyState, 2);
    }

    // What follows is the server's side.
    accept(protocol = 'httpsocket.v1') {
      this.readyState = 1;
      this.protocol = protocol;
      this.onopen?.({});
    }
    welcome(fields = {}) {
      this.accept();
      this.receive(`.welcome ${JSON.stringify(welcomeFields(fields))}`);
    }
    receive(data) {
      this.onmessage?.({ data: data instanceof Uint8Array ? data.slice().buffer : data });
    }
    lose(code = 1006, reason = '') {
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }
    /** What was sent since the last call. */
    take() {
      return this.sent.splice(0);
    }
  }
  return { WebSocket: FakeWebSocket, made, last: () => made.at(-1) };
}

export function welcomeFields(fields = {}) {
  return {
    session: SESSION,
    resumed: false,
    received: 0,
    window: 1000,
    maxMessage: 5000,
    ping: 20_000,
    grace: 600_000,
    ...fields,
  };
}

/** As much of a window as belongs to the life of a page. */
export function fakeScope() {
  const scope = new EventTarget();
  scope.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  scope.fire = (name, fields = {}) => scope.dispatchEvent(Object.assign(new Event(name), fields));
  return scope;
}

/** A MutationObserver that never has anything to tell. */
export class FakeObserver {
  observe() {}
  disconnect() {}
  takeRecords = () => [];
}

/** A ServerConnection on fakes, and the list of lifecycle events that it has fired. */
export function fakeConnection(ServerConnection, options = {}) {
  const sockets = fakeWebSockets();
  const {
    url = 'ws://a.example/page',
    clock = new FakeClock(),
    scope = fakeScope(),
    ...more
  } = options;
  const store = new ExpiringStore(() => null);
  const c = new ServerConnection(url, {
    WebSocket: sockets.WebSocket,
    clock,
    scope,
    store,
    ...more,
  });
  const events = [];
  for (const name of ['open', 'suspend', 'resume', 'close', 'error'])
    c.addEventListener(name, (event) => events.push(event));
  return { c, clock, scope, events, names: () => events.map((event) => event.type), ...sockets };
}

/** The same connection, welcomed by the server. */
export function openConnection(ServerConnection, options = {}, fields = {}) {
  const all = fakeConnection(ServerConnection, options);
  all.last().welcome(fields);
  return all;
}
