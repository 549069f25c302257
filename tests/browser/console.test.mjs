// SPDX-License-Identifier: MIT
// The developer's console in real browsers: sessions, their messages as they come, latency and
// cuts. Leaves a picture under BUILD/screenshots.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames, launch, picture } from '../lib/browsers.mjs';
import { BUILD, makeRoot, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const PROGRAM = `#!/usr/bin/python3
import os, sys
print("Content-Type: text/html; charset=utf-8\\n\\n<!doctype html><title>page</title><script src='/.httpsocket/client.js'></script>", flush=True)
os.close(1)
for line in os.fdopen(3, "rb"):
    if line.startswith(b"hello"):
        print("heard <b>hello</b>", file=sys.stderr, flush=True)
        os.write(3, b"answer" + line[5:])
`;

for (const name of browserNames) {
  describe(`the console in ${name}`, () => {
    let browser, server, site, page, desk;

    before(async () => {
      site = makeRoot({ 'page.py': { text: PROGRAM, mode: 0o755 } });
      server = await startServer({ root: site.root, args: ['--dev'] });
      browser = await launch(name);
      desk = await browser.newPage();
      await desk.goto(`${server.url}/.httpsocket/console`);
      page = await browser.newPage();
      await page.goto(`${server.url}/page.py`);
      await page.evaluate(() => {
        window.answers = [];
        window.life = [];
        const server = document.serverConnection;
        server.onanswer = (data) => window.answers.push(data);
        for (const type of ['open', 'suspend', 'resume'])
          server.addEventListener(type, () => window.life.push(type));
      });
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      site?.remove();
    });

    const ask = (what, ...args) =>
      until(
        () => desk.evaluate(what, ...args),
        () => what.toString(),
        30_000,
      );
    const row = (kind, text) =>
      ask(
        (k, t) =>
          [...document.querySelectorAll(`tr.${k}`)].some((one) => one.textContent.includes(t)),
        kind,
        text,
      );
    const answered = (n) =>
      until(() => page.evaluate((count) => window.answers.length >= count, n));
    const press = async (label) => {
      await desk.bringToFront();
      await desk.evaluate(
        (text) =>
          [...document.querySelectorAll('nav .chosen button')]
            .find((button) => button.textContent === text)
            .click(),
        label,
      );
    };

    test('shows the messages of both sides, stderr as text, and the session', async () => {
      await page.evaluate(() => document.serverConnection.send('hello', { city: 'Oslo <i>' }));
      await row('page', 'hello {"city":"Oslo <i>"}');
      await row('program', 'answer {"city":"Oslo <i>"}');
      await row('stderr', 'heard <b>hello</b>');
      await row('note', 'connected');
      assert.equal(await desk.evaluate(() => document.querySelectorAll('nav section').length), 1);
      assert.equal(await desk.evaluate(() => document.querySelectorAll('td i, td b').length), 0);
      await desk.bringToFront();
      await desk.click('nav section');
      await picture(desk, BUILD, `console-${name}`);
    });

    test('a cut: the page suspends and resumes, and nothing is lost', async () => {
      await press('Cut');
      await row('note', 'disconnected');
      await page.evaluate(() => document.serverConnection.send('hello', 'again'));
      await row('note', 'resumed');
      await answered(2);
      assert.deepEqual(await page.evaluate(() => window.life.slice(-2)), ['suspend', 'resume']);
    });

    test('latency: an answer takes twice as long, until it is taken away', async () => {
      const trip = async () => {
        const { length } = await page.evaluate(() => window.answers);
        const began = Date.now();
        await page.evaluate(() => document.serverConnection.send('hello', 'there'));
        await answered(length + 1);
        return Date.now() - began;
      };
      await press('Latency, ms');
      await until(async () => (await trip()) >= 600);
      await press('None');
      await until(async () => (await trip()) < 300);
    });
  });
}
