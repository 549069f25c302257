// SPDX-License-Identifier: MIT
// A page of a server in dev mode in real browsers: the panel with the program's stderr, and pages
// that load again by themselves.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fs from 'node:fs';
import path from 'node:path';
import { browserNames, launch, picture } from '../lib/browsers.mjs';
import { BUILD, makeRoot, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

/**
 * A page under a strict policy, which names its version and says something
 * that a careless panel would run.
 */
const program = (version) => `#!/usr/bin/python3
import os, sys
evil = "<script>document.title = 'injected'</script>"
evil += "<img src=x onerror=\\"document.title='injected'\\">"
print("early:", evil, file=sys.stderr, flush=True)
${version === 'broken' ? 'sys.exit(3)' : ''}
sys.stdout.write("Content-Type: text/html; charset=utf-8\\nContent-Security-Policy: default-src 'none'; script-src 'self'; connect-src 'self'\\n\\n"
  "<!doctype html><title>${version}</title><script src='/.httpsocket/client.js'></script><h1>${version}</h1>")
sys.stdout.flush()
os.close(1)
for line in os.fdopen(3, "rb"):
    print("heard", line.decode().strip(), file=sys.stderr, flush=True)
    if line.startswith(b"crash"):
        raise ValueError("<b>crashed</b>")
`;

for (const name of browserNames) {
  describe(`a page in dev mode in ${name}`, () => {
    let browser, server, site, tab;

    before(async () => {
      site = makeRoot({
        'page.py': { text: program('first'), mode: 0o755 },
        'broken.py': { text: program('broken'), mode: 0o755 },
      });
      browser = await launch(name);
      server = await startServer({ root: site.root, args: ['--dev'] });
      tab = await browser.newPage();
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      site?.remove();
    });

    const write = (file, text) => fs.writeFileSync(path.join(site.root, file), text);
    // Not waitForFunction(): under the page's policy an older Firefox can't run it. A page that is
    // just being loaded can't be asked.
    const seen = (ask, ...args) =>
      until(
        () => tab.evaluate(ask, ...args).catch(() => false),
        () => ask.toString(),
        30_000,
      );
    const titled = (title) => seen((wanted) => document.title === wanted, title);
    const panelSays = (text) =>
      seen(
        (wanted) =>
          document.querySelector('httpsocket-dev')?.shadowRoot.textContent.includes(wanted),
        text,
      );

    test('shows what the program wrote before and after the page came, as text, under a strict policy', async () => {
      await tab.goto(`${server.url}/page.py`);
      await panelSays("early: <script>document.title = 'injected'</script><img src=x");
      await tab.evaluate(() => document.serverConnection.send('hello', '<i>you</i>'));
      await panelSays('heard hello "<i>you</i>"');
      assert.equal(await tab.title(), 'first');
      const drawn = await tab.evaluate(() => {
        const host = document.querySelector('httpsocket-dev');
        const { width, height, bottom } = host.getBoundingClientRect();
        return {
          elements: [...host.shadowRoot.querySelectorAll('*')].map((element) => element.localName),
          inside: width > 200 && height > 40 && bottom <= innerHeight,
          colour: getComputedStyle(host).backgroundColor,
          top: host.matches(':popover-open'),
        };
      });
      assert.deepEqual(drawn, {
        elements: ['header', 'b', 'button', 'pre'],
        inside: true,
        colour: 'rgb(29, 33, 39)',
        top: true,
      });
      await picture(tab, BUILD, `dev-stderr-${name}`);
    });

    test('is closed by its button, and stays closed while the program says more', async () => {
      await tab.evaluate(() => {
        window.panel = document.querySelector('httpsocket-dev');
        window.panel.shadowRoot.querySelector('button').click();
        document.serverConnection.send('more');
      });
      await seen(() => window.panel.shadowRoot.textContent.includes('heard more'));
      assert.equal(await tab.evaluate(() => document.querySelector('httpsocket-dev')), null);
    });

    test('loads again by itself when the file of its program is edited', async () => {
      write('page.py', program('second'));
      await titled('second');
      await panelSays('early: ');
    });

    test('says that the program has failed, and loads again when it is mended', async () => {
      await tab.evaluate(() => document.serverConnection.send('crash'));
      await panelSays('The program has ended (program-failed status=1)');
      await panelSays('ValueError: <b>crashed</b>');
      await picture(tab, BUILD, `dev-failed-${name}`);
      write('page.py', program('third'));
      await titled('third');
    });

    test('a program that made no page is shown by its stderr, and loads again when it is mended', async () => {
      const answer = await tab.goto(`${server.url}/broken.py`);
      assert.equal(answer.status(), 502);
      const text = await tab.evaluate(() => document.body.textContent);
      assert.match(text, /broken\.py: program-failed status=3/);
      assert.match(text, /early: <script>document\.title = 'injected'<\/script>/);
      await picture(tab, BUILD, `dev-502-${name}`);
      write('broken.py', program('mended'));
      await titled('mended');
    });
  });
}
