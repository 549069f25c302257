// SPDX-License-Identifier: MIT
// A page behind a balancer that knows nothing of sessions, before three servers, in real browsers:
// the server that has made it dies or is drained, and the page goes on at another one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fs from 'node:fs';
import path from 'node:path';
import { startHaproxy } from '../lib/balancer.mjs';
import { browserNames, launch } from '../lib/browsers.mjs';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons } from '../lib/daemon.mjs';
import { LivingPage } from '../lib/living-page.mjs';
import { Redis } from '../lib/redis.mjs';
import { program, REPO, stopAll } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const TALLY = fs.readFileSync(path.join(REPO, 'tests/browser/site/tally.py'), 'utf8');
const COUNT = 3;
const WITHIN_MS = 5000;

/** The process that has started this one. */
const parentOf = (pid) =>
  Number(/^PPid:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

for (const name of browserNames) {
  describe(`a page in ${name} before three servers`, () => {
    let browser, redis, cluster, balancer;

    const meet = () =>
      Promise.all(
        cluster.servers.map((server) =>
          server.logged(new RegExp(`cluster\\.servers .*count=${COUNT} certain=1`)),
        ),
      );

    before(async () => {
      redis = await Redis.start();
      cluster = await Cluster.start({
        count: COUNT,
        broker: redis.url,
        files: { 'tally.py': program(TALLY) },
        threads: 2,
      });
      balancer = await startHaproxy(cluster.places);
      browser = await launch(name);
      await meet();
    });
    after(async () => {
      await browser?.close();
      await stopAll();
      await endDaemons();
    });

    /** A page that has counted to 3, with a half-filled form. */
    async function begins() {
      const page = await LivingPage.opens(browser, balancer.at('tally.py'));
      await page.tab.type('textarea', 'half a senten');
      await page.says('add', 1);
      await page.says('add', 2);
      await page.shows(() => document.querySelector('output').value === '3');
      await page.marks();
      return page;
    }

    async function ownerOf(page) {
      const parent = parentOf((await page.call('tell')).pid);
      return cluster.places.find(({ server }) => server?.pid === parent);
    }

    /** The same document, with its form, and all that was counted, once. */
    async function hasGoneOn(page, count = 3) {
      await page.shows(() => states.some(([type]) => type === 'restore'));
      await page.is('open');
      await page.isStillTheSame();
      assert.equal((await page.call('tell')).count, count);
      assert.equal(
        await page.asks(() => document.querySelector('textarea').value),
        'half a senten',
      );
    }

    test('goes on at another one within 5 s when its own is killed', async (t) => {
      for (let i = 0; i < 3; i++) {
        const page = await begins();
        const owner = await ownerOf(page);
        const from = performance.now();
        await owner.kill();
        await page.is('suspended');
        await hasGoneOn(page);
        const took = Math.round(performance.now() - from);
        assert.notEqual(await ownerOf(page), owner);
        t.diagnostic(`went on after ${took} ms`);
        assert.ok(took < WITHIN_MS, `after ${took} ms`);
        await page.says('add', 4);
        await page.shows(() => document.querySelector('output').value === '7');
        await page.tab.close();
        await owner.comesBack();
        await until(async () => (await redis.asks('HLEN', `${cluster.name}:servers`)) === COUNT);
      }
    });

    test('goes on at another one when its own is drained', async (t) => {
      const page = await begins();
      const owner = await ownerOf(page);
      const from = performance.now();
      const stopped = owner.stop();
      await hasGoneOn(page);
      t.diagnostic(`went on after ${Math.round(performance.now() - from)} ms`);
      await stopped;
      await page.tab.close();
      await owner.comesBack();
    });

    test('lives on, whichever server its connections come to', async () => {
      const page = await begins();
      const owner = await ownerOf(page);
      for (const place of cluster.places.filter((other) => other !== owner)) {
        await place.stop(); // its connections, if it has one, come by another one
        await page.says('add', 1);
        await place.comesBack();
      }
      await page.is('open');
      await page.shows(() => document.querySelector('output').value === '5');
      assert.equal(await ownerOf(page), owner);
      await page.tab.close();
    });
  });
}
