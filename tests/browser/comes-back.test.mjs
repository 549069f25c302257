// SPDX-License-Identifier: MIT
// A page whose session is over, in real browsers: without a line of the page's own it waits for the
// server, is loaded again, and has what the user typed. One that answered a POST is not posted
// again.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fs from 'node:fs';
import path from 'node:path';
import { browserNames, launch, picture } from '../lib/browsers.mjs';
import { LivingPage, Succession } from '../lib/living-page.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { BUILD, program, REPO, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const filled = () => {
  const value = (selector) => document.querySelector(selector).value;
  const form = document.querySelector('form');
  return {
    name: value('[name=name]'),
    secret: value('[name=secret]'),
    card: value('[name=card]'),
    text: value('textarea'),
    tags: [...document.querySelectorAll('[name=tag]')].map((field) => field.value),
    yes: document.querySelector('[name=yes]').checked,
    way: form.way.value,
    one: form.one.value,
    some: [...document.querySelector('[name=some]').selectedOptions].map(({ value }) => value),
  };
};
const FILLED = {
  name: 'Frode',
  secret: 'geheim',
  card: '4111',
  text: 'half a senten',
  tags: ['', 'second'],
  yes: true,
  way: 'b',
  one: 'y',
  some: ['2', '3'],
};

for (const name of browserNames) {
  describe(`a page in ${name} whose session is over`, () => {
    let browser, servers;

    before(async () => {
      browser = await launch(name);
      servers = await Succession.start({ args: ['--admin', '127.0.0.1:0'] });
    });
    after(async () => {
      await browser?.close();
      await servers?.now.stop('SIGKILL');
    });

    const opens = (where = 'form.py') => LivingPage.opens(browser, `${servers.url}/${where}`);

    async function fills({ tab }) {
      await tab.$eval('[name=name]', (field) => field.select());
      await tab.type('[name=name]', FILLED.name);
      await tab.type('[name=secret]', FILLED.secret);
      await tab.type('[name=card]', FILLED.card);
      await tab.type('[name=tag]:nth-of-type(6)', FILLED.tags[1]).catch(() => {});
      await tab.click('[name=yes]');
      await tab.click('[value=b]');
      await tab.select('[name=one]', FILLED.one);
      await tab.select('[name=some]', ...FILLED.some);
      await tab.type('textarea', FILLED.text);
    }

    test('after SIGTERM and a restart it is there again, with fields, focus and scroll position, and without secrets', async (t) => {
      const page = await opens();
      await fills(page);
      await page.asks(() => {
        document.querySelector('textarea').setSelectionRange(2, 6);
        scrollTo(0, 700);
      });
      assert.deepEqual(await page.asks(filled), FILLED);
      await page.asks(() =>
        addEventListener(
          'pagehide',
          () => (sessionStorage.copy = sessionStorage['httpsocket kept']),
        ),
      );
      await page.marks();
      const pid = await page.call('pid');
      await servers.ends();
      await page.is('restoring');
      await page.shownSign(/^No connection. Trying again…$/);
      const from = performance.now();
      await servers.starts();
      await page.comesBack();
      t.diagnostic(`back ${Math.round(performance.now() - from)} ms after the start`);
      const { card, ...back } = await page.asks(filled);
      assert.deepEqual({ card: '', ...back }, { ...FILLED, secret: '', card: '' });
      // Firefox itself keeps more of a page that it reloads.
      if (name === 'chromium') assert.equal(card, '');
      const kept = await page.asks(() => [sessionStorage.copy, sessionStorage['httpsocket kept']]);
      assert.match(kept[0], /Frode/);
      assert.doesNotMatch(kept[0], /geheim|4111/);
      assert.ok(!kept[1]);
      const { y, focus, selection } = await page.asks(() => ({
        y: scrollY,
        focus: document.activeElement.id,
        selection: document.activeElement.selectionStart,
      }));
      assert.deepEqual([y, focus, selection], [700, 'text', 2]);
      assert.notEqual(await page.call('pid'), pid);
      assert.equal(await page.hasSign(), false);
      await page.tab.close();
    });

    test('its program hears of what was put back', async () => {
      const page = await opens();
      await page.tab.type('textarea', 'abc');
      await page.says('crash');
      await until(async () =>
        (await page.call('heard')).some(([field, value]) => field === 'text' && value === 'abc'),
      );
      await page.tab.close();
    });

    test('after kill -9 of the server it is there again, and a field that its program makes is filled too', async () => {
      const page = await opens('form.py?late=1');
      await page.shows(() => document.querySelector('#late') !== null);
      await page.tab.type('#late', 'typed');
      await page.marks();
      servers.now.mayCrash = true;
      await servers.ends('SIGKILL');
      await page.is('suspended');
      await servers.starts();
      await page.comesBack();
      await page.shows(() => document.querySelector('#late')?.value === 'typed');
      await page.tab.close();
    });

    test('behind a proxy that says 502 it waits, and does not become the page of the proxy', async () => {
      const proxy = await Proxy.start(servers.port);
      const page = await LivingPage.opens(browser, `${proxy.url}/form.py`);
      await page.tab.type('textarea', 'abc');
      await page.marks();
      const refused = new Promise((resolve) => {
        let count = 0;
        proxy.on('refused', () => ++count === 3 && resolve());
      });
      proxy.refuse('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad');
      proxy.cut((link) => !link.websocket); // kept open for the next request
      await page.says('crash');
      await refused;
      await page.is('restoring');
      await page.isStillTheSame();
      proxy.refuse(false);
      await page.comesBack();
      assert.equal((await page.asks(filled)).text, 'abc');
      await page.tab.close();
      await proxy.stop();
    });

    test('other connections of the page have no say: neither their end nor their being open', async () => {
      const page = await opens();
      await page.marks();
      const closed = await page.asks(
        () =>
          new Promise((resolve) => {
            const other = new ServerConnection('form.py');
            other.onopen = () => other.send('crash');
            other.onclose = ({ code }) => resolve(code);
          }),
      );
      assert.equal(closed, 4500);
      await page.is('open');
      await page.isStillTheSame();
      assert.equal(await page.hasSign(), false);
      await page.tab.close();
    });

    test('a program that fails is started again with its page, which no user has to do', async () => {
      const page = await opens();
      await page.marks();
      await page.says('crash');
      await page.comesBack();
      await page.tab.close();
    });

    test('a page whose program the operator lets go is loaded again', async () => {
      const page = await opens();
      await page.marks();
      await servers.restarts('/form');
      await page.comesBack();
      await page.tab.close();
    });

    test('so is one that hears of a restart by which it has lost its state', async () => {
      const page = await opens();
      await page.marks();
      await page.says('let-go');
      await page.comesBack();
      await page.tab.close();
    });

    test('a page that fails again and again is not loaded for ever, and says so at last', async () => {
      const page = await opens();
      await page.asks(() => {
        const now = Date.now();
        sessionStorage.setItem(
          'httpsocket loads',
          JSON.stringify([1, 2, 3, 4, 5].map((n) => now - n)),
        );
      });
      await page.marks();
      await page.says('crash');
      await page.is('closed');
      await page.shownSign(/^This page is not connected any more.$/);
      await page.isStillTheSame();
      await page.tab.close();
    });

    test('an answer to a POST is never posted again: not by a crash, not by going back; its button asks by GET', async () => {
      const posts = () => servers.now.lines(/asked by POST/).length;
      const before = posts();
      const page = await opens();
      await page.marks();
      await page.tab.click('button');
      await page.comesBack();
      assert.equal(posts(), before + 1);
      await page.marks();
      await page.says('crash');
      await page.is('closed');
      await page.shownSign(/not connected any more/);
      await page.isStillTheSame();
      await page.clicksSign();
      await page.comesBack();
      assert.equal(posts(), before + 1);
      await page.marks();
      await page.tab.click('button');
      await page.comesBack();
      await page.tab.goto(`${servers.url}/other.html`);
      await page.tab.goBack().catch(() => {});
      // As the browser has it: alive, or with a sign, or a page of the browser's own.
      await until(async () => {
        const { state, url } = await page.asks(() => ({
          state: document.documentElement?.dataset.httpsocket,
          url: location.protocol,
        }));
        return state === 'closed' || state === 'open' || url !== 'http:';
      });
      assert.equal(posts(), before + 2);
      await page.tab.close();
    });

    test('an answer to a POST is not posted again by --dev, when its program is saved', async () => {
      const form = fs.readFileSync(path.join(REPO, 'tests/browser/site/form.py'), 'utf8');
      const own = await startServer({ files: { 'form.py': program(form) }, args: ['--dev'] });
      const page = await LivingPage.opens(browser, `${own.url}/form.py`);
      await page.marks();
      await page.tab.click('button');
      await page.comesBack();
      await page.marks();
      fs.writeFileSync(path.join(own.root, 'form.py'), `${form}\n`);
      await page.is('closed');
      await page.shownSign(/not connected any more/);
      await page.isStillTheSame();
      assert.equal(own.lines(/asked by POST/).length, 1);
      await page.tab.close();
      await own.stop();
    });

    test('the sign is in the language of the page, or its own element, or off', async () => {
      const german = await opens('form.py?lang=de-AT');
      const own = await opens('form.py?sign=own');
      const off = await opens('form.py?sign=off');
      await servers.ends();
      await german.shownSign(/^Keine Verbindung\. Neuer Versuch…$/);
      for (const scheme of ['light', 'dark']) {
        await german.tab
          .emulateMediaFeatures?.([{ name: 'prefers-color-scheme', value: scheme }])
          .catch(() => {});
        await german.tab.bringToFront();
        await picture(german.tab, BUILD, `sign-${scheme}-${name}`);
      }
      await own.shows(
        () =>
          document.querySelector('[data-hs-sign]').textContent === 'No connection. Trying again…',
      );
      assert.equal(await own.asks(() => document.querySelector('[data-hs-sign]').role), 'status');
      assert.equal(await own.hasSign(), false);
      await off.is('restoring');
      assert.equal(await off.hasSign(), false);
      await servers.starts();
      for (const page of [german, own, off]) {
        await page.comesBack();
        await page.tab.close();
      }
    });

    test('a page that prevents `close` does as it likes', async () => {
      const page = await opens();
      await page.marks();
      await page.asks(() =>
        document.serverConnection.addEventListener('close', (event) => event.preventDefault()),
      );
      await page.says('crash');
      await page.is('closed');
      await page.asks(() => new Promise((resolve) => setTimeout(resolve, 1500)));
      await page.isStillTheSame();
      assert.equal(await page.hasSign(), false);
      await page.tab.close();
    });
  });
}
