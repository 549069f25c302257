// SPDX-License-Identifier: MIT
// page.mjs - one page of the storm: a client of `httpsocket.v1` over any number of connections and
// servers. It keeps what docs/protocol.md, sections 3 and 12, have a client keep, and goes on from
// its state where its session is gone.
import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';
import { request } from '../../tests/lib/request.mjs';

const PIECE = 19;
const ACK_EVERY = 8;
const WAIT_MS = { first: 100, most: 3000 };
const GONE = new Set([4410, 1012, 4500]);

export class Page {
  /** The sequenced messages of this session that no state covers; `base` are covered. */
  #kept = [];
  #base = 0;
  #sent = 0; // of this session, on this connection and those before it
  #ever = 0; // the most of that
  #received = 0;
  #acknowledged = 0;
  #state = null;
  #pieces = [];
  #session = null;
  #key = null;
  #restoring = null; // how many of the first of #kept the old process may have seen
  #ws = null;
  #tries = 0;
  #timer = null;
  isAttached = false;
  isOver = false;
  counts = { cuts: 0, resumed: 0, restored: 0, loaded: 0 };

  /**
   * @param storm `url()` of the balancer; `hears(page, name, data)` for each sequenced message;
   * `begins(page)` before another program's first; `ends(page, code, reason)`: whether the session
   * may end so; `fails(text)`
   */
  constructor(storm, number, topic) {
    Object.assign(this, { storm, number, topic });
    this.where = `storm?n=${number}&t=${topic}`;
  }

  async loads() {
    if (this.isOver) return;
    try {
      const { status, headers } = await request(`${this.storm.url}/${this.where}`);
      if (status === 200 && headers['session-id']) {
        this.counts.loaded++;
        this.#forget(headers['session-id']);
        this.#kept = [];
        this.storm.begins(this, null);
        return this.#connects();
      }
      if (![502, 503, 504].includes(status)) this.storm.fails(`${this}: loaded with ${status}`);
    } catch (error) {
      if (!['ECONNRESET', 'EPIPE'].includes(error.code)) throw error;
    }
    this.#later(() => this.loads());
  }

  toString() {
    return `page ${this.number}`;
  }

  says(text) {
    this.#kept.push(text);
    if (this.isAttached) this.#sends();
  }

