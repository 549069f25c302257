// moved-page.mjs - a browser at a page that does what its program is told to write as `.dom` (tests/browser/site/moved.py).
import assert from 'node:assert/strict';
import path from 'node:path';
import { launch } from './browsers.mjs';
import { REPO, startServer } from './server.mjs';

/**
 * The result: `page` of puppeteer, `open(html, query)` (the page anew, with this in its <main>; `window.ran` is an empty list), `move(data)` (resolves when
 * the page has done it), `moved(data)` (the same, and there was no problem), `problems()` (what the program was told since: [[operation, message]]), `close()`.
 */
export async function movedPage(name, { root = path.join(REPO, 'tests/browser/site'), args } = {}) {
  const browser = await launch(name);
  const server = await startServer({ root, args }).catch(async (error) => {
    await browser.close();
    throw error;
  });
  const page = await browser.newPage();

  async function open(html = '', query = '') {
    await page.goto(`${server.url}/moved.py${query}`);
    await page.evaluate((inside) => {
      window.problems = [];
      window.ran = [];
      const policy = window.trustedTypes?.createPolicy('test', { createHTML: (text) => text });
      document.querySelector('main').innerHTML = policy ? policy.createHTML(inside) : inside;
      document.serverConnection.onproblem = (problem) => window.problems.push(problem);
    }, html);
  }
  const move = (data) => page.evaluate((said) => document.serverConnection.call('move', JSON.parse(said), { timeout: 60_000 }), JSON.stringify(data));
  /** What the program was told comes back before the answer to the next call. */
  async function problems() {
    await move({ select: 'html', classes: { asked: true } });
    return page.evaluate(() => window.problems.splice(0).map(({ op, message }) => [op, message]));
  }
  async function moved(data) {
    await move(data);
    assert.deepEqual(await problems(), []);
  }
  async function close() {
    await browser.close();
    await server.stop();
  }
  return { browser, server, page, open, move, moved, problems, close };
}
