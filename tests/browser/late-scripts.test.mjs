// SPDX-License-Identifier: MIT
// What a program says before the last script of its page has run, when an earlier one connects.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { REPO, startServer } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';

const LISTENS = `
  const c = document.serverConnection;
  const tell = (data) => window.told.push(data);
  c.onhistory = c.onsaid = c.onanswer = tell;
  c.addEventListener('here', ({ data }) => tell(data));
  c.handle('sum', ([a, b]) => (tell('called'), a + b));
`;

for (const name of browserNames)
  describe(`a page whose last script comes late in ${name}`, () => {
    let browser, server, scripts, asked;
    before(async () => {
      scripts = http.createServer((_, response) => asked(response));
      await new Promise((listens) => scripts.listen(0, '127.0.0.1', listens));
      server = await startServer({ root: path.join(REPO, 'tests/browser/site') });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      scripts?.close();
    });

    for (const [when, script] of Object.entries({
      'that script runs': LISTENS,
      'the page is ready': `addEventListener('DOMContentLoaded', () => {${LISTENS}})`,
    }))
      test(`what the program has said waits until ${when}, in its order`, async () => {
        const page = await browser.newPage();
        const script_ = new Promise((resolve) => (asked = resolve));
        const url = encodeURIComponent(`http://127.0.0.1:${scripts.address().port}/late.js`);
        const loaded = page.goto(`${server.url}/late.py?${url}`);
        const answer = await script_;
        await page.waitForFunction(() => window.arrived >= 7); // .welcome, and what was said
        assert.deepEqual(await page.evaluate(() => window.told), ['open']);
        answer.end(script);
        await loaded;
        await page.waitForFunction(() => window.told.length >= 6 && document.title === 'dom');
        const told = await page.evaluate(() => window.told);
        assert.deepEqual(told, ['open', [1], 3, 'called', 4, 3]);
        await page.close();
      });
  });
