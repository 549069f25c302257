// SPDX-License-Identifier: MIT
// part-gate.mjs - between a browser and a server: passes everything on, and does to the parts of
// client.js what a test wants.
import http from 'node:http';
import net from 'node:net';

/** Of `client.js?dom.0123456789abcdef`: dom. */
const PART = /\/client\.js\?(\w+)\./;

export class PartGate {
  /** The parts that were asked for. */
  asked = [];
  /** What is done to a part: pass, cut (the connection is lost), hold, or age (another version). */
  #plan = () => 'pass';
  #held = [];
  #sockets = new Set();

  /** @param {number} port of the server */
  static async start(port) {
    const gate = new PartGate();
    gate.port = port;
    gate.server = http.createServer((request, response) => gate.#ask(request, response));
    gate.server.on('upgrade', (request, socket, head) => gate.#upgrade(request, socket, head));
    await new Promise((done) => gate.server.listen(0, '127.0.0.1', done));
    gate.url = `http://127.0.0.1:${gate.server.address().port}`;
    return gate;
  }

  /** @param {(part: string, nth: number) => string} plan `nth` time that this part is asked for */
  plan(plan) {
    this.#plan = plan;
    this.asked = [];
  }

  /** Lets those pass that are held. */
  release() {
    for (const pass of this.#held.splice(0)) pass();
  }

  /** Cuts the WebSockets. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop() {
    this.release();
    this.cut();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  #ask(request, response) {
    const part = PART.exec(request.url)?.[1];
    if (part) this.asked.push(part);
    const what = part
      ? this.#plan(part, this.asked.filter((name) => name === part).length)
      : 'pass';
    if (what === 'cut') return request.socket.destroy();
    const path = what === 'age' ? request.url.replace(/\.[0-9a-f]{8}/, '.00000000') : request.url;
    const pass = () => this.#pass(request, path, response);
    if (what === 'hold') this.#held.push(pass);
    else pass();
  }

  #pass({ method, headers }, path, response) {
    const to = http.request(
      { port: this.port, host: '127.0.0.1', method, path, headers },
      (from) => {
        // A browser that has a part already would not ask for it.
        response.writeHead(from.statusCode, { ...from.headers, 'cache-control': 'no-store' });
        from.pipe(response);
      },
    );
    to.on('error', () => response.destroy());
    to.end();
  }

  #upgrade(request, socket, head) {
    const to = net.connect(this.port, '127.0.0.1');
    const lines = request.rawHeaders.map((one, i) => (i % 2 ? `${one}\r\n` : `${one}: `)).join('');
    to.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines}\r\n`);
    to.write(head);
    this.#sockets.add(socket);
    for (const [a, b] of [
      [socket, to],
      [to, socket],
    ]) {
      a.on('error', () => b.destroy());
      a.on('close', () => (this.#sockets.delete(socket), b.destroy()));
      a.pipe(b);
    }
  }
}
