// What a program does to its page by `.dom`, in real browsers, under a strict policy.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { REPO, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const SITE = path.join(REPO, 'tests/browser/site');

for (const name of browserNames) {
  describe(`.dom in ${name}`, () => {
    let browser, server, page;

    before(async () => {
      browser = await launch(name);
      server = await startServer({ root: SITE });
      page = await browser.newPage();
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    /** A page with this in its <main>. */
    async function open(html = '', query = '') {
      await page.goto(`${server.url}/moved.py${query}`);
      await page.evaluate((inside) => {
        window.problems = [];
        window.ran = [];
        const policy = window.trustedTypes?.createPolicy('test', { createHTML: (text) => text });
        document.querySelector('main').innerHTML = policy ? policy.createHTML(inside) : inside;
        document.serverConnection.onproblem = (problem) => window.problems.push(problem);
      }, html);
    }
    beforeEach(() => open());

    /** Has the program write this, and waits until the page has done it. */
    const move = (data) => page.evaluate((said) => document.serverConnection.call('move', said, { timeout: 60_000 }), data);
    const html = (selector = 'main') => page.evaluate((s) => document.querySelector(s).innerHTML, selector);
    /** What the program was told; the next call comes behind it. */
    const problems = async () => {
      await move({ select: 'html', classes: { asked: true } });
      return page.evaluate(() => window.problems.splice(0).map(({ op, message }) => [op, message]));
    };
    /** The same, with no problem. */
    const moved = async (data) => {
      await move(data);
      assert.deepEqual(await problems(), []);
    };

    test('sets texts, markup, attributes, classes, properties and styles', async () => {
      await open('<p id="a" class="x y" lang="de" hidden>old <b>text</b></p><input id="i" disabled><p id="s">s</p>');
      await moved([
        { select: '#a', text: '<new>', attributes: { lang: null, hidden: false, title: 'T', 'data-n': 3 }, classes: { x: false, y: true, z: 'toggle' } },
        { select: '#i', properties: { value: 'v', disabled: false, indeterminate: true } },
        { select: '#s', html: '<i>one</i> two', style: { color: 'rgb(1, 2, 3)', '--own': 7, 'margin-top': '4px !important' } },
      ]);
      const seen = await page.evaluate(() => {
        const [a, i, s] = ['a', 'i', 's'].map((id) => document.getElementById(id));
        return {
          a: a.outerHTML,
          i: [i.value, i.disabled, i.indeterminate],
          s: [s.innerHTML, getComputedStyle(s).color, s.style.getPropertyValue('--own'), s.style.getPropertyPriority('margin-top')],
        };
      });
      assert.deepEqual(seen, {
        a: '<p id="a" class="y z" title="T" data-n="3">&lt;new&gt;</p>',
        i: ['v', false, true],
        s: ['<i>one</i> two', 'rgb(1, 2, 3)', '7', 'important'],
      });
      await moved({ select: '#s', style: { color: null } });
      assert.equal(await page.evaluate(() => document.getElementById('s').style.color), '');
    });

    test('inserts around and inside, removes, and does it to all that match', async () => {
      await open('<ul><li>m</li></ul>');
      await moved([
        { select: 'ul', prepend: '<li>first</li>', append: '<li>last</li>' },
        { select: 'li:nth-child(2)', before: '<li>b1</li><li>b2</li>', after: '<li>a</li>' },
        { select: 'li', all: true, classes: { all: true } },
        { select: '.none', all: true, optional: true, remove: true },
      ]);
      assert.equal(await html('ul'), ['first', 'b1', 'b2', 'm', 'a', 'last'].map((t) => `<li class="all">${t}</li>`).join(''));
      await moved({ select: 'li', all: true, remove: true });
      assert.equal(await html('ul'), '');
    });

    test('makes rows of tables, options and drawings of the right kind', async () => {
      await open('<table><tbody id="t"></tbody></table><select id="o"></select><svg id="v" viewBox="0 0 9 9"><g></g></svg>');
      await moved([
        { select: '#t', append: '<tr><td>1<td>2' },
        { select: '#t tr', append: '<td>3' },
        { select: '#o', html: '<option>a<option selected>b' },
        { select: '#v g', html: '<circle r="4"></circle><foreignObject><p>text</p></foreignObject>' },
        { select: '#v circle', after: '<rect width="2"/>' },
      ]);
      const seen = await page.evaluate(() => [
        document.querySelectorAll('#t > tr > td').length,
        document.querySelector('#o').value,
        [...document.querySelectorAll('#v g *')].map((e) => `${e.localName} ${e.namespaceURI.slice(-4)}`),
        document.querySelector('circle') instanceof SVGCircleElement,
      ]);
      assert.deepEqual(seen, [3, 'b', ['circle /svg', 'rect /svg', 'foreignObject /svg', 'p html'.replace('html', 'html')].map((s) => s.replace('p html', 'p html')), true]);
    });
  });
}
