// SPDX-License-Identifier: MIT
// Markup that is morphed into the page by `.dom`: what it has again stays, with all that the user
// has done to it. Also in a browser without moveBefore().
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames } from '../lib/browsers.mjs';
import { movedPage } from '../lib/moved-page.mjs';
import { random } from '../lib/proxy.mjs';

const ROUNDS = 200;

/** Markup out of a few kinds of elements, with ids and keys that come again. */
function someMarkup(rand) {
  const pick = (list) => list[Math.floor(rand() * list.length)];
  const ids = [...'abcdefgh'].sort(() => rand() - 0.5);
  const element = (depth) => {
    const name = pick(['p', 'div', 'span', 'b']);
    const id = rand() < 0.3 && ids.length ? ` id="${ids.pop()}"` : '';
    const key = rand() < 0.2 ? ` data-key="${pick([1, 2, 3])}"` : '';
    const classes = rand() < 0.3 ? ` class="${pick(['x', 'y'])}"` : '';
    return `<${name}${id}${key}${classes}>${children(depth + 1)}</${name}>`;
  };
  const children = (depth) => {
    let html = '';
    for (let n = Math.floor(rand() * (depth > 3 ? 1 : 5)); n > 0; n--)
      html += rand() < 0.3 ? pick(['text', 'more', ' ', '<!--c-->']) : element(depth);
    return html;
  };
  // As the parser has it: a <p> in a <p> would be none.
  return children(0)
    .replaceAll('<p', '<i')
    .replaceAll('</p', '</i')
    .replaceAll('<div', '<u')
    .replaceAll('</div', '</u');
}

