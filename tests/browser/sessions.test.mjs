// SPDX-License-Identifier: MIT
// What docs/protocol.md promises of sessions, in real browsers over a network that fails.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { Proxy, random } from '../lib/proxy.mjs';
import { REPO, resources, startServer } from '../lib/server.mjs';

const SITE = path.join(REPO, 'tests/browser/site');
const CUTS = 200;
// Planned cuts come after so many bytes. Firefox makes a page wait up to a minute after a handshake
// that failed, so there most handshakes are let through.
const HANDSHAKE = { chromium: 100, firefox: 1200 };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

for (const name of browserNames) {
  describe(`a session in ${name}`, () => {
    let browser, server, proxy, page;

    before(async () => {
      browser = await launch(name);
      server = await startServer({ root: SITE, args: ['--ping-interval', '1s'] });
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    // Also of a test that failed: an open proxy would keep this process alive for ever.
    afterEach(async () => {
      await proxy?.stop();
      if (page && !page.isClosed()) await page.close();
    });

    /** A fresh page behind a fresh proxy. */
    async function open(file = 'counter.py') {
      proxy = await Proxy.start(server.port);
      page = await browser.newPage();
      await page.goto(`${proxy.url}/${file}`);
      await page.waitForFunction(() => server.readyState === 1);
      return report();
    }
    const report = () => page.evaluate(() => server.call('report', null, { timeout: 60_000 }));
    const state = () => page.evaluate(() => ({ ...seen, readyState: server.readyState }));
    const connected = () =>
      page.waitForFunction(() => server.readyState === 1, { timeout: 60_000 });

    test(`loses, doubles and disorders nothing over ${CUTS} cuts at random moments, with the same process throughout`, async (t) => {
      const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
      t.diagnostic(`SEED=${seed}`);
      const rand = random(seed);
      const { pid } = await open();
      await page.evaluate(() => {
        server.send('count', 0.008);
        count(8);
      });
      while (proxy.cuts < CUTS) {
        await sleep(rand() * 160);
        // Either now, or a little into the next connection's bytes.
        if (rand() < 0.7) proxy.cut();
        else
          proxy.plan(() => ({
            [rand() < 0.5 ? 'downAfter' : 'upAfter']: HANDSHAKE[name] + Math.floor(rand() * 2000),
          }));
        if (rand() < 0.2) proxy.plan(() => ({}));
      }
      proxy.plan(() => ({}));
      await page.evaluate(() => stop());
      const program = await report(); // comes behind everything else, both ways
      const client = await state();
      assert.deepEqual(client.faults, []);
      assert.deepEqual(program.faults, []);
      assert.equal(client.next, program.sent);
      assert.equal(program.received, client.sent);
      assert.ok(
        client.sent > 1000 && program.sent > 1000,
        `${client.sent} and ${program.sent} events`,
      );
      assert.equal(program.pid, pid);
      assert.ok(program.attaches.length > 50, `${program.attaches.length} attaches`);
      t.diagnostic(
        `${proxy.cuts} cuts, ${program.attaches.length} connections, ${client.sent} and ${program.sent} events`,
      );
    });

    test('a cut before the first message leaves a session that works', async () => {
      proxy = await Proxy.start(server.port);
      let links = 0;
      proxy.plan(() => (links++ < 3 ? { downAfter: 20 } : {}));
      page = await browser.newPage();
      const seenLinks = [];
      proxy.on('websocket', (link) => seenLinks.push(link));
      await page.goto(`${proxy.url}/counter.py`);
      await connected();
      const first = await report();
      assert.ok(seenLinks.length >= 1);
      assert.equal(first.attaches[0], false);
    });

    test('an instant reconnect and a second recovery in the middle of the first one find everything', async () => {
      const { pid } = await open();
      await page.evaluate(() => server.send('large', 200_000));
      await page.waitForFunction(() => seen.larges.length === 1);
      // The next link dies while the replay is under way.
      let planned = 1;
      proxy.plan(() => (planned-- > 0 ? { downAfter: 5000 } : {}));
      proxy.refuse(true);
      proxy.cut();
      await page.waitForFunction(() => server.readyState !== 1);
      await page.evaluate(() => {
        for (let i = 0; i < 3; i++) server.send('large', 100_000);
      });
      proxy.refuse(false);
      await page.waitForFunction(() => seen.larges.length === 4, { timeout: 60_000 });
      assert.equal((await report()).pid, pid);
      assert.deepEqual((await state()).larges, [
        [200_000, true],
        [100_000, true],
        [100_000, true],
        [100_000, true],
      ]);
    });

    test('takes over from a connection that is still open but dead', async () => {
      const { pid } = await open();
      proxy.freeze();
      await page.evaluate(() => server.send('c', 0));
      await page.waitForFunction(() => seen.states.some((s) => s.type === 'suspend'), {
        timeout: 120_000,
      });
      await connected();
      const program = await report();
      assert.equal(program.pid, pid);
      assert.equal(program.received, 1);
      assert.deepEqual(program.attaches, [false, true]);
    });

    test('a cut in the middle of a large message, either way, delivers it whole and once', async () => {
      await open();
      let planned = 1;
      proxy.plan(() => (planned-- > 0 ? { downAfter: 400_000 } : {}));
      proxy.cut();
      await connected();
      await page.evaluate(() => server.send('large', 900_000));
      await page.waitForFunction(() => seen.larges.length === 1, { timeout: 60_000 });
      assert.deepEqual((await state()).larges, [[900_000, true]]);
      planned = 1;
      proxy.plan(() => (planned-- > 0 ? { upAfter: 400_000 } : {}));
      proxy.cut();
      await connected();
      assert.equal(
        await page.evaluate(() => server.call('length', 'y'.repeat(900_000), { timeout: 60_000 })),
        900_000,
      );
      assert.deepEqual((await report()).faults, []);
    });

    test('a program that exits during a cut: the page gets its last words, then close', async () => {
      await open();
      proxy.refuse(true);
      await page.evaluate(() => server.send('leave'));
      await page.waitForFunction(() => server.bufferedAmount === 0);
      proxy.cut();
      await page.waitForFunction(() => server.readyState !== 1);
      proxy.refuse(false);
      await page.waitForFunction(() => seen.states.some((s) => s.type === 'close'), {
        timeout: 60_000,
      });
      const { next, states } = await state();
      assert.equal(next, 1);
      assert.deepEqual([states.at(-1).code, states.at(-1).reason], [1000, 'program-exit']);
    });

    test('calls in flight survive a cut', async () => {
      await open();
      const answer = page.evaluate(() => server.call('report', null, { timeout: 60_000 }));
      proxy.cut();
      assert.ok((await answer).pid > 0);
    });

    test('reloading the page ends its program in seconds and starts another', async () => {
      const { pid } = await open();
      await page.reload();
      await connected();
      assert.notEqual((await report()).pid, pid);
      const before = Date.now();
      while (resources(server.pid).children.includes(pid)) {
        assert.ok(Date.now() - before < 30_000, 'the program is still there');
        await sleep(50);
      }
    });

    test('a server that is told to drain tells its pages, and exits with 0', async () => {
      const own = await startServer({ root: SITE });
      page = await browser.newPage();
      await page.goto(`${own.url}/counter.py`);
      await connected();
      const exited = own.stop('SIGTERM');
      await page.waitForFunction(() => seen.states.some((s) => s.type === 'close'), {
        timeout: 120_000,
      });
      const last = (await state()).states.at(-1);
      assert.equal(last.code, 1012);
      assert.match(last.reason, /^draining/);
      assert.ok(last.retryAfter > 0);
      assert.deepEqual(await exited, { code: 0, signal: null });
      await page.close();
    });
  });
}
