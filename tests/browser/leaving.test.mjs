// SPDX-License-Identifier: MIT
// The last words of a page: what its program hears when it is left in the middle of something.
import assert from 'node:assert/strict';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { REPO, startServer } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

/** An hour: nothing is told because of the time. */
const DEBOUNCE = 3_600_000;

const WAYS = {
  'a reload': (page) => page.reload(),
  'the close of the tab': (page) => page.close(),
  'the close of the tab that asks first': (page) => page.close({ runBeforeUnload: true }),
  'location=': (page) => page.evaluate(() => void (location = '/tcp.html')),
  'a link': (page) => page.evaluate(() => document.querySelector('#away').click()),
  'the way back': (page) => page.evaluate(() => history.back()),
};

for (const name of browserNames) {
  describe(`a page that is left in ${name}`, () => {
    let browser, server;

    before(async () => {
      server = await startServer({ root: path.join(REPO, 'tests/browser/site') });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    const isOpen = (page) =>
      until(() => page.evaluate(() => document.serverConnection?.readyState === 1).catch(() => 0));

    /** A page behind another one, whose program hears `listens`; and its program's pid. */
    async function opens(...listens) {
      const page = await browser.newPage();
      await page.goto(`${server.url}/tcp.html`);
      const query = new URLSearchParams({
        listens: JSON.stringify(listens),
        body: '<input id="a" name="a"><a id="away" href="/tcp.html">away</a>',
      });
      await page.goto(`${server.url}/notes.py?${query}`);
      await isOpen(page);
      const pid = await page.evaluate(() => document.serverConnection.call('pid'));
      return { page, hears: (what) => server.logged(new RegExp(`heard ${pid} ${what}`)) };
    }

    for (const [way, leave] of Object.entries(WAYS)) {
      test(`by ${way}, with the focus in the field: what a debounce holds back arrives`, async () => {
        const { page, hears } = await opens({ on: 'input', select: '#a', debounce: DEBOUNCE });
        await page.type('#a', 'last words');
        await leave(page);
        await hears('input .*last words');
        await page.close().catch(() => {}); // it may be closed
      });

      // Firefox closes the socket between beforeunload and pagehide.
      const last = name === 'chromium' ? ['pagehide'] : ['beforeunload', 'pagehide'];
      test(`by ${way}: what the page's script and the program's listeners say then arrives`, async () => {
        const { page, hears } = await opens({ on: last, as: 'leaves' });
        await page.evaluate((types) => {
          const say = () => document.serverConnection.send('draft', 'mine');
          for (const type of types) addEventListener(type, say);
        }, last);
        await leave(page);
        await hears('draft .*mine');
        await hears('leaves ');
        await page.close().catch(() => {});
      });
    }

    test('is told once: it comes back from the history, and nothing is said again', async (t) => {
      const { page, hears } = await opens({ on: 'input', select: '#a', debounce: DEBOUNCE });
      await page.type('#a', 'once');
      await page.goto(`${server.url}/tcp.html`);
      await hears('input .*once');
      await page.goBack();
      await isOpen(page);
      await page.evaluate(() => document.serverConnection.call('pid'));
      assert.equal(server.lines(/heard .* input .*once/).length, 1);
      await page.close();
    });

    test('is not left yet: a listener that is said again, and close(), lose nothing', async () => {
      const listen = { on: 'input', select: '#a', debounce: DEBOUNCE };
      const { page, hears } = await opens(listen);
      await page.type('#a', 'again');
      await page.evaluate(
        (line) => document.serverConnection.call('tell', [line]),
        `.listen ${JSON.stringify(listen)}`,
      );
      await hears('input .*again');
      await page.type('#a', ' and close');
      await page.evaluate(() => document.serverConnection.close());
      await hears('input .*again and close');
      await page.close();
    });
  });
}
