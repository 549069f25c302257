// SPDX-License-Identifier: MIT
// Markup and operations of people who mean no good: what a page's policy, the
// browser and `.dom` itself make of them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames } from '../lib/browsers.mjs';
import { movedPage } from '../lib/moved-page.mjs';
import { until } from '../lib/until.mjs';

/** Each would call ran() if it could. */
const HOSTILE = [
  `<script>ran('script')</script>`,
  `<script src="/no/such.js" onerror="ran('script error')"></script>`,
  `<img src="data:nothing" onerror="ran('img')">`,
  `<svg><script>ran('svg script')</script><animate onbegin="ran('svg')" attributeName="x" dur="1s"/></svg>`,
  `<iframe srcdoc="<script>parent.ran('srcdoc')</script>"></iframe>`,
  `<iframe src="javascript:parent.ran('frame')"></iframe>`,
  `<object data="javascript:ran('object')"></object>`,
  `<details open ontoggle="ran('toggle')"><summary>s</summary></details>`,
  `<input onfocus="ran('focus')" autofocus>`,
  `<a href="javascript:ran('link')">link</a>`,
  `<form action="javascript:ran('form')"><button>form</button></form>`,
  `<p onclick="ran('click')">p</p>`,
  `<math><annotation-xml encoding="text/html"><img src="data:nothing" onerror="ran('math')"></annotation-xml></math>`,
];

