// SPDX-License-Identifier: MIT
// stateful-page.mjs - a client that keeps the state of its program, and goes on from it in a new
// session: docs/protocol.md, section 12. It shares no code with the browser side.
import assert from 'node:assert/strict';
import { newKey, SessionClient } from './session-client.mjs';
import { request } from './request.mjs';
import { until } from './until.mjs';

const PIECE = 19;

export class StatefulPage extends SessionClient {
  /** The sealed state, and how many of `said` it covers. */
  state = null;
  covers = 0;
  /** Every `.saved?N` so far, as N. */
  saved = [];
  /** Events and calls that the state does not cover; with what was said on any connection. */
  kept = [];
  pieces = [];
  sent = 0;
  restoring = null;
  /** Its origin stays when it goes to another server. */
  keepsOrigin = false;
  /** `.stored` is said at once, or by the test. */
  stores = true;

  /** Loads a page and connects. */
  static async opens(server, where, options) {
    const answer = await request(server.at(where), options);
    const session = answer.headers['session-id'];
    const page = new StatefulPage(server.at(where), { session, ...options });
    Object.assign(page, { server, answer });
    page.welcome = await page.connect();
    return page;
  }

  get offered() {
    return [...super.offered, 'state', ...(this.restoring ? ['restore'] : [])];
  }

  takes(data, binary) {
    if (binary && data[0] === PIECE) {
      this.pieces.push(data.subarray(1));
      return true;
    }
    const head = /^\.saved\?(\d+)/.exec(data.subarray(0, 40).toString());
    if (!head) {
      if (!binary && data.toString().startsWith('.welcome ')) this.pieces = [];
      return false;
    }
    if (binary) this.state = Buffer.concat([...this.pieces, data.subarray(head[0].length + 1)]);
    if (binary) this.pieces = [];
    this.#covered(Number(head[1]));
    return true;
  }

  #covered(count) {
    assert.ok(count >= this.covers && count <= this.sent, `.saved?${count} after ${this.covers}`);
    this.kept = this.kept.slice(count - this.covers);
    this.covers = count;
    this.saved.push(count);
    if (this.stores) this.ws.send(`.stored ${count}`);
    this.emit('saved');
  }

  /** Events and calls, as text. */
  says(...lines) {
    for (const line of lines) {
      this.sent++;
      this.kept.push(line);
      if (this.ws.readyState === 1) this.send(line);
    }
  }

  /** Waits until a state has come that covers all that was said, or this many. */
  isSaved(count = this.sent) {
    return until(
      () => this.state && this.covers >= count,
      () => `a state that covers ${count}, not ${this.covers}`,
    );
  }

  /** Asks for a new session with the state; resolves with its `.welcome`. */
  async asksAnew(url = this.url) {
    Object.assign(this, { url, session: undefined, key: newKey(), received: 0, restoring: {} });
    if (!this.keepsOrigin) this.origin = new URL(url).origin;
    const welcome = await this.connect();
    assert.equal(welcome.restore, true);
    const { kept } = this;
    Object.assign(this, { pieces: [], covers: 0, kept: [], sent: 0 });
    return { welcome, kept };
  }

  /** What `.restore` of this state is. */
  restore(why, resent, state = this.state) {
    const head = `.restore ${JSON.stringify({ why, resent })}\n`;
    return Buffer.concat([Buffer.from(head), state]);
  }

  /** Goes on from the state in a new session, at this server or another one. */
  async goesOn(why = 'crash', server = this.server) {
    const where = new URL(this.url);
    const { welcome, kept } = await this.asksAnew(server.url + where.pathname + where.search);
    this.server = server;
    const restored = this.#restored();
    this.ws.send(this.restore(why, kept.length));
    this.restoring = null;
    this.says(...kept);
    await restored;
    return { welcome, resent: kept.length };
  }

  #restored() {
    const before = this.control.length;
    const is = () => this.control.slice(before).includes('.restored');
    return Promise.race([
      until(is, () => 'a session that is restored'),
      this.closed.then(({ code, reason }) => assert.ok(is(), `closed: ${code} ${reason}`)),
    ]);
  }
}
