// SPDX-License-Identifier: MIT
// What the user does before the program listens, or when none will: nothing is lost, nothing is
// told twice, and no form goes out natively that a program hears.
import assert from 'node:assert/strict';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { REPO, startServer } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const LOGIN =
  '<form id="login"><input name="user"><input name="pw" type="password"><button>in</button></form>';
const SUBMIT = { on: 'submit', select: 'form', prevent: true };

for (const name of browserNames) {
  describe(`before its program listens, a page in ${name}`, () => {
    let browser, server, proxy, page;

    before(async () => {
      proxy = await Proxy.start(0);
      server = await startServer({
        root: path.join(REPO, 'tests/browser/site'),
        args: ['--origin', proxy.url],
      });
      proxy.to(server.port);
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await proxy?.stop();
      await server?.stop();
    });

    /** The page, as soon as it can be seen: its program says `listens` after `late` seconds. */
    async function opens(body, listens, { late = 0, delay = 0, more = {} } = {}) {
      proxy.plan(() => ({ delay }));
      page = await browser.newPage();
      const query = { body, listens: JSON.stringify(listens), late, ...more };
      await page.goto(`${proxy.url}/notes.py?${new URLSearchParams(query)}`, {
        waitUntil: 'domcontentloaded',
      });
      await page.evaluate(() => {
        window.errors = [];
        document.serverConnection.addEventListener('error', ({ code }) => errors.push(code));
      });
    }
    /** Its program has said its listeners. */
    const listens = () => page.evaluate(() => document.serverConnection.call('pid'));
    /** The program ends its session, and the page does nothing about it. */
    async function ends() {
      await page.evaluate(() => document.serverConnection.call('pid'));
      await page.evaluate(
        (line) => void document.serverConnection.call('tell', [line]).catch(() => {}),
        '.close {"reason":"done"}',
      );
      await until(() => page.evaluate(() => document.serverConnection.readyState === 3));
    }
    /** What the program of this page has heard so far, by a name. */
    async function heard(as) {
      const all = await page.evaluate(() => document.serverConnection.call('heard'));
      return all.filter(([name]) => name === as).map(([, data]) => data);
    }

    test('has told of 20 clicks out of 20, from first paint on at 300 ms, once and in order', async () => {
      const body = '<button id="b" data-n="1">b</button><button id="c">c</button>';
      const clicks = [{ on: 'click', select: 'button', as: 'hit' }];
      await opens(body, clicks, { late: 1, delay: 300 });
      for (let i = 0; i < 10; i++) for (const at of ['#b', '#c']) await page.click(at);
      await listens();
      await page.click('#b');
      await until(async () => (await heard('hit')).length >= 21);
      const all = await heard('hit');
      assert.deepEqual(
        all.map(({ target }) => target.id),
        [...Array(10).fill(['b', 'c']).flat(), 'b'],
      );
      assert.ok(all.every(({ time }, i) => i === 0 || time >= all[i - 1].time));
      await page.close();
    });

    test('tells of what was typed and chosen with the values of then, in the order of the acts', async () => {
      const body =
        '<form id="f"><input id="a" name="a"><input type="checkbox" id="k" name="k"></form>';
      const all = [
        { on: 'change', select: '#k', as: 'act' },
        { on: 'input', select: '#a', as: 'act' },
      ];
      await opens(body, all, { late: 1 });
      await page.type('#a', 'ab');
      await page.click('#k');
      await page.type('#a', 'c');
      await listens();
      await until(async () => (await heard('act')).length >= 4);
      assert.deepEqual(
        (await heard('act')).map(({ value, checked }) => checked ?? value),
        ['a', 'ab', true, 'abc'],
      );
      await page.close();
    });

    test('tells no secret, and no other page gets a password into its address', async () => {
      const all = [SUBMIT, { on: ['input', 'keydown'], as: 'typed' }];
      await opens(LOGIN, all, { late: 1 });
      const before = page.url();
      await page.type('[name=user]', 'me');
      await page.type('[name=pw]', 'geheim');
      await page.click('button');
      await listens();
      await until(async () => (await heard('submit')).length);
      const [{ form }] = await heard('submit');
      assert.deepEqual(form, { user: 'me' });
      const typed = JSON.stringify(await heard('typed'));
      assert.ok(!/geheim|"key":"[gh]"/.test(typed), typed);
      assert.equal(page.url(), before);
      await page.close();
    });

    test('keeps the last 1000 things that happened, and says how many it has not', async () => {
      await opens('<button>b</button>', [{ on: 'click', as: 'hit', fields: ['detail'] }], {
        late: 1,
      });
      await page.evaluate(() => {
        for (let n = 0; n < 1200; n++)
          document
            .querySelector('button')
            .dispatchEvent(new MouseEvent('click', { bubbles: true, detail: n }));
      });
      await listens();
      await until(async () => (await heard('hit')).length >= 1000);
      const numbers = (await heard('hit')).map(({ detail }) => detail);
      assert.deepEqual(
        numbers,
        Array.from({ length: 1000 }, (_, i) => i + 200),
      );
      await until(async () => (await heard('.problem')).length);
      assert.match((await heard('.problem'))[0].message, /^200 events/);
      await page.close();
    });

    test('waits for its program with a form that has data-hs, however long that takes', async () => {
      await opens('<form data-hs><input name="q"><button>go</button></form>', [SUBMIT], {
        late: 5,
      });
      const before = page.url();
      await page.type('[name=q]', 'word');
      await page.click('button');
      await until(async () => (await heard('submit')).length);
      assert.deepEqual((await heard('submit'))[0].form, { q: 'word' });
      assert.equal(page.url(), before);
      await page.close();
    });

    test('lets a form go that no listener wants, with the button that was used', async () => {
      const body =
        '<form id="g" action="/tcp.html"><input name="q"><button name="by" value="x">x</button></form>';
      await opens(body, [{ on: 'click', select: '#nothing' }], { late: 1 });
      await page.type('[name=q]', 'word');
      await page.click('button');
      await until(() => new URL(page.url()).pathname === '/tcp.html');
      assert.match(page.url(), /tcp\.html\?q=word&by=x$/);
      await page.close();
    });

    test('says so if nothing hears a form that has data-hs', async () => {
      await opens('<form data-hs><input name="q"><button>go</button></form>', [
        { on: 'click', select: '#nothing' },
      ]);
      const before = page.url();
      for (const count of [1, 2]) {
        await page.click('button');
        await until(() =>
          page.evaluate((n) => errors.filter((code) => code === 'not-sent').length >= n, count),
        );
      }
      assert.equal(page.url(), before);
      await page.close();
    });

    test('keeps no form for long whose program listens to nothing', async () => {
      await opens('<form action="/tcp.html"><input name="q"><button>go</button></form>', []);
      await page.click('button');
      await until(() => new URL(page.url()).pathname === '/tcp.html');
      assert.match(page.url(), /tcp\.html\?q=$/);
      await page.close();
    });

    test('sends no password in an address, also when the session is over and none has listened', async () => {
      await opens(LOGIN, []);
      const before = page.url();
      await ends();
      await page.type('[name=pw]', 'geheim');
      await page.click('button');
      await until(() => page.evaluate(() => errors.includes('not-sent')));
      assert.equal(page.url(), before);
      await page.close();
    });

    test('holds a form back for good that the program has heard before its session ended', async () => {
      await opens('<form id="f"><input name="q"><button>go</button></form>', [SUBMIT]);
      const before = page.url();
      await ends();
      await page.click('button');
      await until(() => page.evaluate(() => errors.includes('not-sent')));
      assert.equal(page.url(), before);
      await page.close();
    });

    test('hears of fields that the browser has restored, and only of those', async () => {
      const body =
        '<form id="f"><input id="a" name="a"><input id="same" value="same"><select id="s">' +
        '<option>one<option>two</select><input type="password" id="p"></form>';
      await opens(body, [{ on: 'change', select: '#f', as: 'field' }], { late: 1 });
      await listens();
      await page.type('#a', 'kept');
      await page.select('#s', 'two');
      await page.type('#p', 'geheim');
      await page.evaluate(() => document.activeElement.blur());
      await page.reload();
      const values = await page.evaluate(() => [a.value, s.value]);
      await listens();
      if (values[0] === 'kept') await until(async () => (await heard('field')).length);
      assert.deepEqual(
        (await heard('field')).map(({ value, restored, name }) => [value, restored]),
        [
          ['kept', true],
          ['two', true],
        ].filter(([value]) => values.includes(value)),
      );
      await page.close();
    });
  });
}
