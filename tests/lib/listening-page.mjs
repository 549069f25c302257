// SPDX-License-Identifier: MIT
// listening-page.mjs - a page in a browser whose program
// (tests/browser/site/listens.py) listens to it.
import assert from 'node:assert/strict';
import { until } from './until.mjs';

export class ListeningPage {
  /** @param page of puppeteer @param url of the server, or of a proxy before it */
  constructor(page, url) {
    Object.assign(this, { page, url });
  }

  /** A fresh page with this HTML in its <main>, and these listeners. */
  async open(html, ...listens) {
    await this.page.goto(`${this.url}/listens.py`);
    await this.page.evaluate(
      (inside) => void (document.querySelector('main').innerHTML = inside),
      html,
    );
    await this.listen(...listens);
  }

  listen(...listens) {
    return this.tell(...listens.map((data) => `.listen ${JSON.stringify(data)}`));
  }

  unlisten(data) {
    return this.tell(`.unlisten ${JSON.stringify(data)}`);
  }

  /** Has the program write these lines, and waits until the page has them. */
  tell(...lines) {
    return this.page.evaluate(
      (all) => document.serverConnection.call('tell', all, { timeout: 60_000 }),
      lines,
    );
  }

  /** The events that the program has heard since the last call: a list of [name, data]. */
  async heard() {
    return JSON.parse(
      await this.page.evaluate(async () =>
        JSON.stringify(await document.serverConnection.call('heard', null, { timeout: 60_000 })),
      ),
    );
  }

  /**
   * As heard(), but waits for events that take time: until `enough` returns true for all events
   * that came.
   */
  async hears(enough = (all) => all.length > 0) {
    const all = [];
    await until(
      async () => enough((all.push(...(await this.heard())), all)),
      () => JSON.stringify(all),
    );
    return all;
  }

  async names() {
    return (await this.heard()).map(([name]) => name);
  }

  /** The data of the one event that was heard. */
  async one() {
    const all = await this.heard();
    assert.equal(all.length, 1, JSON.stringify(all));
    return all[0][1];
  }

  /** The problems that the program was told of. */
  async problems() {
    return (await this.heard())
      .filter(([name]) => name === '.problem')
      .map(([, problem]) => problem);
  }

  /** Runs a script in the page. */
  run(script, ...values) {
    return this.page.evaluate(script, ...values);
  }
}
