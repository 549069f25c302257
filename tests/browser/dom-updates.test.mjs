// SPDX-License-Identifier: MIT
// What a program does to its page by `.dom`, in real browsers, under a strict policy.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { browserNames } from '../lib/browsers.mjs';
import { movedPage } from '../lib/moved-page.mjs';
import { until } from '../lib/until.mjs';

for (const name of browserNames) {
  describe(`.dom in ${name}`, () => {
    let site, page;

    before(async () => {
      site = await movedPage(name);
      page = site.page;
    });
    after(() => site?.close());
    beforeEach(() => site.open());

    const open = (...args) => site.open(...args);
    const move = (data) => site.move(data);
    const moved = (data) => site.moved(data);
    const problems = () => site.problems();
    const html = (selector = 'main') =>
      page.evaluate((s) => document.querySelector(s).innerHTML, selector);

    test('sets texts, markup, attributes, classes, properties and styles', async () => {
      await open(
        '<p id="a" class="x y" lang="de" hidden>old <b>text</b></p><input id="i" disabled><p id="s">s</p>',
      );
      await moved([
        {
          select: '#a',
          text: '<new>',
          attributes: { lang: null, hidden: false, title: 'T', 'data-n': 3 },
          classes: { x: false, y: true, z: 'toggle' },
        },
        { select: '#i', properties: { value: 'v', disabled: false, indeterminate: true } },
        {
          select: '#s',
          html: '<i>one</i> two',
          style: { color: 'rgb(1, 2, 3)', '--own': 7, 'margin-top': '4px !important' },
        },
      ]);
      const seen = await page.evaluate(() => {
        const [a, i, s] = ['a', 'i', 's'].map((id) => document.getElementById(id));
        return {
          a: a.outerHTML,
          i: [i.value, i.disabled, i.indeterminate],
          s: [
            s.innerHTML,
            getComputedStyle(s).color,
            s.style.getPropertyValue('--own'),
            s.style.getPropertyPriority('margin-top'),
          ],
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
      assert.equal(
        await html('ul'),
        ['first', 'b1', 'b2', 'm', 'a', 'last'].map((t) => `<li class="all">${t}</li>`).join(''),
      );
      await moved({ select: 'li', all: true, remove: true });
      assert.equal(await html('ul'), '');
    });

    test('makes rows of tables, options and drawings of the right kind', async () => {
      await open(
        '<table><tbody id="t"></tbody></table><select id="o"></select><svg id="v" viewBox="0 0 9 9"><g></g></svg>',
      );
      await moved([
        { select: '#t', append: '<tr><td>1<td>2' },
        { select: '#t tr', append: '<td>3' },
        { select: '#o', html: '<option>a<option selected>b' },
        {
          select: '#v g',
          html: '<circle r="4"></circle><foreignObject><p>text</p></foreignObject>',
        },
        { select: '#v circle', after: '<rect width="2"/>' },
      ]);
      const seen = await page.evaluate(() => [
        document.querySelectorAll('#t > tr > td').length,
        document.querySelector('#o').value,
        [...document.querySelectorAll('#v g *')].map(
          (e) => `${e.localName} ${e.namespaceURI.slice(-4)}`,
        ),
        document.querySelector('circle') instanceof SVGCircleElement,
      ]);
      assert.deepEqual(seen, [
        3,
        'b',
        ['circle /svg', 'rect /svg', 'foreignObject /svg', 'p html'.replace('html', 'html')].map(
          (s) => s.replace('p html', 'p html'),
        ),
        true,
      ]);
    });

    test('what a batch changes is all there before anything scrolls, takes the focus or hears an event, and before the next event', async () => {
      await open('<input id="i"><div id="box"></div>');
      await page.evaluate(() => {
        document.addEventListener('ping', (event) =>
          window.ran.push(['ping', event.detail, document.querySelector('#box').textContent]),
        );
        document
          .querySelector('#i')
          .addEventListener('focus', () =>
            window.ran.push(['focus', document.querySelector('#box').textContent]),
          );
      });
      await moved([
        { target: 'document', dispatch: { type: 'ping', detail: { n: 1 } } },
        { select: '#i', focus: true, selection: [1, 2] },
        { select: '#i', properties: { value: 'abc' } },
        { select: '#box', text: 'done' },
      ]);
      assert.deepEqual(await page.evaluate(() => window.ran), [
        ['ping', { n: 1 }, 'done'],
        ['focus', 'done'],
      ]);
      assert.deepEqual(
        await page.evaluate(() => [
          document.activeElement.id,
          document.activeElement.selectionStart,
          document.activeElement.selectionEnd,
        ]),
        ['i', 1, 2],
      );
      await moved([{ select: '#i', blur: true }]);
      assert.equal(await page.evaluate(() => document.activeElement.localName), 'body');
    });

    test('fires clicks that tick boxes, and any kind of event', async () => {
      await open('<input type="checkbox" id="c"><button id="b"></button>');
      await page.evaluate(() =>
        document.addEventListener('keydown', (event) =>
          window.ran.push([event.constructor.name, event.key, event.target.id]),
        ),
      );
      await moved([
        { select: '#c', dispatch: 'click' },
        { select: '#b', dispatch: { type: 'keydown', interface: 'KeyboardEvent', key: 'Enter' } },
      ]);
      assert.deepEqual(
        await page.evaluate(() => [document.querySelector('#c').checked, window.ran]),
        [true, [['KeyboardEvent', 'Enter', 'b']]],
      );
      await move([
        { select: '#b', dispatch: { type: 'x', interface: 'Function' } },
        { select: '#b', dispatch: { type: 'x', interface: 'NoEvent' } },
      ]);
      assert.equal((await problems()).length, 2);
    });

    test('scrolls, into view and to the end; sets the title and the address', async () => {
      await open('<div id="box"></div><p id="far">far</p>');
      await moved([
        {
          select: '#box',
          html: '<p></p>'.repeat(200),
          style: { height: '100px', overflow: 'auto' },
        },
        { select: '#box', scroll: { top: 'end' } },
        { select: '#far', style: { 'margin-top': '3000px' }, scroll: 'center' },
      ]);
      const seen = await page.evaluate(() => {
        const box = document.querySelector('#box');
        return [Math.abs(box.scrollHeight - box.clientHeight - box.scrollTop) < 2, scrollY > 1000];
      });
      assert.deepEqual(seen, [true, true]);
      await moved({ target: 'window', scroll: { top: 5 } });
      assert.equal(await page.evaluate(() => scrollY), 5);
      await moved({ title: 'other <title>', url: { push: '/elsewhere?a=1#x', state: { n: 1 } } });
      await moved({ url: { replace: '/again' } });
      assert.deepEqual(
        await page.evaluate(() => [document.title, location.pathname, history.state]),
        ['other <title>', '/again', null],
      );
      await page.evaluate(() => history.back());
      await until(() => page.evaluate(() => location.pathname === '/moved.py'));
    });

    test('an operation that can not be done is told by its number, and harms no other', async () => {
      await open('<p id="a">a</p><p id="b">b</p>');
      await move([
        { select: '#a[', text: 'x' },
        { select: '#none', text: 'x' },
        { select: '#a', text: 'x', shout: true },
        { select: '#a' },
        'text',
        { select: '#a', text: {} },
        { text: 'x' },
        { select: '#a', find: 'b', text: 'x' },
        { target: 'document', text: 'x' },
        { select: '#a', properties: { nope: 1 } },
        { select: '#a', attributes: { 'a b': '1' } },
        { select: '#a', classes: { 'a b': true } },
        { select: '#a', style: { color: 'not a colour' } },
        { select: '#a', outer: '<p>1</p><p>2</p>' },
        { select: 'main', key: 'k', text: 'x' },
        { url: { push: 'https://other.example/' } },
        { select: '#none', focus: true, text: 'x' },
        { select: '#b', text: 'done' },
      ]);
      const told = await problems();
      assert.deepEqual(
        told.map(([op]) => op),
        [...Array(17).keys()],
        JSON.stringify(told),
      );
      assert.equal(told[1][1], 'nothing matches #none');
      assert.equal(told[2][1], "there is no 'shout' in an operation");
      assert.equal(told[14][1], 'no row k in main');
      assert.deepEqual(await html(), '<p id="a">a</p><p id="b">done</p>');
      await move(Array(500).fill({ select: '#none', text: 'x' }));
      const many = await problems();
      assert.equal(many.length, 21);
      assert.equal(many[20][1], '480 more operations could not be done');
    });

    test('names out of the prototype are names like others', async () => {
      await open('<p id="a">a</p>');
      await move([
        JSON.parse(
          '{"select":"#a","properties":{"__proto__":{"hacked":1},"constructor":1,"remove":1,"toString":1}}',
        ),
        JSON.parse('{"select":"#a","__proto__":1}'),
        { select: '#a', constructor: 1 },
        JSON.parse(
          '{"select":"#a","attributes":{"__proto__":"x","constructor":"y"},"classes":{"__proto__":true},"text":"ok"}',
        ),
        JSON.parse(
          '{"target":"document","dispatch":{"type":"x","detail":{"__proto__":{"hacked":1}}}}',
        ),
        JSON.parse('{"select":"main","key":"__proto__","text":"x"}'),
      ]);
      assert.deepEqual(
        (await problems()).map(([op]) => op),
        [0, 1, 2, 5],
      );
      const seen = await page.evaluate(() => {
        const a = document.querySelector('#a');
        return [
          String({}.hacked),
          typeof a.remove,
          a instanceof HTMLElement,
          a.getAttribute('__proto__'),
          a.className,
          a.textContent,
        ];
      });
      assert.deepEqual(seen, ['undefined', 'function', true, 'x', '__proto__', 'ok']);
    });
  });
}
