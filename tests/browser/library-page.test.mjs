// SPDX-License-Identifier: MIT
// A page whose program is a handler in C (examples/lib/tally.c), in real browsers.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { Installed } from '../lib/installed.mjs';
import { LivingPage } from '../lib/living-page.mjs';
import { REPO, makeRoot, startProgram } from '../lib/server.mjs';

const key = `${Buffer.alloc(32, 1).toString('base64')}\n`;
let installed, example;

before(() => {
  installed = new Installed();
  example = installed.compiles(path.join(REPO, 'examples/lib/tally.c'));
});
after(() => installed.remove());

const counts = (page, wanted) =>
  page.shows((text) => document.querySelector('#count').textContent === text, String(wanted));
const hears = (page, wanted) =>
  page.shows((text) => document.querySelector('#log').textContent.includes(text), wanted);

for (const name of browserNames)
  describe(`a page of a handler in C, in ${name}`, () => {
    let browser, server, folder;
    const starts = (port = 0) =>
      startProgram(example, [`127.0.0.1:${port}`, '2', path.join(folder.root, 'key')]);

    before(async () => {
      folder = makeRoot({ key: { text: key, mode: 0o600 } });
      server = await starts();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await server?.ends();
      folder?.remove();
    });

    test('its clicks are counted, and two pages hear what one says', async () => {
      const one = await LivingPage.opens(browser, `${server.url}/`);
      const two = await LivingPage.opens(browser, `${server.url}/`);
      await one.tab.bringToFront(); // a browser draws no other one
      await one.tab.click('#more');
      await one.tab.click('#more');
      await counts(one, 2);
      await counts(two, 0);
      await two.tab.bringToFront();
      await two.tab.type('[name=line]', 'hello <b>all');
      await two.tab.keyboard.press('Enter');
      await hears(one, 'hello <b>all');
      await hears(two, 'hello <b>all');
      if (process.env.HTTPSOCKET_SCREENSHOT)
        await two.tab.screenshot({ path: `${process.env.HTTPSOCKET_SCREENSHOT}-${name}.png` });
    });

    test('over the end of its server it stays, and counts on', async () => {
      const page = await LivingPage.opens(browser, `${server.url}/`);
      await page.tab.click('#more');
      await counts(page, 1);
      await page.tab.type('[name=line]', 'half a sen');
      await page.marks();
      const { port } = server;
      await server.ends();
      server = await starts(port);
      await page.is('open');
      await page.tab.click('#more');
      await counts(page, 2);
      assert.equal(await page.asks(() => window.isTheSame), true);
      assert.equal(
        await page.asks(() => document.querySelector('[name=line]').value),
        'half a sen',
      );
    });
  });
