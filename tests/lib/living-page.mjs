// SPDX-License-Identifier: MIT
// living-page.mjs - a page in a browser that outlives its server: the server is ended and started
// again on the same port, and the page is asked what has become of it.
import assert from 'node:assert/strict';
import { Command } from './command.mjs';
import { adminOf, REPO, startServer } from './server.mjs';
import { until } from './until.mjs';
import path from 'node:path';

/** Servers of one folder, one after the other on one port. `now` is the one that runs. */
export class Succession {
  #options;

  static async start(options = {}) {
    const all = new Succession();
    all.#options = { root: path.join(REPO, 'tests/browser/site'), ...options };
    all.now = await startServer(all.#options);
    all.port = all.now.port;
    return all;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends the server: SIGTERM, or as if the machine had lost its power. */
  async ends(signal = 'SIGTERM') {
    if (signal === 'SIGKILL') process.kill(this.now.pid, signal);
    await this.now.stop(signal);
  }

  /** Lets the programs of a path go, as the operator does. */
  async restarts(where) {
    const { host } = new URL(await adminOf(this.now));
    const done = await Command.runs(['restart', '--admin', host, where]);
    assert.equal(done.status, 0, done.err);
  }

  /** The next server. `more` are options in the place of those of the first. */
  async starts(more = {}) {
    const { args = [] } = { ...this.#options, ...more };
    const listen = ['--listen', `127.0.0.1:${this.port}`];
    this.now = await startServer({ ...this.#options, ...more, args: [...listen, ...args] });
  }
}

export class LivingPage {
  /** @param tab of puppeteer */
  constructor(tab) {
    this.tab = tab;
  }

  static async opens(browser, url) {
    const page = new LivingPage(await browser.newPage());
    await page.tab.evaluateOnNewDocument(countFailures);
    await page.tab.goto(url);
    await page.is('open');
    return page;
  }

  /** Waits until a connection of the page's has failed before it was open. */
  hasTried() {
    return this.shows(() => window.failures > 0);
  }

  /** Asks the page; a page that is just being loaded can't be asked. */
  async asks(ask, ...args) {
    let answer;
    await until(
      async () => {
        const given = await this.tab.evaluate(ask, ...args).then(
          (value) => ({ value }),
          () => null,
        );
        return (answer = given);
      },
      () => `an answer to ${ask}`,
      60_000,
    );
    return answer.value;
  }

  /** Waits until the page says yes. */
  shows(ask, ...args) {
    return until(
      () => this.tab.evaluate(ask, ...args).catch(() => false),
      () => ask.toString(),
      120_000,
    );
  }

  /** Waits until the page's root element says that the connection is in this state. */
  is(state) {
    return this.shows((wanted) => document.documentElement.dataset.httpsocket === wanted, state);
  }

  /** Something that a loaded page would not have. */
  marks() {
    return this.asks(() => void (window.isTheSame = true));
  }

  /** Waits until the page was loaded again, and is open. */
  comesBack() {
    return this.shows(
      () => !window.isTheSame && document.documentElement.dataset.httpsocket === 'open',
    );
  }

  call(name, data) {
    return this.asks((called, given) => document.serverConnection.call(called, given), name, data);
  }

  says(name, data) {
    return this.asks((said, given) => document.serverConnection.send(said, given), name, data);
  }

  /** What the sign says, or null. */
  sign() {
    return this.asks(() => {
      const sign = document.querySelector('[role=status]');
      return sign?.getBoundingClientRect().height > 10 ? sign.textContent : null;
    });
  }

  /** Clicks the button of the sign, which is at its end. */
  async clicksSign() {
    const { right, y, height } = await this.asks(() =>
      document.querySelector('httpsocket-sign').getBoundingClientRect().toJSON(),
    );
    await this.tab.mouse.click(right - 30, y + height / 2);
  }

  async shownSign(pattern) {
    let sign;
    await until(
      async () => pattern.test((sign = (await this.sign()) ?? '')),
      () => `the sign ${pattern}, not '${sign}'`,
      60_000,
    );
  }

  hasSign() {
    return this.asks(() => document.querySelector('httpsocket-sign') !== null);
  }

  async isStillTheSame() {
    assert.equal(await this.asks(() => window.isTheSame), true);
  }
}

/** Runs in the page, before its scripts. */
function countFailures() {
  window.failures = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...how) {
      super(...how);
      let wasOpen = false;
      this.addEventListener('open', () => (wasOpen = true));
      this.addEventListener('close', () => (window.failures += wasOpen ? 0 : 1));
    }
  };
}
