// SPDX-License-Identifier: MIT
// A page whose program has saved its state, in real browsers: over the end of its server and of its
// program the document stays, and another process goes on. The user does nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fs from 'node:fs';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { LivingPage, Succession } from '../lib/living-page.mjs';
import { makeRoot, program, REPO } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const TALLY = fs.readFileSync(path.join(REPO, 'tests/browser/site/tally.py'), 'utf8');
const key = (byte) => ({ text: `${Buffer.alloc(32, byte).toString('base64')}\n`, mode: 0o600 });
const UPLOAD = 12 * 1024 * 1024;

for (const name of browserNames) {
  describe(`a page in ${name} whose program saves its state`, () => {
    let browser, servers, folder, sealed;

    before(async () => {
      folder = makeRoot({ 'tally.py': program(TALLY), 'other.py': program(TALLY) });
      sealed = makeRoot({ key: key(1), other: key(2) });
      browser = await launch(name);
      servers = await Succession.start({
        root: folder.root,
        args: ['--state-key', path.join(sealed.root, 'key'), '--admin', '127.0.0.1:0'],
      });
    });
    after(async () => {
      await browser?.close();
      await servers?.now.stop('SIGKILL');
      folder?.remove();
      sealed?.remove();
    });

    /** A page that has counted to 3, has a half-filled form, and is about to upload. */
    async function begins() {
      const page = await LivingPage.opens(browser, `${servers.url}/tally.py`);
      await page.tab.type('textarea', 'half a senten');
      await page.says('add', 1);
      await page.says('add', 2);
      await page.shows(() => document.querySelector('output').value === '3');
      await page.marks();
      await page.asks((size) => {
        window.progress = [];
        window.uploaded = null;
        const file = new File([new Uint8Array(size)], 'large.bin');
        document.serverConnection
          .upload('file', file, { progress: (sent) => progress.push(sent) })
          .then(
            () => (window.uploaded = 'whole'),
            (error) => (window.uploaded = error.message),
          );
      }, UPLOAD);
      await page.shows(() => progress.length > 1);
      return page;
    }

    /** The same document, with its form, and all that was counted, once. */
    async function hasGoneOn(page, why, count = 3) {
      await page.is('open');
      await page.isStillTheSame();
      const tells = await page.call('tell');
      assert.equal(tells.count, count);
      assert.equal(tells.restored?.why, why);
      assert.equal(
        await page.asks(() => document.querySelector('textarea').value),
        'half a senten',
      );
      assert.equal(await page.asks(() => document.activeElement.name), 'text');
      await page.shows(() => window.uploaded !== null);
      assert.equal(await page.asks(() => window.uploaded), 'whole');
      assert.deepEqual((await page.call('tell')).uploads, { 'large.bin': UPLOAD });
      await page.says('add', 4);
      await page.shows((n) => document.querySelector('output').value === n, String(count + 4));
      const types = (await page.asks(() => states)).map(([type]) => type);
      assert.deepEqual(
        types.filter((type) => type !== 'suspend' && type !== 'resume'),
        ['open', 'restore'],
      );
      assert.equal(await page.hasSign(), false);
      return tells;
    }

    const since = (from) => `${Math.round(performance.now() - from)} ms`;

    test('goes on after SIGTERM and a restart', async (t) => {
      const page = await begins();
      await servers.ends();
      await page.is('restoring');
      await page.says('add', 10);
      const from = performance.now();
      await servers.starts();
      await hasGoneOn(page, 'deploy', 13);
      t.diagnostic(`went on, upload and all, ${since(from)} after the start`);
      await page.tab.close();
    });

    test('goes on after kill -9 of the server', async (t) => {
      const page = await begins();
      servers.now.mayCrash = true;
      await servers.ends('SIGKILL');
      await page.is('suspended');
      await page.hasTried(); // while no server was there
      await page.says('add', 10);
      const from = performance.now();
      await servers.starts();
      await hasGoneOn(page, 'deploy', 13);
      t.diagnostic(`went on ${since(from)} after the start`);
      await page.tab.close();
    });

    test('goes on after a minute without a server', async (t) => {
      const page = await begins();
      await servers.ends();
      await page.is('restoring');
      await page.shownSign(/^No connection/);
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      const from = performance.now();
      await servers.starts();
      await hasGoneOn(page, 'deploy');
      t.diagnostic(`went on ${since(from)} after the start`);
      await page.tab.close();
    });

    test('goes on when its program is killed, and each event counts once', async (t) => {
      const page = await begins();
      const { pid } = await page.call('tell');
      const from = performance.now();
      process.kill(pid, 'SIGKILL');
      for (let i = 0; i < 20; i++) await page.says('add', 1);
      const tells = await hasGoneOn(page, 'crash', 23);
      assert.notEqual(tells.pid, pid);
      t.diagnostic(`went on ${since(from)} after the kill`);
      await page.tab.close();
    });

    test('goes on when the operator lets its program go', async (t) => {
      const page = await begins();
      const { pid } = await page.call('tell');
      const from = performance.now();
      await servers.restarts('/tally');
      await page.shows(() => states.some(([type]) => type === 'restore'));
      const tells = await hasGoneOn(page, 'changed');
      assert.notEqual(tells.pid, pid);
      t.diagnostic(`went on ${since(from)} after the command`);
      await page.tab.close();
    });

    test('goes on in a newer version of the program', async () => {
      const page = await begins();
      await servers.ends();
      const file = path.join(folder.root, 'tally.py');
      fs.writeFileSync(file, TALLY.replace('"version": 1', '"version": 2'));
      await servers.starts();
      const { version } = await hasGoneOn(page, 'deploy');
      assert.equal(version, 2);
      fs.writeFileSync(file, TALLY);
      await page.tab.close();
    });

    test('goes on on another machine with the same key', async () => {
      const page = await begins();
      const other = makeRoot({ 'tally.py': program(TALLY), key: key(1) });
      await servers.ends();
      await servers.starts({
        root: other.root,
        args: ['--state-key', path.join(other.root, 'key')],
      });
      await hasGoneOn(page, 'deploy');
      await servers.ends();
      await servers.starts();
      other.remove();
      await page.tab.close();
    });

    test('a form that is sent while nobody is there is heard by the next process, and not submitted by the browser', async () => {
      const page = await begins();
      await servers.ends();
      await page.is('restoring');
      await page.tab.click('button');
      await servers.starts();
      await page.is('open');
      await page.isStillTheSame();
      await until(async () => (await page.call('tell')).submits === 1);
      await page.tab.close();
    });

    /** What the page sends as its state is another: as `change` makes it. */
    async function sends(page, change) {
      await page.asks((body) => {
        const send = WebSocket.prototype.send;
        const changed = new Function('state', body);
        WebSocket.prototype.send = function (data) {
          const at = typeof data === 'string' ? 0 : data.indexOf(10) + 1;
          const isRestore = at && String.fromCharCode(...data.subarray(0, 9)) === '.restore ';
          if (isRestore) data.set(changed(window.saved ?? data.slice(at)), at);
          return send.call(this, data);
        };
      }, change);
    }

    test('a state that was tampered with, and one of another page, are refused', async () => {
      for (const [where, change] of [
        ['tally.py', 'state[state.length - 20] ^= 1; return state'],
        ['other.py', 'return state'],
      ]) {
        const page = await LivingPage.opens(browser, `${servers.url}/tally.py`);
        await page.says('add', 5);
        await page.shows(() => document.querySelector('output').value === '5');
        await page.marks();
        if (where === 'other.py') {
          const other = await LivingPage.opens(browser, `${servers.url}/${where}`);
          const state = await other.asks(
            () =>
              new Promise((resolve) => {
                const send = WebSocket.prototype.send;
                WebSocket.prototype.send = function (data) {
                  if (typeof data !== 'string') resolve([...data.subarray(data.indexOf(10) + 1)]);
                  return send.call(this, data);
                };
                document.serverConnection.send('crash');
              }),
          );
          await page.asks((bytes) => void (window.saved = Uint8Array.from(bytes)), state);
          await other.tab.close();
        }
        await sends(page, change);
        const { pid } = await page.call('tell');
        process.kill(pid, 'SIGKILL');
        await page.comesBack();
        assert.equal((await page.call('tell')).count, 0);
        await servers.now.logged(/session\.restore_refused/);
        await page.tab.close();
      }
    });

    for (const [what, args] of [
      ['sealed by another key', () => ['--state-key', path.join(sealed.root, 'other')]],
      ['too old', () => ['--state-key', path.join(sealed.root, 'key'), '--state-age', '1s']],
    ])
      test(`a state that is ${what} is refused, and the page is loaded again with its form`, async () => {
        const page = await begins();
        await servers.ends();
        await new Promise((resolve) => setTimeout(resolve, 1100));
        await servers.starts({ args: args() });
        await page.comesBack();
        const { count, restored } = await page.call('tell');
        assert.deepEqual([count, restored], [0, null]);
        assert.equal(
          await page.asks(() => document.querySelector('textarea').value),
          'half a senten',
        );
        await page.tab.close();
        await servers.ends();
        await servers.starts();
      });
  });
}
