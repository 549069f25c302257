// SPDX-License-Identifier: MIT
// What the user has chosen, typed and opened, while markup changes the fields themselves: their
// options, types, names and places.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames } from '../lib/browsers.mjs';
import { movedPage } from '../lib/moved-page.mjs';

for (const name of browserNames)
  for (const mode of ['with moveBefore()', 'without moveBefore()']) {
    describe(`fields in ${name}, ${mode}`, () => {
      let site, page;
      before(async () => {
        site = await movedPage(name);
        page = site.page;
      });
      after(() => site?.close());

      const open = async (html, query) => {
        await site.open(html, query);
        if (mode !== 'with moveBefore()')
          await page.evaluate(() => delete Element.prototype.moveBefore);
      };
      const html = (markup, more = {}) => site.moved({ select: 'main', html: markup, ...more });
      const chosen = (selector = 'select') =>
        page.evaluate(
          (s) => Array.from(document.querySelector(s).selectedOptions, (option) => option.value),
          selector,
        );
      /** As a user who comes and goes: page.select() brings no focus. */
      const choose = async (...values) => {
        await page.focus('select');
        await page.select('select', ...values);
        await page.evaluate(() => document.activeElement.blur());
      };
      const value = (selector) => page.evaluate((s) => document.querySelector(s).value, selector);
      const options = (list, key = '') =>
        [...list]
          .map((v) => `<option value="${v.trim()}" ${key && `data-key="${v}"`}>${v}</option>`)
          .join('');
      const select = (list, more = '', key) =>
        `<select name="s" ${more}>${options(list, key)}</select>`;

      test('a select keeps the value that the user chose, wherever its option is', async () => {
        for (const key of ['', 'key']) {
          await open(select(' ab', '', key));
          await choose('a');
          for (const list of ['ab', 'ba', 'zab', 'xyabz', ' ba']) {
            await html(`<p>${list}</p>${select(list, '', key)}`);
            assert.deepEqual(await chosen(), ['a'], `${list} ${key}`);
            assert.equal(
              await page.evaluate(() => document.querySelector('select').length),
              list.length,
            );
          }
          await site.moved({ select: 'select', html: `<optgroup label="g">${options('ba')}` });
          assert.deepEqual(await chosen(), ['a']);
        }
      });

      test('a select chooses nothing that nobody chose', async () => {
        await open(select('ab'));
        await html(select(' ab'));
        assert.deepEqual(await chosen(), [''], 'the first was shown, and not chosen');
        await choose('b');
        await html(select('xyz'));
        assert.deepEqual(await chosen(), ['x'], 'as in a fresh page');
        await html(select('xyb'));
        assert.deepEqual(await chosen(), ['x'], 'what was gone does not come back');
        await html(select('abc', 'multiple'));
        assert.deepEqual(await chosen(), []);
      });

      test('several chosen values stay, and options with the same value are told apart', async () => {
        await open(select('abcd', 'multiple'));
        await choose('b', 'd');
        await html(select('dcbxa', 'multiple'));
        assert.deepEqual(await chosen(), ['d', 'b']);
        await open(select('aba'));
        await page.evaluate(() => (document.querySelector('select').selectedIndex = 2));
        await html(select('xaba'));
        assert.equal(await page.evaluate(() => document.querySelector('select').selectedIndex), 3);
      });

      test('rows of a select that come, move and are put into order leave its choice', async () => {
        await open(select('abc', '', 'key'));
        await choose('b');
        await site.moved([
          { select: 'select', order: ['c', 'b', 'a'] },
          { select: 'select', prepend: '<option value="z" data-key="z">z' },
          { select: 'select', key: 'b', move: 'first' },
          { select: 'select', append: '<option value="b" data-key="b">B' },
          { select: 'select', key: 'c', outer: '<option value="c" data-key="c">C' },
        ]);
        assert.deepEqual(await chosen(), ['b']);
        await site.moved({ select: 'select', append: '<option value="n" selected>n' });
        assert.deepEqual(await chosen(), ['n']);
      });

      test('a select that has the focus and was changed gets its new options', async () => {
        await open(`${select('abc')}<input name="other">`);
        await page.focus('select');
        await page.keyboard.press('ArrowDown');
        await html(`${select('cbxy')}<input name="other">`);
        assert.deepEqual(await chosen(), ['b']);
        await page.focus('[name=other]');
        assert.deepEqual(
          await page.evaluate(() => [...document.querySelectorAll('option')].map((o) => o.value)),
          ['c', 'b', 'x', 'y'],
        );
        assert.deepEqual(await chosen(), ['b']);
      });

      test('fields with one name keep their text and the focus, whatever comes between them', async () => {
        const field = '<input name="tags[]">';
        const fields = () =>
          page.evaluate(() => [...document.querySelectorAll('input')].map((i) => i.value));
        for (const wrap of [(i) => i, (i) => `<div>${i}</div>`, (i) => `<p><b>${i}</b></p>`]) {
          const three = [field, field, field].map(wrap);
          await open(three.join(''));
          for (const [i, text] of ['one', 'two', 'three'].entries()) {
            await page.evaluate((n) => document.querySelectorAll('input')[n].focus(), i);
            await page.keyboard.type(text);
          }
          const lines = [...three];
          for (const at of [1, 3, 0]) {
            lines.splice(at, 0, wrap('a line'));
            await html(lines.join(''));
            assert.deepEqual(await fields(), ['one', 'two', 'three'], lines.join(''));
            assert.equal(await page.evaluate(() => document.activeElement.value), 'three');
          }
          await html([...three, wrap(field)].join(''));
          assert.deepEqual(await fields(), ['one', 'two', 'three', '']);
          const said = ['one', 'three', ''].map((v) => wrap(`<input name="tags[]" value="${v}">`));
          await html(said.join(''));
          assert.deepEqual(await fields(), ['one', 'three', '']);
          assert.equal(await page.evaluate(() => document.activeElement.value), 'three');
        }
      });

      test('fields with one name in several rows stay with their rows', async () => {
        const rows = (keys) =>
          [...keys].map((k) => `<li data-key="${k}"><input name="qty"></li>`).join('');
        await open(`<ul>${rows('abc')}</ul>`);
        for (const key of 'abc') await page.type(`[data-key=${key}] input`, key);
        for (const keys of ['ac', 'cxa', 'a']) {
          await html(`<ul>${rows(keys)}</ul>`);
          const seen = await page.evaluate(() =>
            [...document.querySelectorAll('input')].map((i) => i.value || 'x').join(''),
          );
          assert.equal(seen, keys);
        }
      });

      test('a field whose type changes keeps its text, the focus and the caret', async () => {
        await open('<input name="p" type="password">');
        await page.type('[name=p]', 'secret');
        await page.evaluate(() => document.activeElement.setSelectionRange(2, 4));
        for (const type of ['text', 'password', 'search', 'tel']) {
          await html(`<p>${type}</p><input name="p" type="${type}">`);
          const seen = await page.evaluate(() => {
            const { type, value, selectionStart, selectionEnd } = document.activeElement;
            return [type, value, selectionStart, selectionEnd];
          });
          assert.deepEqual(seen, [type, 'secret', 2, 4]);
        }
      });

      test('the text as the program has trimmed it is shown when the user pauses, leaves, or says Enter', async () => {
        const field = (v) => `<form><input name="a" value="${v}"></form><input name="b">`;
        const typed = async () => {
          await open(field(''));
          await page.evaluate(() => (document.querySelector('form').onsubmit = () => false));
          await page.type('[name=a]', 'abc ');
        };
        await typed();
        await html(field('abc'));
        assert.equal(await value('[name=a]'), 'abc ');
        await page.waitForFunction(() => document.activeElement.value === 'abc');
        await page.keyboard.type(' d ');
        await html(field('abc d'));
        await page.focus('[name=b]');
        assert.equal(await value('[name=a]'), 'abc d');
        await typed();
        await page.keyboard.press('Enter');
        await html(field('abc'));
        assert.equal(await value('[name=a]'), 'abc');
      });

      test('a text that the program has trimmed breaks no typing that goes on', async () => {
        const field = (v) => `<input name="a" value="${v}">`;
        await open(field(''));
        await page.evaluate(() => {
          const { setTimeout } = window;
          window.pauses = [];
          window.setTimeout = (run, ms) =>
            ms === 2000 ? window.pauses.push(run) : setTimeout(run, ms);
        });
        await page.type('[name=a]', 'abc ');
        for (const v of ['a', 'abc', 'abc']) await html(field(v));
        assert.equal(await page.evaluate(() => window.pauses.length), 1);
        await page.keyboard.type('d');
        for (const v of ['abc', 'ABC', 'x']) await html(field(v));
        assert.equal(await value('[name=a]'), 'abc d');
        assert.equal(await page.evaluate(() => window.pauses.length), 1);
      });

      test('a choice that the program refuses goes back to what it says', async () => {
        const list = (v) => select('abc').replace(`value="${v}"`, '$& selected');
        await open(list('a'));
        await choose('b');
        await choose('c');
        await html(list('b'));
        assert.deepEqual(await chosen(), ['c'], 'an older choice, for all that the page knows');
        await html(list('b'));
        await page.waitForFunction(() => document.querySelector('select').value === 'b');
      });

      test('radios that move stay chosen, and new markup ends what was undecided', async () => {
        const radio = (v, more = '') => `<input type="radio" name="r" value="${v}" ${more}>`;
        const box = (more = '') => `<input type="checkbox" name="c" ${more}>`;
        await open(radio('a', 'checked') + radio('b') + radio('c') + box());
        await page.click('[value=c]');
        await page.evaluate(() => (document.querySelector('[name=c]').indeterminate = true));
        const state = () =>
          page.evaluate(() => [
            document.querySelector('[name=r]:checked')?.value,
            document.querySelector('[name=c]').indeterminate,
            document.querySelector('[name=c]').checked,
          ]);
        await html(`<p>${radio('c')}</p>${radio('b')}<b>${radio('a', 'checked')}</b>${box()}`);
        assert.deepEqual(await state(), ['c', true, false]);
        await html(`${radio('c')}${radio('b', 'checked')}${radio('a')}${box('checked')}`);
        assert.deepEqual(await state(), ['b', false, true]);
      });

      test('force takes all that the markup says, also what it said before', async () => {
        const form = `<input name="i" value="a">${select('ab')}<input type="checkbox" name="c">`;
        await open(form);
        await page.type('[name=i]', 'x');
        await choose('b');
        await page.click('[name=c]');
        await html(form, { force: true });
        assert.deepEqual(
          [await value('[name=i]'), await chosen(), await page.$('[name=c]:checked')],
          ['a', ['a'], null],
        );
      });

      test('a field that was filled in without the focus, as by autofill, takes what is said', async () => {
        await open('<input name="a"><input name="b">');
        await page.type('[name=b]', 'b');
        await page.evaluate(() => {
          const field = document.querySelector('[name=a]');
          field.value = 'filled';
          field.dispatchEvent(new InputEvent('input', { bubbles: true }));
        });
        await site.moved({ select: '[name=a]', properties: { value: 'said' } });
        await site.moved({ select: '[name=b]', properties: { value: 'not said' } });
        assert.deepEqual([await value('[name=a]'), await value('[name=b]')], ['said', 'b']);
      });

      test('the contents of a template are taken, also deep inside', async () => {
        const markup = (text) =>
          `<section><template id="t"><p>${text}</p><template>${text}</template></template></section>`;
        await open(markup('one'));
        await html(markup('two'));
        const seen = () =>
          page.evaluate(() => {
            const { content } = document.querySelector('#t');
            return [content.textContent, content.querySelector('template').innerHTML];
          });
        assert.deepEqual(await seen(), ['two', 'two']);
        await html(markup('two').replace('<template>two', '<template>three'));
        assert.deepEqual(await seen(), ['two', 'three']);
      });

      test('a <noscript> stays inert', async () => {
        await open('<p id="p">seen</p>', "?policy=;style-src 'unsafe-inline'");
        const noscript = '<noscript><style>#p { display: none }</style><i>no</i></noscript>';
        await html(`<p id="p">seen</p>${noscript}`);
        await site.moved({ select: 'main', append: `<div>${noscript}</div>` });
        assert.deepEqual(
          await page.evaluate(() => [
            getComputedStyle(document.querySelector('#p')).display,
            document.querySelectorAll('main style, main i').length,
          ]),
          ['block', 0],
        );
      });

      test('a modal dialog that the program closes leaves the page usable', async () => {
        const dialog = '<dialog id="d"><button>ok</button></dialog><button id="b">b</button>';
        for (const close of [{ attributes: { open: false } }, { properties: { open: false } }]) {
          await open(dialog);
          await page.evaluate(() => {
            document.querySelector('#d').showModal();
            document.querySelector('#b').onclick = () => (window.clicked = true);
          });
          await site.moved({ select: '#d', ...close });
          await page.click('#b');
          assert.ok(await page.evaluate(() => window.clicked));
        }
      });

      test('a dialog and a popover that move stay as they are shown', async () => {
        const parts = '<dialog id="d">d</dialog><div id="o" popover>o</div>';
        await open(`<p>p</p>${parts}`);
        await page.evaluate(() => {
          document.querySelector('#d').showModal();
          document.querySelector('#o').showPopover();
        });
        await html(`<section><i>i</i>${parts}</section><p>p</p>`);
        assert.deepEqual(
          await page.evaluate(() => [
            document.querySelector('#d').matches(':modal'),
            document.querySelector('#o').matches(':popover-open'),
          ]),
          [true, true],
        );
      });

      test('a box that moves keeps its scroll position, and those inside of it', async () => {
        const box = (id) => `<div id="${id}"><p></p></div>`;
        await open(`${box('a')}${box('b')}<h1>x</h1>`, "?policy=;style-src 'unsafe-inline'");
        await page.evaluate(() => {
          const style = document.createElement('style');
          style.textContent =
            'div { height: 50px; overflow: auto } p { height: 900px; width: 9000px }';
          document.head.append(style);
          return new Promise((done) => {
            document.addEventListener('scrollend', done, { capture: true, once: true });
            document.querySelector('#a').scrollTo(30, 70);
          });
        });
        const place = () =>
          page.evaluate(() => {
            const { scrollTop, scrollLeft } = document.querySelector('#a');
            return [scrollTop, scrollLeft];
          });
        await html(`<section>${box('b')}<h1>x</h1><h2>y</h2>${box('a')}</section>`);
        assert.deepEqual(await place(), [70, 30]);
        await html(`${box('a')}<h1>x</h1>${box('b')}`);
        assert.deepEqual(await place(), [70, 30]);
      });

      test('markup makes shadow trees, and changes them', async () => {
        const markup = (text) =>
          `<my-box><template shadowrootmode="open"><b>${text}</b><slot></slot></template>light</my-box>`;
        await open('');
        await html(`<p>1</p>${markup('one')}`);
        const seen = () =>
          page.evaluate(() => {
            const box = document.querySelector('my-box');
            return [box.shadowRoot?.innerHTML, box.innerHTML];
          });
        assert.deepEqual(await seen(), ['<b>one</b><slot></slot>', 'light']);
        await page.evaluate(() => (document.querySelector('my-box').same = true));
        await html(`<p>2</p>${markup('two')}`);
        assert.deepEqual(await seen(), ['<b>two</b><slot></slot>', 'light']);
        assert.ok(await page.evaluate(() => document.querySelector('my-box').same));
      });

      test('attributes that are to be kept stay as the page made them', async () => {
        await open('<p id="p" class="a" title="x" data-hs-keep="class style">1</p>');
        await page.evaluate(() => (document.querySelector('#p').className = 'mine'));
        await html('<p id="p" class="b" title="y" lang="en" data-hs-keep="class style">2</p>');
        assert.equal(
          await page.evaluate(() => document.querySelector('main').innerHTML),
          '<p id="p" class="mine" title="y" data-hs-keep="class style" lang="en">2</p>',
        );
      });
    });
  }
