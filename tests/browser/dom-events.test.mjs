// What a program hears of its page by `.listen`, in real browsers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { REPO, startServer } from '../lib/server.mjs';

const SITE = path.join(REPO, 'tests/browser/site');

for (const name of browserNames) {
  describe(`.listen in ${name}`, () => {
    let browser, server, page;

    before(async () => {
      browser = await launch(name);
      server = await startServer({ root: SITE, args: ['--ping-interval', '1s'] });
      page = await browser.newPage();
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    /** A fresh page with this in its <main>, listened to like this. */
    async function open(html, ...listens) {
      await page.goto(`${server.url}/listens.py`);
      await page.evaluate((inside) => void (document.querySelector('main').innerHTML = inside), html);
      await listen(...listens);
    }
    const listen = (...listens) => tell(...listens.map((data) => `.listen ${JSON.stringify(data)}`));
    const unlisten = (data) => tell(`.unlisten ${JSON.stringify(data)}`);
    /** Has the program write these lines, and waits until the page has them. */
    const tell = (...lines) => page.evaluate((all) => document.serverConnection.call('tell', all), lines);
    /** What the program has heard since it was last asked. */
    const heard = () => page.evaluate(() => document.serverConnection.call('heard', null, { timeout: 60_000 }));
    const names = async () => (await heard()).map(([as]) => as);
    /** The data of the one event that was heard. */
    const one = async () => {
      const all = await heard();
      assert.equal(all.length, 1, JSON.stringify(all));
      return all[0][1];
    };

    describe('every event', () => {
      test('that an on… attribute is there for arrives: bubbling or not, of elements that come after the listening', async (t) => {
        await open('');
        const counts = await page.evaluate(async () => {
          const svg = (tag) => () => document.createElementNS('http://www.w3.org/2000/svg', tag);
          const html = (tag) => () => document.createElement(tag);
          const made = {
            window: () => window,
            document: () => document,
            HTMLElement: html('b'),
            HTMLMediaElement: html('audio'),
            HTMLVideoElement: html('video'),
            HTMLBodyElement: () => document.body,
            SVGElement: svg('g'),
            SVGSVGElement: svg('svg'),
            SVGAnimationElement: svg('animate'),
          };
          const typesOf = (target) => {
            const types = new Set();
            for (let at = target; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
              for (const key of Object.getOwnPropertyNames(at)) if (/^on[a-z]/.test(key)) types.add(key.slice(2));
            return [...types];
          };
          const c = document.serverConnection;
          const counts = {};
          for (const [kind, make] of Object.entries(made)) {
            const types = typesOf(make());
            const where = ['window', 'document'].includes(kind) ? { target: kind } : { select: `.${kind}` };
            await c.call('tell', types.map((on) => `.listen ${JSON.stringify({ on, ...where, as: `${kind}:${on}`, fields: ['type', 'bubbles'] })}`));
            await c.call('heard');
            for (const type of types)
              for (const bubbles of [false, true]) {
                const target = make();
                if (target.nodeType === 1) {
                  target.classList.add(kind);
                  if (target !== document.body) document.querySelector('main').append(target);
                }
                target.dispatchEvent(new Event(type, { bubbles }));
                if (target.nodeType === 1 && target !== document.body) target.remove();
              }
            const heard = await c.call('heard');
            const missing = types.filter((type) =>
              [false, true].some((bubbles) => heard.filter(([as, data]) => as === `${kind}:${type}` && data.type === type && data.bubbles === bubbles).length !== 1));
            counts[kind] = { types: types.length, heard: heard.length, missing };
            await c.call('tell', ['.unlisten {}']);
          }
          return counts;
        });
        for (const [kind, { types, heard, missing }] of Object.entries(counts)) {
          t.diagnostic(`${kind}: ${heard} of ${2 * types}`);
          assert.deepEqual(missing, [], kind);
          assert.ok(types > 60, `${kind} has ${types}`);
        }
      });
    });
  });
}
