// SPDX-License-Identifier: MIT
// A page that comes to life later than its server waits, in real browsers: out of the back/forward
// cache, prefetched, prerendered. And pages in which something stands in the way of a reload.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames, connectAgain, launch } from '../lib/browsers.mjs';
import { LivingPage, Succession } from '../lib/living-page.mjs';
import { makeRoot, program, REPO } from '../lib/server.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { until } from '../lib/until.mjs';

const FORM = fs.readFileSync(path.join(REPO, 'tests/browser/site/form.py'), 'utf8');
const site = {
  'form.py': program(FORM),
  'other.html': '<!doctype html><title>other</title><p>other',
  'prefetches.html':
    '<!doctype html><title>prefetches</title><link rel=prefetch href="form.py"><a href="form.py">on</a>',
  'prerenders.html': `<!doctype html><title>prerenders</title><script type=speculationrules>
    {"prerender":[{"source":"list","urls":["form.py"],"eagerness":"immediate"}]}</script>
    <a href="form.py">on</a>`,
  'frames.html': '<!doctype html><title>frames</title><iframe src="form.py"></iframe><p>outside',
};

for (const name of browserNames) {
  describe(`a page in ${name} that wakes up late`, () => {
    let browser, servers, folder;

    before(async () => {
      folder = makeRoot(site);
      browser = await launch(name);
      servers = await Succession.start({
        root: folder.root,
        args: ['--attach-timeout', '6s', '--detach-timeout', '500ms', '--goodbye-timeout', '1s'],
      });
    });
    after(async () => {
      await browser?.close();
      await servers?.now.stop('SIGKILL');
      folder?.remove();
    });

    const opens = (where = 'form.py') => LivingPage.opens(browser, `${servers.url}/${where}`);
    const asked = () => servers.now.lines(/asked by GET/);

    /** Waits until a program has been asked since, and has ended. */
    async function programEnds(before) {
      await until(() => asked().length > before);
      const pid = /pid=\d+/.exec(asked()[before])[0];
      await servers.now.logged(new RegExp(`program\\.exited .*${pid} `));
    }

    test('out of the back/forward cache, when its session is over', async () => {
      const before = asked().length;
      const page = await opens();
      await page.tab.goto(`${servers.url}/other.html`);
      await programEnds(before);
      await page.tab.goBack().catch(() => {});
      await page.is('open');
      assert.ok((await page.call('pid')) > 0);
      await page.tab.close();
    });

    /** The page of `form.py`, as another connection sees it. */
    async function found(again) {
      const isIt = (tab) => tab.url().endsWith('form.py');
      return new LivingPage(await until(async () => (await again.pages()).find(isIt)));
    }

    for (const how of name === 'chromium' ? ['prefetches', 'prerenders'] : ['prefetches'])
      test(`${how.replace(/es$|s$/, 'ed')} long before it is followed`, async (t) => {
        const before = asked().length;
        let page = new LivingPage(await browser.newPage());
        await page.tab.goto(`${servers.url}/${how}.html`);
        await programEnds(before);
        await page.tab.click('a');
        let again;
        if (how === 'prerenders') {
          await until(() => asked().length > before + 1, undefined, 120_000); // it is shown by now
          again = await connectAgain(browser);
          page = await found(again);
        }
        await page.is('open');
        t.diagnostic(
          await page.asks(() => {
            const { type, deliveryType, activationStart } =
              performance.getEntriesByType('navigation')[0];
            return `${type} ${deliveryType} ${activationStart}`;
          }),
        );
        assert.ok((await page.call('pid')) > 0);
        await page.tab.close();
        await again?.disconnect();
      });

    test('in a frame, which comes back by itself, and leaves the page around it alone', async () => {
      const outer = new LivingPage(await browser.newPage());
      await outer.tab.goto(`${servers.url}/frames.html`);
      await outer.marks();
      const frame = new LivingPage(
        await outer.tab.waitForFrame((one) => one.url().endsWith('form.py')),
      );
      await frame.is('open');
      await frame.tab.type('textarea', 'abc');
      await frame.marks();
      await frame.says('crash');
      await frame.comesBack();
      await frame.shows(() => document.querySelector('textarea').value === 'abc');
      await outer.isStillTheSame();
      await outer.tab.close();
    });

    test('asks before it is left: if the user stays, it is closed and says so', async () => {
      const page = await opens();
      page.tab.on('dialog', (dialog) => dialog.dismiss());
      await page.tab.type('textarea', 'abc');
      await page.asks(() => addEventListener('beforeunload', (event) => event.preventDefault()));
      await page.marks();
      await page.says('crash');
      await page.is('closed');
      await page.shownSign(/not connected any more/);
      await page.isStillTheSame();
      await page.tab.close({ runBeforeUnload: false });
    });

    test('without sessionStorage it is loaded again once, and then says so', async () => {
      const page = await opens();
      const forbid = () =>
        Object.defineProperty(window, 'sessionStorage', {
          get: () => {
            throw new DOMException('forbidden', 'SecurityError');
          },
        });
      await page.tab.evaluateOnNewDocument(forbid);
      await page.asks(forbid);
      await page.marks();
      await page.says('crash');
      await page.comesBack();
      await page.marks();
      await page.says('crash');
      await page.is('closed');
      await page.isStillTheSame();
      await page.tab.close();
    });
  });
}
