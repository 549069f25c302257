// SPDX-License-Identifier: MIT
// The server is replaced under a page in a real browser, which must not notice
// (docs/decisions/takeover.md).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fs from 'node:fs';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { LivingPage } from '../lib/living-page.mjs';
import { makeRoot, program, REPO } from '../lib/server.mjs';
import { startUpgradable } from '../lib/upgrades.mjs';

const BUSY = fs.readFileSync(path.join(REPO, 'tests/browser/site/busy.py'), 'utf8');

for (const name of browserNames) {
  describe(`a page in ${name}`, () => {
    let browser, server, folder;

    before(async () => {
      folder = makeRoot({ 'busy.py': program(BUSY) });
      browser = await launch(name);
      server = await startUpgradable({ root: folder.root });
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      folder?.remove();
    });

    /** Waits until the topic and the upload of the page have moved. */
    async function goesOn(page) {
      const [ticked, moved] = await page.asks(() => [ticks.length, sent]);
      await page.shows((n, m) => ticks.length > n + 5 && sent > m, ticked, moved);
    }

    /** A page that clicks, uploads and reads a topic all the while, with a half-typed field. */
    async function begins() {
      const page = await LivingPage.opens(browser, server.at('busy.py'));
      await page.shows(() => window.listening);
      await page.tab.type('textarea', 'half a senten');
      await page.marks();
      await page.asks(() => begin());
      await goesOn(page);
      return page;
    }

    test('does not notice three upgrades of the server', async () => {
      const page = await begins();
      const { pid } = await page.call('tell');
      for (const version of ['next', '', 'next']) {
        server.installs(version);
        await server.upgrades();
        await goesOn(page);
      }
      await page.asks(() => end());
      await page.shows(() => uploaded !== null && ticks.length >= clicks);
      const tells = await page.call('tell');
      const seen = await page.asks(() => ({ clicks, sent, uploaded, ticks, states, signs }));
      assert.deepEqual(tells, { pid, clicks: seen.clicks, uploaded: seen.sent });
      assert.equal(seen.uploaded, 'whole');
      assert.deepEqual(
        seen.ticks,
        Array.from({ length: seen.clicks }, (_, i) => i + 1),
      );
      assert.deepEqual([seen.states, seen.signs], [['open'], 0]);
      await page.isStillTheSame();
      await page.tab.keyboard.type('ce');
      assert.equal(
        await page.asks(() => document.activeElement.name + document.activeElement.value),
        'texthalf a sentence',
      );
    });
  });
}
