// SPDX-License-Identifier: MIT
// Files that don't come whole: what the page learns of it, and what the program.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { browserNames, launch } from '../lib/browsers.mjs';
import { ListeningPage } from '../lib/listening-page.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { makeRoot, REPO, startServer } from '../lib/server.mjs';

const SIZE = 12_000_000;
const FORM = '<input type="file" id="f">';

for (const name of browserNames) {
  describe(`an upload in ${name}`, () => {
    let browser, server, page, folder, proxy, p, file;

    before(async () => {
      folder = makeRoot({});
      file = path.join(folder.root, 'big.bin');
      server = await startServer({ root: path.join(REPO, 'tests/browser/site') });
      browser = await launch(name);
      page = await browser.newPage();
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      folder?.remove();
    });

    /** Opens the page with the file in its field. */
    async function chosen(...listens) {
      fs.writeFileSync(file, Buffer.alloc(SIZE, 'a'));
      proxy = await Proxy.start(server.port);
      p = new ListeningPage(page, proxy.url);
      await p.open(FORM, ...listens);
      await (await page.$('#f')).uploadFile(file);
    }

    /** From now on: what is done to the file once a million bytes of it are on their way. */
    function inTheMiddle(act) {
      let done = false;
      const before = proxy.cut() && proxy.cuts;
      proxy.plan(() => {
        if (proxy.cuts > before && !done) act((done = true));
        return { upAfter: done ? undefined : 1_000_000 };
      });
    }

    /** Uploads it by a script: how that ends, and what the program was told in the end. */
    async function uploaded() {
      const end = await p.run(async () => {
        const steps = [];
        const [blob] = document.querySelector('#f').files;
        const told = await document.serverConnection
          .upload('file', blob, { progress: (sent) => steps.push(sent) })
          .then(
            () => 'fulfilled',
            ({ code, data }) => [code, data?.reason],
          );
        return [told, steps.includes(blob.size)];
      });
      const heard = await p.hears((all) => all.some(([as]) => as === '.end' || as === '.reset'));
      return { end, last: heard.find(([as]) => as === '.end' || as === '.reset') };
    }

    const faults = {
      'is cut while it is uploaded': () => fs.truncateSync(file, 5_000_000),
      'grows while it is uploaded': () => fs.appendFileSync(file, 'more'),
    };
    for (const [fault, act] of Object.entries(faults))
      test(`of a file that ${fault} fails in the page and in the program`, async () => {
        await chosen();
        inTheMiddle(act);
        const { end, last } = await uploaded();
        assert.equal(end[0][0], 'stream-failed');
        assert.match(end[0][1], /^file-(changed|unreadable)$/); // as the browser notices it
        assert.equal(end[1], false);
        assert.equal(last[0], '.reset');
        await proxy.stop();
      });

    test('of a file that is deleted before it is read fails in the page and in the program', async () => {
      await chosen();
      fs.rmSync(file);
      const { end, last } = await uploaded();
      assert.deepEqual(end, [['stream-failed', 'file-unreadable'], false]);
      assert.equal(last[0], '.reset');
      await proxy.stop();
    });

    test('that a listener began fails in the same way, and a .problem names the file', async () => {
      await chosen({ on: 'change', select: '#f', as: 'chosen', files: 'stream' });
      await p.hears((all) => all.some(([as]) => as === '.end'));
      fs.appendFileSync(file, 'x'); // so that the same choice is a change
      await p.run(() => (document.querySelector('#f').value = ''));
      inTheMiddle(() => fs.truncateSync(file, 5_000_000));
      await (await page.$('#f')).uploadFile(file);
      const heard = await p.hears((all) => all.some(([as]) => as === '.problem'));
      assert.equal(heard.filter(([as]) => as === '.reset').length, 1);
      const [, { message }] = heard.find(([as]) => as === '.problem');
      assert.match(message, /^big\.bin is not sent: .* of 12000001 bytes/);
      await proxy.stop();
    });

    if (name === 'chromium')
      test('of a file that is written to while it is uploaded fails, as far as the browser tells', async () => {
        await chosen();
        inTheMiddle(() => fs.writeFileSync(file, Buffer.alloc(SIZE, 'b')));
        const { end, last } = await uploaded();
        assert.deepEqual([end[0][0], end[1], last[0]], ['stream-failed', false, '.reset']);
        await proxy.stop();
      });
  });
}