for (const name of browserNames) {
  describe(`hostile input in ${name}`, () => {
    let site, page;
    before(async () => {
      site = await movedPage(name);
      page = site.page;
    });
    after(() => site?.close());

    const arm = () =>
      page.evaluate(() => {
        window.calls = [];
        window.ran = (what) => window.calls.push(what);
        // A form that has lost its address leads here.
        document.addEventListener(
          'submit',
          (event) => /^javascript:/.test(event.target.action) || event.preventDefault(),
        );
      });
    /**
     * Presses everything that could be pressed, and waits until all that was to be loaded has
     * failed; then what was run.
     */
    const ran = () =>
      page.evaluate(async () => {
        for (const element of document.querySelectorAll('main a, main button, main p, main input'))
          element.click();
        const last = document.querySelector('main').appendChild(document.createElement('img'));
        const failed = new Promise((done) => last.addEventListener('error', done));
        last.src = 'data:nothing,either';
        await failed;
        last.remove();
        // And events of the page's life.
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        return window.calls;
      });

    for (const [policy, query] of [
      ['the strictest policy', ''],
      [
        'Trusted Types',
        `?policy=${encodeURIComponent("; require-trusted-types-for 'script'; trusted-types httpsocket test")}`,
      ],
    ])
      test(`nothing of hostile markup runs under ${policy}, however it comes in`, async () => {
        await site.open('<div id="a"></div><div id="b"><p>p</p></div>', query);
        await arm();
        for (const html of HOSTILE)
          await site.move([
            { select: '#a', append: html },
            { select: '#b', html },
            { select: '#b', prepend: '<hr>' },
          ]);
        assert.ok((await page.$$('#a > *')).length >= HOSTILE.length);
        assert.deepEqual(await ran(), []);
      });

    test('where no policy forbids it, handlers in markup are the page’s own; scripts run nowhere', async () => {
      await site.open('', '?policy=none');
      await arm();
      await site.move([
        { select: 'main', html: `<p onclick="ran('click')">p</p><script>ran('script')</script>` },
      ]);
      assert.deepEqual(await ran(), ['click']);
    });

    test('a page whose Trusted Types know no policy `httpsocket` is not changed by markup, and the program is told', async () => {
      await site.open(
        '<p id="a">old</p>',
        `?policy=${encodeURIComponent("; require-trusted-types-for 'script'; trusted-types test")}`,
      );
      await site.move([
        { select: '#a', html: '<b>new</b>' },
        { select: '#a', attributes: { title: 'T' } },
      ]);
      assert.deepEqual(
        (await site.problems()).map(([op]) => op),
        [0],
      );
      assert.equal(
        await page.evaluate(() => document.querySelector('main').innerHTML),
        '<p id="a" title="T">old</p>',
      );
    });

    test('an element that would run what it is given is not touched', async () => {
      await site.open();
      await arm();
      await page.evaluate(() =>
        document
          .querySelector('main')
          .append(Object.assign(document.createElement('script'), { id: 's' })),
      );
      await site.move([
        { select: '#s', text: "ran('text')" },
        { select: '#s', html: "ran('html')" },
        { select: '#s', append: "ran('append')" },
        { select: '#s', attributes: { src: '/x.js' } },
        { select: '#s', properties: { text: "ran('property')" } },
        { select: 'main', html: `<script id="s">ran('morph')</script>` },
      ]);
      assert.deepEqual(
        (await site.problems()).map(([op]) => op),
        [0, 1, 2, 3, 4],
      );
      assert.deepEqual(await ran(), []);
    });

    describe('a program of another origin', () => {
      /** The page's document is opened to the same program at another name of this machine. */
      const openTo = async (options, html) => {
        await site.open(html, '?policy=none');
        await arm();
        await page.evaluate(
          (url, given) => {
            window.mover = new ServerConnection(url, given);
            window.mover.onproblem = (problem) => window.problems.push(problem);
          },
          `${site.urls[1]}/moved.py`,
          options,
        );
      };

      test('does nothing to a page that has not opened its document', async () => {
        await openTo({}, '<p id="a">old</p>');
        await site.move({ select: '#a', text: 'new' });
        await site.move({ title: 'new' });
        await until(() => page.evaluate(() => window.problems.length === 2));
        assert.match(
          await page.evaluate(() => window.problems[0].message),
          /has not opened its document/,
        );
        assert.deepEqual(
          await page.evaluate(() => [document.querySelector('#a').textContent, document.title]),
          ['old', 'moved'],
        );
      });

      test('runs nothing in a page that has: its markup is cleaned, and what could run a script is refused', async () => {
        await openTo(
          { dom: true },
          '<div id="a"></div><div id="b"><p>p</p></div><a id="l" href="#">l</a><iframe id="f"></iframe><style id="s"></style>',
        );
        for (const html of HOSTILE)
          await site.move([
            { select: '#a', append: html },
            { select: '#b', html },
            { select: '#b', outer: `<div id="b">${html}</div>` },
          ]);
        await site.move([
          { select: '#l', attributes: { onclick: "ran('attribute')" } },
          { select: '#l', attributes: { href: ' java\nscript:ran("href")' } },
          { select: '#l', properties: { href: 'javascript:ran(1)' } },
          { select: '#l', properties: { innerHTML: '<b>' } },
          { select: '#f', attributes: { srcdoc: '<script>parent.ran(2)</script>' } },
          { select: '#f', properties: { src: 'javascript:parent.ran(3)' } },
          { select: '#s', text: 'body { display: none }' },
          { select: '#l', dispatch: 'click' },
          {
            select: '#a',
            append:
              '<style>body { display: none }</style><base href="//x.example"><link rel="stylesheet" href="x"><meta http-equiv="refresh" content="0">',
          },
          { cookie: { name: 'a', value: 'b' } },
          { go: '/counter.py' },
        ]);
        assert.deepEqual(
          (await site.problems()).map(([op]) => op),
          [0, 1, 2, 3, 4, 5, 6, 7, 9, 10],
        );
        assert.deepEqual(await ran(), []);
        assert.deepEqual(
          await page.evaluate(
            () =>
              document.querySelectorAll(
                'main :is(script, iframe:not(#f), object, style:not(#s), base, link, meta, [onclick], [onerror])',
              ).length,
          ),
          0,
        );
      });

      test('moves a page that has: rows of a table, keys, texts, values', async () => {
        await openTo({ dom: true }, '<table><tbody id="t"></tbody></table><input id="i">');
        await site.moved([
          { select: '#t', append: '<tr data-key="1" id="r" class="c"><td>a <b>b</b></td></tr>' },
          { select: '#t', key: 1, find: 'b', text: 'c', attributes: { title: 'T' } },
          { select: '#i', properties: { value: 'v' } },
          { target: 'document', dispatch: { type: 'own', detail: 1 } },
        ]);
        assert.equal(
          await page.evaluate(() => document.querySelector('#t').innerHTML),
          '<tr data-key="1" id="r" class="c"><td>a <b title="T">c</b></td></tr>',
        );
        assert.equal(await page.evaluate(() => document.querySelector('#i').value), 'v');
      });
    });
  });
}
