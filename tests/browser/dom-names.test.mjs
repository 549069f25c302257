// SPDX-License-Identifier: MIT
// Controls, images and forms that are named like the properties of a form or of the document: they
// stand in front of these, and must be in nobody's way.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames } from '../lib/browsers.mjs';
import { ListeningPage } from '../lib/listening-page.mjs';
import { movedPage } from '../lib/moved-page.mjs';

for (const name of browserNames)
  describe(`names of the DOM in ${name}`, () => {
    let site, page, names, listening;
    before(async () => {
      site = await movedPage(name);
      page = site.page;
      listening = new ListeningPage(page, site.urls[0]);
      await site.open();
      names = await page.evaluate(() => {
        const all = (at) => (at ? [...Object.getOwnPropertyNames(at), ...all(at.__proto__)] : []);
        const form = HTMLFormElement.prototype;
        return [...new Set([form, document].flatMap(all))];
      });
    });
    after(() => site?.close());

    const fields = (more = '') => names.map((n) => `<input name="${n}" ${more}>`).join('');
    const form = (more = '', inside = '') =>
      `<form id="f" class="c" data-n="1" ${more}>${inside}${fields()}</form>`;
    /** Reads the page through prototypes, as its own names would be in the way. */
    const seen = (selector) =>
      page.evaluate((s) => {
        const found = Document.prototype.querySelector.call(document, s);
        const { get } = Object.getOwnPropertyDescriptor(Element.prototype, 'outerHTML');
        return found && get.call(found);
      }, selector);

    test('markup with a form whose fields have any names becomes what it says, and the page lives', async () => {
      await site.open(form());
      await page.evaluate(() => document.querySelector('[name=parentNode]').setAttribute('x', ''));
      await site.moved({
        select: 'main',
        html: `<b>new</b>${form('title="t"', '<i></i>')}<p>after</p>`,
      });
      assert.equal(await seen('main > p'), '<p>after</p>');
      assert.match(await seen('#f'), /^<form id="f" class="c" data-n="1" title="t"><i><\/i><input/);
      assert.ok(await page.evaluate(() => !!document.querySelector('input[name=parentNode]')));
    });

    test('every action on such a form does what it says', async () => {
      await site.open(`<ul><li data-key="1"></li></ul>${form('data-key="x"')}`);
      await site.moved([
        { select: '#f', attributes: { title: 'T' }, classes: { d: true }, style: { color: 'red' } },
        { select: '#f', properties: { noValidate: true }, prepend: '<b data-key="7">7</b>' },
        { select: '#f', append: '<u data-key="8">8</u>', before: '<s></s>', after: '<em></em>' },
        { select: '#f', order: [8, 7], focus: true, blur: true, selection: 'all', scroll: 'start' },
        { select: '#f', key: 7, move: 'first', dispatch: 'own' },
        { select: 'main', key: 'x', move: 'first' },
      ]);
      const [, attributes, first] = /^<form ([^>]*)>(.*?)<input/.exec(await seen('#f'));
      assert.equal(first, '<b data-key="7">7</b><u data-key="8">8</u>');
      for (const text of ['class="c d"', 'title="T"', 'style="color: red;"', 'novalidate=""'])
        assert.ok(attributes.includes(text), attributes);
      await site.moved({ select: '#f', text: 'text' });
      assert.match(await seen('#f'), />text<\/form>$/);
      await site.moved({ select: '#f', outer: `<form id="f">${fields()}</form>` });
      await site.moved({ select: '#f', html: '<input name="id">' });
      await site.moved({ select: '#f', remove: true });
      assert.equal(await seen('#f'), null);
    });

    test('what happens in such a form is told as in any other', async () => {
      await listening.open(
        `<form id="f" class="c" data-n="1"><button name="b">b</button>${fields('value="v"')}</form>`,
        { on: ['click', 'input', 'focus', 'own'], select: 'form' },
        { on: 'submit', select: 'form', prevent: true },
      );
      await page.click('button');
      await page.evaluate(() => {
        const f = Document.prototype.querySelector.call(document, 'form');
        EventTarget.prototype.dispatchEvent.call(f, new Event('own'));
      });
      const all = Object.fromEntries(await listening.heard());
      assert.deepEqual(Object.keys(all), ['click', 'submit', 'own']);
      for (const data of [all.click, all.submit, all.own])
        assert.deepEqual(data.target, {
          tag: 'form',
          id: 'f',
          classes: ['c'],
          dataset: { n: '1' },
          path: '#f',
        });
      assert.equal(all.submit.form.parentNode, 'v');
      assert.equal(all.submit.form.elements, 'v');
    });

    test('images and forms with such names before the client keep it from nothing', async () => {
      await page.goto(`${site.urls[0]}/named.py`);
      await page.waitForFunction(
        () => Document.prototype.getElementById.call(document, 'p').textContent === 'new',
      );
    });

    test('images and forms with the names of the document are in no way', async () => {
      await listening.open('<p id="p">p</p><input id="i"><div id="d"></div>');
      await page.evaluate((all) => {
        const make = (tag) => document.createElement(tag);
        const list = all.flatMap((n) => ['img', 'form'].map((tag) => [make(tag), n]));
        const main = document.querySelector('main');
        window.hs = document.serverConnection;
        window.i = document.querySelector('#i');
        for (const [element, n] of list) element.setAttribute('name', n);
        main.append(...list.map(([element]) => element));
      }, names);
      const tell = (...lines) => page.evaluate((all) => window.hs.call('tell', all), lines);
      await tell(
        '.listen {"on":["input","pointerenter"],"select":"#i","fields":["value","visibility","target"]}',
        '.listen {"on":"visibilitychange","target":"document"}',
        '.dom [{"select":"#d","html":"<b>b</b>"},{"title":"new"},{"target":"document","dispatch":"own"}]',
        '.dom [{"select":"#i","focus":true},{"target":"window","scroll":{"top":0}}]',
      );
      await page.keyboard.type('x');
      const all = JSON.parse(
        await page.evaluate(async () => JSON.stringify(await window.hs.call('heard'))),
      );
      assert.deepEqual(
        all.map(([event, data]) => [event, data.value ?? data.message, data.visibility]),
        [['input', 'x', 'visible']],
      );
      assert.equal(await seen('#d'), '<div id="d"><b>b</b></div>');
    });
  });
