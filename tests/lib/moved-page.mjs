// SPDX-License-Identifier: MIT
// moved-page.mjs - a browser at a page whose program writes the `.dom` commands that a test wants
// (tests/browser/site/moved.py).
import assert from 'node:assert/strict';
import path from 'node:path';
import { launch } from './browsers.mjs';
import { Proxy } from './proxy.mjs';
import { REPO, startServer } from './server.mjs';

/**
 * The result: `page` of puppeteer, `open(html, query)` (the page anew, with this in its <main>;
 * `window.ran` is an empty list, `window.mover` its connection), `move(data)` (resolves when the
 * page has done it), `moved(data)` (the same, and there was no problem), `problems()` (what the
 * program was told since: [[operation, message]]), `urls` (the same server by two names, both its
 * own: two origins for a browser; the page is of the first), `close()`.
 */
export async function movedPage(name) {
  const proxy = await Proxy.start(0);
  const urls = ['127.0.0.1', 'b.test'].map((host) => `http://${host}:${proxy.port}`);
  let server, browser;
  async function close() {
    await browser?.close();
    await proxy.stop();
    await server?.stop();
  }
  try {
    const access = [
      ...urls.flatMap((url) => ['--origin', url]),
      '--policy',
      'config',
      '--rules',
      'allow <*>',
    ];
    server = await startServer({ root: path.join(REPO, 'tests/browser/site'), args: access });
    proxy.to(server.port);
    browser = await launch(name, undefined, { hosts: ['b.test'] });
  } catch (error) {
    await close();
    throw error;
  }
  const page = await browser.newPage();

  async function open(html = '', query = '') {
    await page.goto(`${urls[0]}/moved.py${query}`);
    await page.evaluate((inside) => {
      window.mover = document.serverConnection;
      window.problems = [];
      window.ran = [];
      const policy = window.trustedTypes?.createPolicy('test', { createHTML: (text) => text });
      document.querySelector('main').innerHTML = policy ? policy.createHTML(inside) : inside;
      window.mover.onproblem = (problem) => window.problems.push(problem);
    }, html);
  }
  const move = (data) =>
    page.evaluate(
      (said) => window.mover.call('move', JSON.parse(said), { timeout: 60_000 }),
      JSON.stringify(data),
    );
  /** Problems come back from the program before the answer to the next call. */
  async function problems() {
    await move({ select: 'html', classes: { asked: true } });
    return page.evaluate(() => window.problems.splice(0).map(({ op, message }) => [op, message]));
  }
  async function moved(data) {
    await move(data);
    assert.deepEqual(await problems(), []);
  }
  return { urls, page, open, move, moved, problems, close };
}
