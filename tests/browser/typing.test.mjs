// SPDX-License-Identifier: MIT
// A field that its program changes on every key, over a slow line: nothing that was typed is lost,
// and the caret stays where it is.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { inputMethod } from '../lib/input-method.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { REPO, startServer } from '../lib/server.mjs';

const LATENCY = 300;
const KEY_MS = 100;
const TEXT = 'The quick brown fox jumps over the lazy dog';

for (const name of browserNames) {
  describe(`typing in ${name}, ${LATENCY} ms away from the program`, () => {
    let browser, server, proxy, page;

    before(async () => {
      browser = await launch(name, undefined, { privileged: true });
      server = await startServer({ root: path.join(REPO, 'tests/browser/site') });
      proxy = await Proxy.start(server.port);
      proxy.plan(() => ({ delay: LATENCY }));
    });
    after(async () => {
      await browser?.close();
      await proxy?.stop();
      await server?.stop();
    });
    afterEach(() => page?.close());

    /**
     * The page, with the field in focus. `watched.moves` gets each caret that
     * was not where the last key had left it.
     */
    async function open(todo) {
      page = await browser.newPage();
      await page.goto(`${proxy.url}/typed.py?do=${todo}`);
      await page.waitForFunction(() => document.serverConnection.readyState === 1);
      await page.focus('[name=field]');
      await page.evaluate(() => {
        const field = document.activeElement;
        const state = () =>
          `${field.value.toLowerCase()}|${field.selectionStart}-${field.selectionEnd}|${document.activeElement === field}`;
        window.watched = { frames: 0, moves: [], sent: 0, composition: [] };
        let rest = state();
        document.addEventListener('keydown', () => (rest = null));
        document.addEventListener('keyup', () => (rest = state()));
        document.addEventListener('input', () => {
          window.watched.sent++;
          if (rest !== null) rest = state(); // typed without a key, as 😀 is
        });
        for (const type of ['compositionstart', 'compositionend'])
          document.addEventListener(
            type,
            (event) => (window.watched.composition.push([type, event.data]), (rest = null)),
          );
        const look = () => {
          window.watched.frames++;
          if (rest !== null && state() !== rest) window.watched.moves.push([rest, state()]);
          requestAnimationFrame(look);
        };
        look();
      });
    }
    const state = () =>
      page.evaluate(() => [document.activeElement.value, document.activeElement.selectionStart]);
    const answered = () =>
      page.waitForFunction(
        () => Number(document.querySelector('output').textContent) === window.watched.sent,
      );
    const watched = () => page.evaluate(() => window.watched);

    for (const [todo, made] of Object.entries({
      html: (text) => text,
      shout: (text) => text,
      upper: (text) => text.toUpperCase(),
    }))
      test(`at ${1000 / KEY_MS} keys a second, also in the middle, no character is lost and no caret moved (${todo})`, async () => {
        await open(todo);
        await page.keyboard.type(TEXT, { delay: KEY_MS });
        for (let i = 0; i < 8; i++) await page.keyboard.press('ArrowLeft', { delay: 20 });
        await page.keyboard.type('and very ', { delay: KEY_MS });
        await page.keyboard.press('Backspace', { delay: 20 });
        await page.keyboard.type(' 😀!', { delay: KEY_MS });
        await answered();
        const expected = `${TEXT.slice(0, -8)}and very 😀!${TEXT.slice(-8)}`;
        assert.deepEqual(await state(), [made(expected), TEXT.length - 8 + 'and very 😀!'.length]);
        const { moves, frames } = await watched();
        assert.deepEqual(moves, []);
        assert.ok(frames > 50);
      });

    for (const [todo, made] of Object.entries({
      html: (text) => text,
      upper: (text) => text.toUpperCase(),
    }))
      test(`a composition goes on while the program answers, and nothing of it is lost (${todo})`, async (t) => {
        await open(todo);
        const method = await inputMethod(browser, page);
        if (!method) return t.skip('this browser lets its driver compose nothing');
        await page.keyboard.type('ab', { delay: KEY_MS });
        for (const text of ['n', 'に', 'にほ', '日本']) {
          await method.compose(text);
          await page.waitForFunction((end) => document.activeElement.value.endsWith(end), {}, text);
        }
        await answered(); // all of it was answered in the middle of the composition
        const { composition } = await watched();
        assert.deepEqual(composition, [['compositionstart', '']]);
        assert.match((await state())[0], /^ab日本$/i);
        await method.commit('日本語');
        await page.keyboard.type('c', { delay: KEY_MS });
        await answered();
        assert.deepEqual(await state(), [made('ab日本語c'), 6]);
        const ended = await watched();
        assert.deepEqual(ended.composition, [
          ['compositionstart', ''],
          ['compositionend', '日本語'],
        ]);
        assert.deepEqual(ended.moves, []);
      });

    test('what was typed stays when the field is left while older values are under way', async () => {
      await open('html');
      await page.keyboard.type('hello', { delay: 20 });
      await page.evaluate(() => {
        const field = document.activeElement;
        window.values = new Set();
        const look = () => (window.values.add(field.value), requestAnimationFrame(look));
        look();
        field.blur();
      });
      await answered();
      assert.deepEqual(await page.evaluate(() => [...window.values]), ['hello']);
    });
  });
}