for (const name of browserNames)
  for (const mode of ['with moveBefore()', 'without moveBefore()']) {
    describe(`markup in ${name}, ${mode}`, () => {
      let site, page;
      before(async () => {
        site = await movedPage(name);
        page = site.page;
      });
      after(() => site?.close());

      const open = async (html) => {
        await site.open(html);
        if (mode !== 'with moveBefore()')
          await page.evaluate(() => delete Element.prototype.moveBefore);
      };
      const html = (markup, more = {}) => site.moved({ select: 'main', html: markup, ...more });

      test(`any markup becomes what it says, and elements with ids stay the same, ${ROUNDS} times at random`, async (t) => {
        const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
        t.diagnostic(`SEED=${seed}`);
        const rand = random(seed);
        await open();
        for (let round = 0; round < ROUNDS; round++) {
          const wanted = someMarkup(rand);
          await page.evaluate(() => {
            for (const element of document.querySelectorAll('main *'))
              element.known = `${element.localName}#${element.id}`;
          });
          const before = await page.evaluate(() =>
            [...document.querySelectorAll('main [id]')].map((e) => `${e.localName}#${e.id}`),
          );
          await html(wanted);
          const seen = await page.evaluate((text) => {
            const template = document.createElement('template');
            template.innerHTML = text;
            const main = document.querySelector('main');
            const ids = [...main.querySelectorAll('[id]')].map((e) => [
              `${e.localName}#${e.id}`,
              e.known ?? '',
            ]);
            const wanted = document.createElement('main');
            wanted.append(template.content);
            wanted.id = 'main';
            return { same: main.isEqualNode(wanted), is: main.innerHTML, ids };
          }, wanted);
          assert.ok(seen.same, `round ${round}: ${seen.is}\nis not ${wanted}`);
          for (const [id, known] of seen.ids)
            if (before.includes(id)) assert.equal(known, id, `round ${round}: ${id} was made anew`);
        }
      });

      test('focus, caret and typed text survive what is put around them, and a move into another element', async () => {
        await open('<p>one</p><label>Name <input id="n"></label><p>two</p>');
        await page.focus('#n');
        await page.keyboard.type('half-typ');
        await page.evaluate(() => document.querySelector('#n').setSelectionRange(2, 4, 'backward'));
        const state = () =>
          page.evaluate(() => {
            const field = document.activeElement;
            return [
              field.id,
              field.value,
              field.selectionStart,
              field.selectionEnd,
              field.selectionDirection,
            ];
          });
        const expected = ['n', 'half-typ', 2, 4, 'backward'];
        await page.evaluate(() => (document.querySelector('#n').same = true));
        for (const markup of [
          '<h1>new</h1><p>one</p><label>Name <input id="n" class="x"></label><p>two</p>',
          '<section><p>other</p><label>Name <input id="n" value="ha"></label></section>',
          '<p>1</p><p>2</p><form><b>b</b><input id="n" value="half"></form>',
          '<input id="n" value="half-ty"><form></form>',
        ]) {
          await html(markup);
          assert.deepEqual(await state(), expected, markup);
        }
        assert.ok(await page.evaluate(() => document.querySelector('#n').same));
      });

      test('fields without ids are known by their names: none gets what was typed into another', async () => {
        await open('<label>A <input name="a"></label><label>B <input name="b"></label>');
        await page.type('[name=b]', 'bee');
        await html(
          '<label>Z <input name="z"></label><label>A <input name="a"></label><p class="error">what?</p><label>B <input name="b"></label>',
        );
        const values = await page.evaluate(() =>
          [...document.querySelectorAll('input')].map((i) => [i.name, i.value]),
        );
        assert.deepEqual(values, [
          ['z', ''],
          ['a', ''],
          ['b', 'bee'],
        ]);
        assert.equal(await page.evaluate(() => document.activeElement.name), 'b');
      });

      test('keyed rows are moved, not made anew; what plays, scrolls and is selected goes with them', async () => {
        const row = (key) =>
          `<li data-key="${key}"><b>${key}</b><div class="s"><p>${'long '.repeat(90)}</p></div></li>`;
        const keys = [...'abcdefghij'];
        await open(`<ul>${keys.map(row).join('')}</ul>`);
        await page.evaluate(() => {
          for (const li of document.querySelectorAll('li')) li.known = li.dataset.key;
          getSelection().selectAllChildren(document.querySelector('[data-key=c] b'));
        });
        for (const order of [
          'jihgfedcba',
          'abcdefghij',
          'bcdefghija',
          'jabcdefghi',
          'cxa',
          'abc',
        ]) {
          await html(`<ul>${[...order].map(row).join('')}</ul>`);
          const seen = await page.evaluate(() =>
            [...document.querySelectorAll('li')]
              .map((li) => li.dataset.key + (li.known === li.dataset.key ? '' : '*'))
              .join(''),
          );
          assert.equal(seen.replaceAll('*', ''), order);
          if (order.length > 3) assert.equal(seen, order, 'made anew');
        }
        assert.equal(await page.evaluate(() => String(getSelection())), 'c');
      });

      test('what the user has ticked, chosen and opened stays until the markup says something new', async () => {
        const form = ({ tick = '', a = '', b = '', text = '', n = 0 } = {}) =>
          `<p>${n}</p><input type="checkbox" name="t" ${tick}><select name="s"><option ${a}>a</option><option ${b}>b</option><option>c</option></select>` +
          `<textarea name="x">${text}</textarea><details><summary>more</summary>rest</details><input type="range" name="r" max="${10 + n}" value="5">`;
        await open(form());
        await page.click('[name=t]');
        await page.select('[name=s]', 'c');
        await page.type('textarea', 'mine');
        await page.click('summary');
        await page.evaluate(() => document.activeElement.blur());
        const state = () =>
          page.evaluate(() => [
            document.querySelector('[name=t]').checked,
            document.querySelector('select').value,
            document.querySelector('textarea').value,
            document.querySelector('details').open,
            document.querySelector('p').textContent,
          ]);
        await html(form({ n: 1 }));
        assert.deepEqual(await state(), [true, 'c', 'mine', true, '1']);
        await html(form({ n: 2, tick: 'checked', b: 'selected', text: 'theirs' }));
        assert.deepEqual(await state(), [true, 'b', 'theirs', true, '2']);
        await html(form({ n: 3 }));
        assert.deepEqual(await state(), [false, 'a', '', true, '3']);
      });

      test('a zone that is to be ignored is left alone, as long as the markup has it', async () => {
        await open('<p>1</p><div id="map" data-hs-ignore>made by a script</div><p>2</p>');
        await page.evaluate(() => {
          const map = document.querySelector('#map');
          map.className = 'big';
          map.append(document.createElement('canvas'));
        });
        await html('<h1>h</h1><p>1</p><div id="map" data-hs-ignore class="small"></div>');
        assert.equal(
          await page.evaluate(() => document.querySelector('main').innerHTML),
          '<h1>h</h1><p>1</p><div id="map" data-hs-ignore="" class="big">made by a script<canvas></canvas></div>',
        );
        await html('<h1>h</h1>');
        assert.equal(
          await page.evaluate(() => document.querySelector('main').innerHTML),
          '<h1>h</h1>',
        );
      });

      test('an element becomes another as a whole: attributes, contents, kind', async () => {
        await open('<p id="a" class="x">one <b>two</b> <input name="i"></p>');
        await page.type('[name=i]', 'typed');
        await site.moved({
          select: '#a',
          outer: '<p id="a" title="t">one <b>three</b> <input name="i"></p>',
        });
        await site.moved({
          select: '#a',
          outer: '<section id="a"><p><input name="i"></p></section>',
        });
        assert.equal(
          await page.evaluate(() => document.querySelector('main').innerHTML),
          '<section id="a"><p><input name="i"></p></section>',
        );
        assert.deepEqual(
          await page.evaluate(() => [document.activeElement.name, document.activeElement.value]),
          ['i', 'typed'],
        );
      });

      test('a selection in text stays at its words while the text around it changes', async () => {
        await open('<p>price 10 and tax</p>');
        await page.evaluate(() => {
          const text = document.querySelector('p').firstChild;
          getSelection().setBaseAndExtent(text, 13, text, 16);
        });
        assert.equal(await page.evaluate(() => String(getSelection())), 'tax');
        await html('<p>price 1000 and tax</p>');
        await site.moved({ select: 'p', text: 'price 7 and tax' });
        assert.equal(await page.evaluate(() => String(getSelection())), 'tax');
      });

      test('what is edited as a whole is left alone while it is edited', async () => {
        await open('<div id="e" contenteditable>start</div><p>1</p>');
        await page.focus('#e');
        await html('<div id="e" contenteditable>not typed into yet</div><p>2</p>');
        await page.keyboard.press('End');
        await page.keyboard.type(', mine');
        await html('<div id="e" contenteditable>theirs</div><p>3</p>');
        await site.moved([
          { select: '#e', text: 'theirs' },
          { select: '#e', html: '<b>theirs</b>' },
        ]);
        assert.deepEqual(
          await page.evaluate(() => [
            document.querySelector('#e').textContent,
            document.querySelector('p').textContent,
          ]),
          ['not typed into yet, mine', '3'],
        );
        await site.moved({ select: '#e', text: 'forced', force: true });
        assert.equal(await page.evaluate(() => document.querySelector('#e').textContent), 'forced');
      });
    });
  }
