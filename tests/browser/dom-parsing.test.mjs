// SPDX-License-Identifier: MIT
// What a program says while the browser is still parsing its page.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { browserNames, launch } from '../lib/browsers.mjs';
import { REPO, startServer } from '../lib/server.mjs';

for (const name of browserNames)
  describe(`a page in parts in ${name}`, () => {
    let browser, server;
    before(async () => {
      browser = await launch(name);
      server = await startServer({ root: path.join(REPO, 'tests/browser/site') });
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    test('.dom waits for its element until that is parsed, and what follows waits behind it', async () => {
      const page = await browser.newPage();
      const loaded = page.goto(`${server.url}/parsed.py`);
      const seen = () =>
        page.evaluate(() => [document.querySelector('#early').textContent, window.told]);
      await page.waitForFunction(() => document.title === 'waits');
      assert.deepEqual(await seen(), ['early', []]);
      await page.evaluate(() => document.serverConnection.send('rest'));
      await page.waitForFunction(() => window.told.length === 1);
      assert.deepEqual(await seen(), ['after', [['moved', '', 'movedagain']]]);
      await page.evaluate(() => document.serverConnection.send('end'));
      await loaded;
      await page.waitForFunction(() => window.told.length === 3);
      const [, told] = await seen();
      assert.deepEqual(
        told.slice(1).map(([event, message]) => [event, message]),
        [
          ['moved', ''],
          ['problem', 'nothing matches #never'],
        ],
      );
      await page.close();
    });
  });
