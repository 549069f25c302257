// SPDX-License-Identifier: MIT
// How a program listens: which events, how often, what it does to them, and
// what it is never told; in real browsers.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { browserNames, launch } from '../lib/browsers.mjs';
import { ListeningPage } from '../lib/listening-page.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { makeRoot, REPO, startServer } from '../lib/server.mjs';

const SITE = path.join(REPO, 'tests/browser/site');

for (const name of browserNames) {
  describe(`a listener in ${name}`, () => {
    let browser, server, page, p, proxy;

    before(async () => {
      browser = await launch(name);
      server = await startServer({ root: SITE, args: ['--ping-interval', '1s'] });
      page = await browser.newPage();
      p = new ListeningPage(page, server.url);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });
    afterEach(() => proxy?.stop());

    const click = (selector) => p.run((s) => document.querySelector(s).click(), selector);
    /** In the page: an event of this type at each of these. */
    const fire = (type, selectors, options = { bubbles: true }) =>
      p.run(
        (t, all, o) => all.forEach((s) => document.querySelector(s).dispatchEvent(new Event(t, o))),
        type,
        [selectors].flat(),
        options,
      );

    describe('chooses', () => {
      const nested =
        '<section id="s" class="x"><p id="p" class="x"><b id="b">b</b></p></section><p id="q">q</p>';

      test('the innermost element that its selector fits; without one, all that comes up to the window', async () => {
        await p.open(
          nested,
          { on: 'click', select: '.x', as: 'x', fields: ['target', 'source'] },
          { on: 'click', as: 'any', fields: ['target'] },
        );
        await click('#b');
        await click('#q');
        const heard = await p.heard();
        assert.deepEqual(
          heard.map(([as, { target, source }]) => [as, target.id, source?.id]),
          [
            ['x', 'p', 'b'],
            ['any', 'b', undefined],
            ['any', 'q', undefined],
          ],
        );
      });

      test('elements that come later, and in open shadow trees', async () => {
        await p.open('<div id="host"></div>', { on: 'click', select: '.later' });
        await p.run(() => {
          const inside = document.createElement('i');
          inside.className = 'later';
          document.querySelector('#host').attachShadow({ mode: 'open' }).append(inside);
          const outside = inside.cloneNode();
          document.querySelector('main').append(outside);
          for (const element of [inside, outside]) element.click();
        });
        assert.deepEqual(await p.names(), ['click', 'click']);
      });

      test('what does not bubble only at its target, unless it captures', async () => {
        await p.open(
          nested,
          { on: 'quiet', select: '#p' },
          { on: 'quiet', select: '#p', capture: true, as: 'captured' },
        );
        await fire('quiet', '#b', {});
        assert.deepEqual(await p.names(), ['captured']);
        await fire('quiet', '#p', {});
        assert.deepEqual(await p.names(), ['captured', 'quiet']);
      });

      test('the window and the document apart', async () => {
        await p.open(
          '',
          { on: 'ping', target: 'window', as: 'window' },
          { on: 'ping', target: 'document', as: 'document' },
          { on: 'ping', as: 'either' },
        );
        await p.run(() => window.dispatchEvent(new Event('ping')));
        assert.deepEqual(await p.names(), ['window', 'either']);
        await p.run(() => document.dispatchEvent(new Event('ping')));
        assert.deepEqual(await p.names(), ['document', 'either']);
      });

      test('what a script of the page has stopped only if it captures', async () => {
        await p.open(
          nested,
          { on: 'click', select: '#p' },
          { on: 'click', select: '#p', capture: true, as: 'captured' },
        );
        await p.run(() =>
          document
            .querySelector('#b')
            .addEventListener('click', (event) => event.stopPropagation()),
        );
        await click('#b');
        assert.deepEqual(await p.names(), ['captured']);
      });

      test('several types at once, and no longer what is unlistened by name, type, selector or all together', async () => {
        await p.open(
          nested,
          { on: ['a', 'b'], select: '#p', as: 'one' },
          { on: 'a', select: '#q', as: 'two' },
          { on: 'a', as: 'three' },
        );
        const all = async () => {
          for (const type of ['a', 'b']) await fire(type, ['#p', '#q']);
          return (await p.names()).join(' ');
        };
        assert.equal(await all(), 'one three two three one');
        await p.unlisten({ as: 'one', on: 'a' });
        assert.equal(await all(), 'three two three one');
        await p.unlisten({ select: '#q' });
        assert.equal(await all(), 'three three one');
        await p.unlisten({ as: 'nobody' });
        await p.unlisten({});
        assert.equal(await all(), '');
        assert.deepEqual(await p.problems(), []);
      });

      test('the same listener once: the last one counts', async () => {
        await p.open(
          nested,
          { on: 'click', select: '#p', fields: ['type'] },
          { on: 'click', select: '#p', fields: ['isTrusted'] },
        );
        await click('#p');
        const { time, ...data } = await p.one();
        assert.deepEqual(data, { isTrusted: false });
        assert.ok(time > 1e12);
      });
    });

    describe('acts', () => {
      test('prevent keeps the link where it is, also for events that are not told', async () => {
        await p.open('<a id="a" href="/elsewhere">a</a>', {
          on: 'click',
          select: 'a',
          prevent: true,
          throttle: 60_000,
        });
        await page.click('#a');
        await page.click('#a');
        assert.deepEqual(await p.names(), ['click']);
        assert.match(page.url(), /listens.py$/);
      });

      test('without prevent nothing is held up: its DOM listeners are passive', async () => {
        await p.open('', { on: 'wheel' });
        const prevented = () =>
          p.run(
            () =>
              !document
                .querySelector('main')
                .dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true })),
          );
        await p.listen({ on: 'wheel', prevent: true, as: 'second' });
        assert.equal(await prevented(), true);
        await p.unlisten({ as: 'second' });
        assert.equal(await prevented(), false);
        assert.deepEqual(await p.names(), ['wheel', 'second', 'wheel']);
      });

      test('stop: no listener further out hears it, and with capture none of the page', async () => {
        await p.open(
          '<p id="p"><b id="b">b</b></p>',
          { on: 'click', select: '#b', stop: true, as: 'inner' },
          { on: 'click', select: '#p', as: 'outer' },
          { on: 'hit', select: '#p', capture: true, stop: true, as: 'caught' },
          { on: 'hit', select: '#b', as: 'late' },
        );
        await p.run(() => {
          window.seen = [];
          for (const type of ['click', 'hit'])
            document.querySelector('#b').addEventListener(type, () => window.seen.push(type));
        });
        await click('#b');
        await fire('hit', '#b');
        assert.deepEqual(await p.names(), ['inner', 'caught']);
        assert.deepEqual(await p.run(() => window.seen), ['click']);
      });

      test('once', async () => {
        await p.open('<b id="b">b</b>', { on: 'click', select: '#b', once: true });
        await click('#b');
        await click('#b');
        assert.deepEqual(await p.names(), ['click']);
      });
    });

    describe('measures', () => {
      test('throttle: the first at once, the last at the end; for each element apart', async () => {
        await p.open('<i id="a">a</i><i id="b">b</i>', {
          on: 'tick',
          select: 'i',
          throttle: 300,
          fields: ['target', 'detail'],
        });
        await p.run(() => {
          for (let n = 0; n < 10; n++)
            for (const id of ['a', 'b'])
              document
                .getElementById(id)
                .dispatchEvent(new CustomEvent('tick', { bubbles: true, detail: n }));
        });
        const heard = await p.hears((all) => all.length >= 4);
        assert.deepEqual(
          heard.map(([, { target, detail }]) => `${target.id}${detail}`),
          ['a0', 'b0', 'a9', 'b9'],
        );
        assert.ok(
          heard[2][1].time - heard[0][1].time < 300,
          'its own time, not that of the telling',
        );
      });

      test('debounce: after the quiet, the latest; at once when the field is left, or its form submitted', async () => {
        await p.open(
          '<form id="f"><input id="a"><input id="b"></form>',
          { on: 'input', select: 'input', debounce: 150, fields: ['value'] },
          { on: 'submit', prevent: true, fields: ['type'] },
        );
        await page.type('#a', 'abc');
        assert.deepEqual(
          (await p.hears()).map(([, { value }]) => value),
          ['abc'],
        );
        await p.unlisten({ on: 'input' });
        await p.listen({ on: 'input', select: 'input', debounce: 60_000, fields: ['value'] });
        await page.type('#a', 'd');
        assert.deepEqual(await p.heard(), []);
        await page.focus('#b');
        assert.deepEqual(
          (await p.hears()).map(([, { value }]) => value),
          ['abcd'],
        );
        await page.type('#b', 'x');
        await p.run(() => document.querySelector('#f').requestSubmit());
        assert.deepEqual(await p.names(), ['input', 'submit']);
      });

      test('what was never said is not said after unlistening, nor when the session is over', async () => {
        const debounce = 5_000; // longer than a busy machine takes to type and to unlisten
        await p.open('<input id="a">', { on: 'input', debounce });
        await page.type('#a', 'abc');
        await p.unlisten({});
        await p.listen({ on: 'later' });
        // Said later than what was typed would have been.
        await p.listen({ on: 'mark', debounce });
        await p.run(() => void document.dispatchEvent(new Event('mark')));
        assert.deepEqual(
          (await p.hears()).map(([name]) => name),
          ['mark'],
        );
        const left = await p.run(async () => {
          const c = document.serverConnection;
          const errors = [];
          c.onerror = (error) => errors.push(error.code);
          const closed = new Promise((resolve) => (c.onclose = resolve));
          c.close();
          document.dispatchEvent(new Event('later'));
          await closed;
          document.dispatchEvent(new Event('later'));
          return errors;
        });
        assert.deepEqual(left, []);
      });
    });

    describe('keeps to itself', () => {
      const fields = `<form id="f"><input name="user" value="frode"><input name="pw"
        type="password"><input
        name="card" autocomplete="section-a billing cc-number">
        <input name="code" autocomplete="one-time-code"><p data-hs-secret><textarea
        name="note"></textarea></p><button>Go</button></form>`;

      test('what is typed, pasted and submitted in fields of passwords and payments', async () => {
        await p.open(
          fields,
          {
            on: [
              'keydown',
              'keyup',
              'keypress',
              'beforeinput',
              'input',
              'change',
              'paste',
              'copy',
              'focusin',
              'select',
              'click',
              'compositionend',
              'invalid',
              'submit',
            ],
            prevent: false,
          },
          { on: 'keydown', keys: ['s', 'Enter'], as: 'keys' },
          { on: 'submit', prevent: true, as: 'sent' },
          { on: 'formdata' },
        );
        for (const field of ['pw', 'card', 'code', 'note']) {
          await page.type(`[name=${field}]`, 'secret');
          await p.run((f) => {
            const control = document.querySelector(`[name=${f}]`);
            control.select();
            const clipboardData = new DataTransfer();
            clipboardData.setData('text/plain', 'secret');
            control.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, clipboardData }));
            control.dispatchEvent(
              new CompositionEvent('compositionend', { bubbles: true, data: 'secret' }),
            );
          }, field);
        }
        await page.click('button');
        const heard = await p.heard();
        const text = JSON.stringify(heard);
        assert.ok(
          !text.includes('secret'),
          text.slice(Math.max(0, text.indexOf('secret') - 300), text.indexOf('secret') + 50),
        );
        for (const [as, data] of heard)
          if (/^key/.test(as))
            assert.ok(!('key' in data) && !('code' in data), `${as} ${JSON.stringify(data)}`);
        assert.ok(
          !heard.some(([as]) => as === 'keys'),
          'a key that was asked for is not told either',
        );
        const told = (type) => heard.filter(([as]) => as === type).length;
        for (const type of ['keydown', 'beforeinput', 'input'])
          assert.equal(told(type), 24, `${type}: that something was typed is told`);
        assert.deepEqual(heard.find(([as]) => as === 'sent')[1].form, { user: 'frode' });
        assert.equal(told('formdata'), 0, 'reading a form is no event of it');
      });

      test('also of a password that the page shows, but not Enter', async () => {
        await p.open(
          '<input id="pw" type="password">',
          { on: ['input', 'keydown'] },
          { on: 'keydown', keys: 'Enter', as: 'enter' },
        );
        await page.type('#pw', 'x');
        await p.run(() => (document.querySelector('#pw').type = 'text'));
        await page.type('#pw', 'y');
        await page.keyboard.press('Enter');
        const heard = await p.heard();
        assert.ok(
          heard
            .filter(([as]) => as === 'input')
            .every(([, data]) => !('value' in data) && !('data' in data)),
        );
        assert.deepEqual(
          heard.filter(([as]) => as === 'keydown').map(([, { key }]) => key),
          [undefined, undefined, 'Enter'],
        );
        assert.equal(heard.at(-1)[0], 'enter');
      });

      test('nor what is chosen there, nor in a custom element that hides its field', async () => {
        await p.open(
          '<select name="month" autocomplete="cc-exp-month"><option>01<option>02</select><label data-hs-secret><input type="checkbox" name="ill"></label><my-field type="password"></my-field>',
          { on: ['change', 'input', 'click'] },
          { on: 'keydown' },
        );
        await page.select('select', '02');
        await page.click('[name=ill]');
        await p.run(() => {
          const field = document.querySelector('my-field');
          field.type = 'password';
          const inside = field
            .attachShadow({ mode: 'closed' })
            .appendChild(document.createElement('input'));
          inside.dispatchEvent(
            new KeyboardEvent('keydown', { key: 'x', code: 'KeyX', bubbles: true, composed: true }),
          );
        });
        const heard = await p.heard();
        assert.ok(heard.length >= 4);
        for (const [, data] of heard)
          for (const field of ['value', 'checked', 'selected', 'key', 'code'])
            assert.ok(!(field in data), JSON.stringify(data));
      });

      test('unless the program asks for it by name', async () => {
        await p.open(
          fields,
          { on: 'input', select: '[name=pw]', fields: ['value', 'data'] },
          { on: 'submit', prevent: true, fields: ['form.card'] },
        );
        await page.type('[name=pw]', 'a');
        await page.type('[name=card]', '4111');
        await page.click('button');
        const [[, typed], [, { form }]] = await p.heard();
        assert.deepEqual([typed.value, typed.data], ['a', 'a']);
        assert.deepEqual(form, { user: 'frode', card: '4111' });
      });
    });

    describe('over a link that fails', () => {
      async function openProxied(...listens) {
        proxy = await Proxy.start(server.port);
        const behind = new ListeningPage(page, proxy.url);
        await behind.open('<b id="b">b</b>', ...listens);
        return behind;
      }
      const tick = (n) =>
        p.run(
          (i) =>
            document
              .querySelector('#b')
              .dispatchEvent(new CustomEvent('tick', { bubbles: true, detail: i })),
          n,
        );
      const suspended = () =>
        page.waitForFunction(() => document.serverConnection.readyState === 4, { timeout: 60_000 });
      const numbers = (heard, as) =>
        heard.filter(([one]) => one === as).map(([, { detail }]) => detail);

      test('hears afterwards what happened meanwhile, in order and with its time; listeners stay', async () => {
        const behind = await openProxied({ on: 'tick', fields: ['detail'] });
        await tick(0);
        proxy.refuse(true);
        proxy.cut();
        await suspended();
        const before = Date.now();
        for (let n = 1; n <= 20; n++) await tick(n);
        const after = Date.now();
        proxy.refuse(false);
        await tick(21);
        const heard = await behind.hears((all) => all.length >= 22);
        assert.deepEqual(
          numbers(heard, 'tick'),
          Array.from({ length: 22 }, (_, i) => i),
        );
        for (const [, { time }] of heard.slice(1, 21))
          assert.ok(time >= before - 1000 && time <= after + 1000);
      });

      test('maxAge: what is older when the link is back is not told, also what was on its way into a dead one', async () => {
        const behind = await openProxied(
          { on: 'tick', fields: ['detail'], maxAge: 1500 },
          { on: 'tick', fields: ['detail'], as: 'all' },
        );
        proxy.freeze();
        proxy.refuse(true);
        await tick(1);
        await suspended(); // the dead peer is noticed by its silence, after more than maxAge
        await tick(2);
        proxy.refuse(false);
        await page.waitForFunction(() => document.serverConnection.readyState === 1, {
          timeout: 60_000,
        });
        await tick(3);
        const heard = await behind.hears((all) => numbers(all, 'all').includes(3));
        assert.deepEqual(numbers(heard, 'all'), [1, 2, 3]);
        const young = numbers(heard, 'tick');
        assert.ok(!young.includes(1) && young.includes(3), JSON.stringify(young));
      });

      test('coalesce: the latest wins, at its place among the others', async () => {
        const behind = await openProxied(
          { on: 'tick', fields: ['detail'], coalesce: true },
          { on: 'mark', fields: ['detail'] },
        );
        proxy.refuse(true);
        proxy.cut();
        await suspended();
        for (let n = 0; n < 50; n++) await tick(n);
        await p.run(() => document.dispatchEvent(new CustomEvent('mark', { detail: 'here' })));
        for (let n = 50; n < 100; n++) await tick(n);
        proxy.refuse(false);
        const heard = await behind.hears((all) => numbers(all, 'tick').includes(99));
        assert.deepEqual(
          heard.map(([, { detail }]) => detail),
          ['here', 99],
        );
      });

      test('what finds no room is counted and told, and nothing else is lost', async () => {
        proxy = await Proxy.start(server.port);
        await page.goto(`${proxy.url}/listens.py`);
        const told = await p.run(async () => {
          const c = new ServerConnection('/listens.py', { buffer: 4000 });
          await new Promise((resolve) => (c.onopen = resolve));
          await c.call('tell', ['.listen {"on":"tick","fields":["detail"]}']);
          for (let n = 0; n < 1000; n++)
            document.dispatchEvent(new CustomEvent('tick', { detail: n }));
          const heard = [];
          while (!heard.some(([as]) => as === '.problem'))
            heard.push(...(await c.call('heard').catch(() => [])));
          c.close();
          return heard;
        });
        const got = numbers(told, 'tick');
        assert.deepEqual(
          got,
          Array.from({ length: got.length }, (_, i) => i),
        );
        const [, problem] = told.find(([as]) => as === '.problem');
        assert.deepEqual(problem, {
          command: 'listen',
          message: `${1000 - got.length} events did not fit into the buffer`,
          on: 'tick',
          as: 'tick',
        });
      });
    });

    describe('takes files', () => {
      const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
      let folder;
      before(() => (folder = makeRoot({ 'a.txt': 'the first file', 'b.txt': '' })));
      after(() => folder.remove());

      test('that are chosen, as byte streams: each is announced by its event, and over cuts of the link it comes whole', async () => {
        proxy = await Proxy.start(server.port);
        proxy.plan(() => ({ upAfter: 2_000_000 }));
        const behind = new ListeningPage(page, proxy.url);
        await behind.open('<input type="file" id="f" multiple>', {
          on: 'change',
          select: '#f',
          as: 'chosen',
          files: 'stream',
          fields: [],
        });
        const big = randomBytes(8 << 20);
        fs.writeFileSync(path.join(folder.root, 'big.bin'), big);
        await (
          await page.$('#f')
        ).uploadFile(...['big.bin', 'a.txt', 'b.txt'].map((file) => path.join(folder.root, file)));
        const heard = await behind.hears((all) => all.filter(([as]) => as === '.end').length === 3);
        assert.ok(proxy.cuts >= 3, `${proxy.cuts} cuts`);
        const [, { files, time, ...rest }] = heard.find(([as]) => as === 'chosen');
        assert.deepEqual(rest, {});
        assert.deepEqual(
          files.map(({ name, size, upload }) => [name, size, upload]),
          [
            ['big.bin', big.length, 1],
            ['a.txt', 14, 2],
            ['b.txt', 0, 3],
          ],
        );
        const ends = heard
          .filter(([as]) => as === '.end')
          .map(([, end]) => end)
          .sort((a, b) => a.data.upload - b.data.upload);
        assert.deepEqual(
          ends.map(({ name, data, bytes, hash }) => [name, data.name, data.upload, bytes, hash]),
          [
            ['chosen', 'big.bin', 1, big.length, hash(big)],
            ['chosen', 'a.txt', 2, 14, hash('the first file')],
            ['chosen', 'b.txt', 3, 0, hash('')],
          ],
        );
      });

      test('that are dropped or pasted, however many, one after the other', async () => {
        await p.open('<p id="b">here</p>', {
          on: ['drop', 'paste'],
          files: 'stream',
          as: 'files',
          prevent: true,
        });
        await p.run(() => {
          const transfer = (names) =>
            names.reduce(
              (all, name) => (all.items.add(new File([name], name)), all),
              new DataTransfer(),
            );
          const b = document.querySelector('#b');
          b.dispatchEvent(
            new DragEvent('drop', {
              dataTransfer: transfer(Array.from({ length: 100 }, (_, i) => `file${i}`)),
              bubbles: true,
              cancelable: true,
            }),
          );
          b.dispatchEvent(
            new ClipboardEvent('paste', {
              clipboardData: transfer(['pasted']),
              bubbles: true,
              cancelable: true,
            }),
          );
        });
        // Firefox lets no script make such an event.
        const pasted = name === 'chromium' ? ['pasted'] : [];
        const heard = await p.hears(
          (all) => all.filter(([as]) => as === '.end').length === 100 + pasted.length,
        );
        assert.deepEqual(
          heard.filter(([as]) => as === 'files').map(([, { files }]) => files?.length ?? 0),
          [100, pasted.length],
        );
        const names = heard
          .filter(([as]) => as === '.end')
          .map(([, { data, hash: came }]) => (assert.equal(came, hash(data.name)), data.name));
        assert.deepEqual(names, [...Array.from({ length: 100 }, (_, i) => `file${i}`), ...pasted]);
      });

      test('that a script sends: upload(), with progress, an answer, and a clear end when it is given up', async () => {
        await p.open('');
        const told = await p.run(async () => {
          const c = document.serverConnection;
          const steps = [];
          const blob = new Blob([new Uint8Array(3_000_000).fill(7)], { type: 'x/y' });
          const answer = await c.upload('mine', blob, {
            progress: (sent, size) => steps.push([sent, size]),
          });
          const giveUp = new AbortController();
          const error = await c
            .upload('mine', new Blob([new Uint8Array(50_000_000)]), {
              signal: giveUp.signal,
              progress: () => giveUp.abort('enough'),
            })
            .catch((e) => [e.code, e.cause]);
          const bad = await c.upload('no name', blob).catch((e) => e.code);
          const unsendable = await c
            .upload('mine', blob, { data: { big: 1n } })
            .catch((e) => e.code);
          return { answer, steps, error, bad, unsendable };
        });
        assert.deepEqual(told.answer, { taken: 'mine' });
        assert.deepEqual(told.steps.at(-1), [3_000_000, 3_000_000]);
        assert.ok(
          told.steps.length > 2 &&
            told.steps.every(([sent], i) => sent >= (told.steps[i - 1]?.[0] ?? 0)),
          JSON.stringify(told.steps),
        );
        assert.deepEqual(
          [told.error, told.bad, told.unsendable],
          [['aborted', 'enough'], 'bad-name', 'unsendable'],
        );
        const heard = await p.hears((all) => all.some(([as]) => as === '.reset'));
        const [, end] = heard.find(([as]) => as === '.end');
        assert.deepEqual(
          [end.bytes, end.hash, end.data],
          [3_000_000, hash(Buffer.alloc(3_000_000, 7)), { size: 3_000_000, type: 'x/y' }],
        );
      });
    });

    describe('that is wrong', () => {
      const wrong = {
        'no such option: selct': { on: 'click', selct: 'b' },
        'no such option: __proto__': JSON.parse('{"on":"click","__proto__":{"as":"x"}}'),
        'no selector: b[': { on: 'click', select: 'b[' },
        'no selector: 5': { on: 'click', select: 5 },
        'on: the type of an event': {},
        'on: the type': { on: ['click', 7] },
        'as: a name': { on: 'click', as: '.close' },
        'as: a name (1 to 128': { on: 'my event' },
        'no such field: valeu': { on: 'click', fields: ['valeu'] },
        'no such field: __proto__': { on: 'click', fields: ['__proto__'] },
        'no such field: constructor': { on: 'click', fields: ['constructor'] },
        'fields: a list': { on: 'click', fields: 'value' },
        'throttle: milliseconds, 0 to 86400000': { on: 'click', throttle: 1e300 },
        'debounce: milliseconds': { on: 'click', debounce: -1 },
        'maxAge: milliseconds': { on: 'click', maxAge: '1s' },
        'throttle or debounce': { on: 'click', throttle: 1, debounce: 1 },
        'prevent or passive': { on: 'click', prevent: true, passive: true },
        'prevent: true or false': { on: 'click', prevent: 1 },
        'select or target': { on: 'click', select: 'b', target: 'window' },
        'no such target: toString': { on: 'click', target: 'toString' },
        'no media query: !!': { on: 'change', target: 'media:!!' },
        'no key: Strg+s': { on: 'keydown', keys: 'Strg+s' },
        'files: "stream"': { on: 'change', files: true },
        'keys: for keydown': { on: 'click', keys: 'Enter' },
      };

      test('is told to the program with what is wrong, and does nothing', async () => {
        await p.open('<b id="b">b</b>');
        for (const [why, data] of Object.entries(wrong)) {
          await p.listen(data);
          const [problem, ...more] = await p.problems();
          assert.ok(
            problem?.command === 'listen' && problem.message.startsWith(why),
            `${why}: ${JSON.stringify(problem)}`,
          );
          assert.deepEqual(more, []);
        }
        await click('#b');
        assert.deepEqual(await p.heard(), []);
        await p.unlisten({ slect: 'b' });
        assert.match((await p.problems())[0].message, /no such option: slect/);
      });

      test('once for each listener when a field can not be told, and the event comes without it', async () => {
        await p.open('<b id="b">b</b>', { on: 'odd', as: 'cycle', fields: ['type', 'detail'] });
        await p.run(() => {
          const cycle = {};
          cycle.self = cycle;
          for (let i = 0; i < 3; i++)
            document.dispatchEvent(new CustomEvent('odd', { detail: cycle }));
          const hostile = {
            get trap() {
              throw new Error('sprung');
            },
          };
          document.dispatchEvent(new CustomEvent('odd', { detail: hostile }));
        });
        const heard = await p.heard();
        assert.equal(heard.filter(([as]) => as === 'cycle').length, 4);
        assert.ok(heard.every(([as, data]) => as !== 'cycle' || !('detail' in data)));
        assert.deepEqual(
          heard
            .filter(([as]) => as === '.problem')
            .map(([, { message, as, field }]) => [message, as, field]),
          [
            ['detail is left out: a cycle, or too deep', 'cycle', 'detail'],
            ['detail is left out: sprung', 'cycle', 'detail'],
          ],
        );
      });

      test('an event larger than a message may be is a problem, not the end', async () => {
        await p.open('<b id="b">b</b>', { on: 'big' });
        await p.run(() =>
          document.dispatchEvent(new CustomEvent('big', { detail: 'x'.repeat(17 << 20) })),
        );
        await p.run(() => document.dispatchEvent(new CustomEvent('big', { detail: 'small' })));
        const [[as, problem], [, small]] = await p.heard();
        assert.equal(as, '.problem');
        assert.match(problem.message, /bytes/);
        assert.equal(small.detail, 'small');
      });
    });

    test('another origin hears nothing unless the page has opened itself to it', async () => {
      const other = await startServer({
        root: SITE,
        args: ['--policy', 'config', '--rules', 'allow <*>'],
      });
      try {
        await page.goto(
          `${server.url}/listens.py?connect=${encodeURIComponent(other.url.replace('http', 'ws'))}`,
        );
        const tried = await p.run(async (url) => {
          const told = {};
          for (const [how, options] of Object.entries({ shut: {}, open: { dom: true } })) {
            const c = new ServerConnection(url, options);
            await new Promise((resolve, reject) => {
              c.onopen = resolve;
              c.onclose = ({ code, reason }) => reject(new Error(`${code} ${reason}`));
            });
            await c.call('tell', ['.listen {"on":"hit"}', '.dom {"select":"main","text":"moved"}']);
            document.dispatchEvent(new Event('hit'));
            told[how] = {
              heard: (await c.call('heard')).map(([as, { message }]) => message ?? as),
              main: document.querySelector('main').textContent,
            };
            c.close();
          }
          return told;
        }, `${other.url}/listens.py`);
        assert.equal(tried.shut.heard.length, 2);
        for (const message of tried.shut.heard) assert.match(message, /not opened its document/);
        assert.equal(tried.shut.main, '');
        assert.deepEqual(tried.open, { heard: ['hit'], main: 'moved' });
      } finally {
        await other.stop();
      }
    });
  });
}