  /** Its connection breaks, without a word. */
  cuts() {
    if (!this.#ws || this.#ws.readyState !== WebSocket.OPEN) return;
    this.counts.cuts++;
    this.#ws.terminate();
  }

  /** What it has received is acknowledged at the latest when this is called. */
  acknowledges() {
    if (!this.isAttached || this.#acknowledged === this.#received) return;
    this.#acknowledged = this.#received;
    this.#ws.send(`.ack ${this.#received}`);
  }

  /** Its session ends for good. */
  closes() {
    this.isOver = true;
    clearTimeout(this.#timer);
    if (this.isAttached) this.#ws.send('.close {"reason":"storm over"}');
    else this.#ws?.terminate();
  }

  /** It can go on at another server. */
  get hasState() {
    return this.#state !== null;
  }

  #forget(session) {
    Object.assign(this, { isAttached: false });
    this.#session = session;
    this.#key = randomBytes(18).toString('base64url');
    this.#base = this.#sent = this.#ever = this.#received = this.#acknowledged = 0;
    this.#pieces = [];
  }

  #later(what, ms = Math.min(WAIT_MS.first * 2 ** this.#tries++, WAIT_MS.most)) {
    if (this.isOver) return;
    this.#timer = setTimeout(what, ms * (0.5 + Math.random() / 2));
  }

  #connects() {
    if (this.isOver) return;
    const offered = ['httpsocket.v1', `key.${this.#key}`, 'state'];
    if (this.#session) offered.push(`session.${this.#session}`, `received.${this.#received}`);
    if (this.#restoring !== null) offered.push('restore');
    const url = `${this.storm.url.replace('http', 'ws')}/${this.where}`;
    const ws = new WebSocket(url, offered, { origin: this.storm.url });
    this.#ws = ws;
    ws.on('unexpected-response', (asked, { statusCode }) => {
      if (![502, 503, 504].includes(statusCode))
        this.storm.fails(`${this}: handshake answered ${statusCode}`);
      asked.destroy();
      this.#isClosed(1006, '');
    });
    ws.on('error', () => {});
    ws.on('message', (data, binary) => ws === this.#ws && this.#takes(data, binary));
    ws.on('close', (code, reason) => ws === this.#ws && this.#isClosed(code, reason.toString()));
  }

  #isClosed(code, reason) {
    this.#ws = null;
    this.isAttached = false;
    this.awaySince ??= Date.now();
    if (this.isOver) return;
    if (code < 4000 && !GONE.has(code)) {
      const wait = code === 1013 && /retry=(\d+)/.exec(reason);
      this.storm.waits(this, code, reason);
      return this.#later(() => this.#connects(), wait ? Number(wait[1]) * 1000 : undefined);
    }
    if (!GONE.has(code) || !this.storm.ends(this, code, reason))
      return this.storm.fails(`${this}: closed with ${code} ${reason}`);
    this.storm.leaves(this);
    if (!this.#state) {
      return this.#later(() => this.loads());
    }
    this.counts.restored++;
    this.#restoring = Math.max(this.#ever - this.#base, this.#restoring ?? 0);
    this.storm.begins(this, this.#kept.slice(0, this.#restoring));
    this.#forget(null);
    this.#later(() => this.#connects());
  }

  #takes(data, binary) {
    if (binary && data[0] === PIECE) return void this.#pieces.push(data.subarray(1));
    const head = data.toString('utf8', 0, 40);
    if (head.startsWith('.saved?')) return this.#saved(data, binary);
    const text = data.toString();
    if (text.startsWith('.')) return this.#controls(text);
    this.#received++;
    if (this.#received - this.#acknowledged >= ACK_EVERY) this.acknowledges();
    const space = text.indexOf(' ');
    this.storm.hears(this, text.slice(0, space), JSON.parse(text.slice(space + 1)));
  }

  #saved(data, binary) {
    const lf = binary ? data.indexOf(10) : data.length;
    const count = Number(data.toString('utf8', 7, lf));
    if (count < this.#base || count > this.#ever)
      return this.storm.fails(`${this}: .saved?${count} of ${this.#base} to ${this.#ever}`);
    if (binary) this.#state = Buffer.concat([...this.#pieces, data.subarray(lf + 1)]);
    this.#pieces = [];
    this.#kept.splice(0, count - this.#base);
    this.#base = count;
    this.#ws.send(`.stored ${count}`);
  }

  #controls(text) {
    if (text === '.ping') this.#ws.send('.pong');
    else if (text.startsWith('.welcome ')) this.#isWelcome(JSON.parse(text.slice(9)));
    else if (text === '.restored') this.#restoring = null;
  }

  #isWelcome(welcome) {
    this.#tries = 0;
    this.#pieces = [];
    this.#session = welcome.session;
    if (welcome.resumed) this.counts.resumed++;
    this.isAttached = true;
    if (welcome.restore) this.#restores();
    else if (this.#restoring !== null && !welcome.resumed)
      return this.storm.fails(`${this}: a server that knows no states`);
    else this.#restoring = null;
    if (welcome.received < this.#base || welcome.received > this.#ever)
      return this.storm.fails(
        `${this}: received ${welcome.received} of ${this.#base} to ${this.#ever}`,
      );
    this.#sent = welcome.received;
    this.#sends();
    this.storm.attached(this, welcome.resumed && !welcome.restore);
  }

  #restores() {
    const head = `.restore ${JSON.stringify({ why: 'deploy', resent: this.#restoring })}\n`;
    this.#ws.send(Buffer.concat([Buffer.from(head), this.#state]));
  }

  #sends() {
    for (; this.#sent < this.#base + this.#kept.length; this.#sent++)
      this.#ws.send(this.#kept[this.#sent - this.#base]);
    this.#ever = Math.max(this.#ever, this.#sent);
  }
}
