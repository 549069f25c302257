// SPDX-License-Identifier: MIT
// What a program does to dialogs, forms, media and the page as a whole, and what it hears of
// clicks with modifiers, of elements that come into view, and how a page shows that it waits.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames } from '../lib/browsers.mjs';
import { ListeningPage } from '../lib/listening-page.mjs';
import { movedPage } from '../lib/moved-page.mjs';
import { until } from '../lib/until.mjs';

for (const name of browserNames)
  describe(`a page as a whole in ${name}`, () => {
    let site, page, listening;
    before(async () => {
      site = await movedPage(name);
      page = site.page;
      listening = new ListeningPage(page, site.urls[0]);
    });
    after(() => site?.close());

    const problemsOf = async (...operations) => {
      await site.move(operations);
      return (await site.problems()).map(([, message]) => message);
    };

    test('dialogs become modal and close, popovers hide', async () => {
      await site.open('<dialog id="d" open><input id="i"></dialog><p id="o" popover>o</p>');
      await site.moved({ select: '#d', showModal: true });
      const isModal = () => page.evaluate(() => document.querySelector('#d').matches(':modal'));
      assert.ok(await isModal());
      await site.moved({ select: '#d', showModal: true, close: 'said' });
      assert.equal(await page.evaluate(() => document.querySelector('#d').returnValue), 'said');
      await page.evaluate(() => document.querySelector('#o').showPopover());
      await site.moved({ select: '#o', close: true });
      assert.equal(await page.$('#o:popover-open'), null);
      assert.deepEqual(
        await problemsOf({ select: '#i', showModal: true }, { select: '#i', close: true }),
        ['showModal: a <dialog> is wanted', 'close: a <dialog> or a popover is wanted'],
      );
    });

    test('a form is reset, but for what the user types meanwhile', async () => {
      await site.open('<form><input name="reset" value="a"><input name="b"></form>');
      await page.type('[name=reset]', 'x');
      await page.type('[name=b]', 'typing');
      await site.moved({ select: 'form', reset: true });
      const values = () =>
        page.evaluate(() => [...document.querySelectorAll('input')].map(({ value }) => value));
      assert.deepEqual(await values(), ['a', 'typing']);
      await site.moved({ select: 'form', reset: true, force: true });
      assert.deepEqual(await values(), ['a', '']);
    });

    test('media play and pause; what the browser does not play is a problem', async () => {
      await site.open('<audio></audio>');
      await page.evaluate(() => {
        const audio = document.querySelector('audio');
        window.calls = [];
        audio.play = () => (window.calls.push('play'), Promise.reject(new Error('not now')));
        audio.pause = () => window.calls.push('pause');
      });
      const problems = await problemsOf({ select: 'audio', play: true });
      assert.deepEqual(problems, ['Error: not now']);
      await site.moved({ select: 'audio', play: false });
      assert.deepEqual(await page.evaluate(() => window.calls), ['play', 'pause']);
    });

    test('cookies are set and removed, and refused when they could not be what they say', async () => {
      await site.open();
      const cookies = () => page.evaluate(() => document.cookie);
      await site.moved({ cookie: { name: 'theme', value: 'dark', maxAge: 3600 } });
      assert.equal(await cookies(), 'theme=dark');
      await site.moved({ cookie: { name: 'theme' } });
      assert.equal(await cookies(), '');
      const problems = await problemsOf(
        { cookie: { name: 'a', value: 'b; Domain=x' } },
        { cookie: { name: 'a=b', value: 'c' } },
        { cookie: { name: 'a', value: 'b', httpOnly: true } },
        { cookie: { name: 'a', value: 'b', domain: 'elsewhere.test' } },
      );
      assert.deepEqual(problems, [
        'cookie: value: not like that',
        'cookie: name: not like that',
        'cookie: only an answer can set httpOnly, by the header Set-Cookie',
        'cookie: the browser does not take a',
      ]);
      assert.equal(await cookies(), '');
    });

    test('the page goes to http and https only, after all else', async () => {
      await site.open('<p id="p"></p>');
      const problems = await problemsOf(
        { go: 'javascript:ran()' },
        { go: 'data:text/html,x' },
        { go: 'http://' },
        { select: '#p', go: '#there', text: 'x' },
      );
      assert.deepEqual(problems, [
        'go: to http and https only, not to javascript:',
        'go: to http and https only, not to data:',
        'go: no address: http://',
      ]);
      assert.equal(
        await page.evaluate(() => `${location.hash}${document.body.innerText.trim()}`),
        '#therex',
      );
      const gone = page.waitForNavigation();
      await page.evaluate(
        () => void window.mover.call('move', { go: { url: '/counter.py', replace: true } }),
      );
      await gone;
      assert.match(page.url(), /counter\.py$/);
    });

    test('a click that opens a tab is the browser’s, unless a listener asks for it', async () => {
      const html = '<a id="a" href="/counter.py"><b>a</b></a><i id="i">i</i>';
      await listening.open(
        html,
        { on: 'click', select: '#a', prevent: true, as: 'plain' },
        { on: 'click', select: '#i', prevent: true, as: 'no_link' },
      );
      const clicks = (init) =>
        page.evaluate((init) => {
          const seen = [];
          const note = (event) => (seen.push(event.defaultPrevented), event.preventDefault());
          addEventListener('click', note);
          for (const target of document.querySelectorAll('b, #i'))
            target.dispatchEvent(
              new MouseEvent('click', { bubbles: true, cancelable: true, ...init }),
            );
          removeEventListener('click', note);
          return seen;
        }, init);
      assert.deepEqual(await clicks({}), [true, true]);
      for (const key of ['ctrlKey', 'metaKey', 'shiftKey'])
        assert.deepEqual(await clicks({ [key]: true }), [false, true], key);
      assert.deepEqual(await clicks({ button: 1 }), [false, true]);
      const names = async (...wanted) => {
        const all = await listening.hears((list) => list.length >= wanted.length);
        assert.deepEqual(
          all.map(([event]) => event),
          wanted,
        );
      };
      await names('plain', ...Array(5).fill('no_link'));
      await listening.open(
        html,
        { on: 'click', select: '#a', as: 'asked', prevent: true, modifiers: ['Ctrl'] },
        { on: 'click', select: '#i', as: 'any', prevent: true, modifiers: 'any' },
      );
      assert.deepEqual(await clicks({ ctrlKey: true }), [true, true]);
      assert.deepEqual(await clicks({ metaKey: true }), [false, true]);
      await names('asked', 'any', 'any');
      await listening.listen({ on: 'click', modifiers: ['Strg'] });
      assert.match((await listening.problems())[0].message, /no modifiers: Strg/);
    });

    test('elements that come into view, and leave it, are told, also those that are added later', async () => {
      const far = (id) => `<p style="margin-top: 3000px" id="${id}" class="v">x</p>`;
      await listening.open(`<p id="near" class="v">x</p>${far('far')}`, {
        on: ['enterview', 'leaveview'],
        select: '.v',
        fields: ['type', 'target'],
      });
      const told = async (...wanted) => {
        const all = await listening.hears((list) => list.length >= wanted.length);
        assert.deepEqual(all.map(([, { type, target }]) => `${type} ${target.id}`).sort(), wanted);
      };
      await told('enterview near');
      await page.evaluate(() => document.querySelector('#far').scrollIntoView());
      await told('enterview far', 'leaveview near');
      await page.evaluate(
        (html) => document.querySelector('main').insertAdjacentHTML('beforeend', html),
        far('new'),
      );
      await page.evaluate(() => document.querySelector('#new').scrollIntoView());
      await told('enterview new', 'leaveview far');
      await listening.listen({ on: 'enterview' }, { on: 'enterview', select: 'p', margin: 'x' });
      const problems = await listening.problems();
      assert.match(problems[0].message, /select, the elements, is wanted/);
      assert.match(problems[1].message, /margin: as in CSS/);
    });

    test('an element is busy, and its button waits, until the program says something', async () => {
      await listening.open(
        '<form><input name="elements"><button data-hs-disable-with="Saving">Save <b>it</b></button></form>',
        { on: 'submit', select: 'form', prevent: true, busy: true },
      );
      const html = () => page.evaluate(() => document.querySelector('main').innerHTML);
      const before = await html();
      const [during, afterwards] = await page.evaluate(async () => {
        const seen = () => document.querySelector('main').innerHTML;
        const button = document.querySelector('button');
        button.focus();
        button.click();
        const all = [seen()];
        await document.serverConnection.call('heard');
        return [...all, [seen(), document.activeElement === button]];
      });
      assert.equal(
        during,
        '<form aria-busy="true" data-hs-busy=""><input name="elements"><button data-hs-disable-with="Saving" aria-busy="true" data-hs-busy="" disabled="">Saving</button></form>',
      );
      assert.deepEqual(afterwards, [before, true]);
      await listening.heard();
    });

    test('a program that takes an event and says nothing keeps nobody waiting for ever', async () => {
      await listening.open('<i>i</i>', { on: 'click', select: 'i', busy: true });
      await page.click('i');
      assert.ok(await page.$('i[aria-busy]'));
      await until(async () => !(await page.$('i[aria-busy]')));
    });

    test('files of a folder are told with their paths', async () => {
      await listening.open('<input type="file" multiple>', { on: 'change' });
      await page.evaluate(() => {
        const input = document.querySelector('input');
        const transfer = new DataTransfer();
        transfer.items.add(new File(['x'], 'b.txt'));
        input.files = transfer.files;
        Object.defineProperty(input.files[0], 'webkitRelativePath', { value: 'a/b.txt' });
        input.dispatchEvent(new Event('change', { bubbles: true }));
      });
      const { files } = await listening.one();
      assert.deepEqual([files[0].name, files[0].path], ['b.txt', 'a/b.txt']);
    });
  });
