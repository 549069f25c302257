// SPDX-License-Identifier: MIT
// Lists of ten thousand rows that a program changes row by row.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { browserNames } from '../lib/browsers.mjs';
import { movedPage } from '../lib/moved-page.mjs';

const MANY = 10_000;
const row = (n, text = n) => `<tr data-key="k${n}"><td>${text}</td><td class="sum">0</td></tr>`;

for (const name of browserNames) {
  describe(`rows in ${name}`, () => {
    let site, page;
    before(async () => {
      site = await movedPage(name);
      page = site.page;
      // What comes from the program to change the page, in characters.
      await page.evaluateOnNewDocument(() => {
        window.domTexts = [];
        const own = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
        const note = (event) =>
          typeof event.data === 'string' &&
          event.data.startsWith('.dom ') &&
          window.domTexts.push(event.data);
        Object.defineProperty(WebSocket.prototype, 'onmessage', {
          ...own,
          set(hear) {
            own.set.call(this, hear && ((event) => (note(event), hear(event))));
          },
        });
      });
    });
    after(() => site?.close());

    const fill = async (count) => {
      await site.open('<table><tbody id="rows"></tbody></table>');
      await page.evaluate(
        (html) => {
          document.querySelector('#rows').innerHTML = html;
          for (const tr of document.querySelector('#rows').children) tr.known = tr.dataset.key;
        },
        Array.from({ length: count }, (_, n) => row(n)).join(''),
      );
    };
    const keys = () =>
      page.evaluate(() =>
        [...document.querySelector('#rows').children].map(
          (tr) => tr.dataset.key.slice(1) + (tr.known === tr.dataset.key ? '' : '*'),
        ),
      );

    describe('in a short list', () => {
      beforeEach(() => fill(6));

      test('one is changed, inserted, moved and removed by its key', async () => {
        await site.moved([
          { select: '#rows', key: 'k2', find: '.sum', text: 7, classes: { hot: true } },
          { select: '#rows', key: 'k3', outer: row(3, 'three') },
          { select: '#rows', key: 'k0', move: 'last' },
          { select: '#rows', key: 'k5', move: 'first' },
          { select: '#rows', key: 'k1', move: { after: 'k3' } },
          { select: '#rows', key: 'k4', move: { before: 'k2' } },
          { select: '#rows', key: 'k3', before: row(10), after: row(11) },
          { select: '#rows', key: 'k4', remove: true },
          { select: '#rows', append: row(12), prepend: row(13) },
        ]);
        assert.deepEqual(await keys(), ['13*', '5', '2', '10*', '3', '11*', '1', '0', '12*']);
        assert.deepEqual(
          await page.evaluate(() =>
            ['k2', 'k3'].map((key) =>
              document.querySelector(`[data-key=${key}]`).innerText.trim().split(/\s+/),
            ),
          ),
          [
            ['2', '7'],
            ['three', '0'],
          ],
        );
      });

      test('one that is inserted again becomes the new one at the new place, and is not doubled', async () => {
        await site.moved({ select: '#rows', append: row(2, 'two') + row(9) });
        await site.moved({ select: '#rows', key: 'k9', before: row(9, 'nine') });
        assert.deepEqual(await keys(), ['0', '1', '3', '4', '5', '2', '9*']);
        assert.match(
          await page.evaluate(() => document.querySelector('#rows').textContent),
          /two0nine0$/,
        );
      });

      test('they are put in order by their keys; those not named follow', async () => {
        await site.moved({ select: '#rows', order: ['k5', 'k1', 'k3'] });
        assert.deepEqual(await keys(), ['5', '1', '3', '0', '2', '4']);
        await site.move({ select: '#rows', order: ['k4', 'none', 'k0'] });
        assert.deepEqual(await site.problems(), [[0, 'no row none (1 in all)']]);
        assert.deepEqual(await keys(), ['4', '0', '5', '1', '3', '2']);
      });

      test('what the page’s own scripts do to the list is seen', async () => {
        await site.moved({ select: '#rows', key: 'k1', text: 'x' });
        await page.evaluate(() => {
          const [first, second, third] = document.querySelector('#rows').children;
          first.remove();
          second.dataset.key = 'new';
          third.dataset.key = 'k1';
          document
            .querySelector('#rows')
            .insertAdjacentHTML('beforeend', '<tr data-key="k0"><td>0</td></tr>');
        });
        await site.moved([
          { select: '#rows', key: 'k0', move: 'first' },
          { select: '#rows', key: 'new', remove: true },
          { select: '#rows', key: 'k1', move: 'last' },
        ]);
        await site.move({ select: '#rows', key: 'k2', remove: true });
        assert.deepEqual(await site.problems(), [[0, 'no row k2 in #rows']]);
        assert.deepEqual(
          (await keys()).map((key) => key.replace('*', '')),
          ['0', '3', '4', '5', '1'],
        );
      });

      test('the focus stays in a row that is moved', async () => {
        await site.moved({ select: '#rows', key: 'k3', append: '<td><input id="f"></td>' });
        await page.type('#f', 'typed');
        await site.moved([
          { select: '#rows', key: 'k3', move: 'first' },
          { select: '#rows', order: ['k5', 'k4', 'k3'] },
        ]);
        assert.deepEqual(
          await page.evaluate(() => [document.activeElement.id, document.activeElement.value]),
          ['f', 'typed'],
        );
      });
    });

    test('changing one of ten thousand takes the same bytes as one of ten', async () => {
      const update = [
        { select: '#rows', key: 'k7', find: '.sum', text: 42 },
        { select: '#rows', key: 'k2', move: 'first' },
        { select: '#rows', key: 'k5', remove: true },
        { select: '#rows', append: row('new') },
      ];
      const texts = [];
      for (const count of [10, MANY]) {
        await fill(count);
        await page.evaluate(() => window.domTexts.splice(0));
        await site.move(update);
        texts.push(await page.evaluate(() => window.domTexts.join('')));
        const seen = await keys();
        assert.deepEqual(
          [seen.length, seen[0], seen.at(-1), seen.includes('5')],
          [count, '2', 'new*', false],
        );
        assert.equal(
          await page.evaluate(() => document.querySelector('[data-key=k7] .sum').textContent),
          '42',
        );
      }
      assert.ok(texts[0].length > 100);
      assert.equal(texts[0].length, texts[1].length);
    });

    test('ten thousand are sorted by their keys, and all stay the same rows', async () => {
      await fill(MANY);
      const order = Array.from({ length: MANY }, (_, i) => `k${(i * 7919) % MANY}`);
      await site.moved({ select: '#rows', order });
      assert.deepEqual(
        (await keys()).map((key) => `k${key}`),
        order,
      );
    });

    if (name === 'chromium')
      test('a batch of changes has no layout between them', async () => {
        await fill(1000);
        const update = Array.from({ length: 300 }, (_, n) => [
          {
            select: '#rows',
            key: `k${n}`,
            find: '.sum',
            text: n,
            style: { 'padding-left': `${n % 9}px` },
          },
          { select: '#rows', key: `k${n}`, outer: row(n, 'outer') },
          ...(n % 100 ? [] : [{ select: '#rows', key: `k${n}`, scroll: 'nearest' }]),
        ]).flat();
        const { LayoutCount: before } = await page.metrics();
        await site.move(update);
        const { LayoutCount: after } = await page.metrics();
        assert.ok(after - before < 12, `${after - before} layouts`);
      });
  });
}
