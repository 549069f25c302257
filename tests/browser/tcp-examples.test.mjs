// SPDX-License-Identifier: MIT
// The pages of examples/tcp in real browsers, against Debian's own servers. Leaves a picture of
// each under BUILD/screenshots.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';
import { after, afterEach, before, describe, test } from 'node:test';
import { browserNames, launch, picture } from '../lib/browsers.mjs';
import { BUILD, REPO } from '../lib/server.mjs';

/**
 * The servers, started as a reader of the examples would: `urls` of the pages by
 * name, and the terminal's `password`.
 */
async function startExamples() {
  const child = spawn(path.join(REPO, 'tools/tcp-examples'), ['--any-port'], {
    env: { ...process.env, HTTPSOCKET_BUILD: BUILD },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = [];
  readline.createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const urls = {};
  let password;
  let listening = false;
  for await (const line of readline.createInterface({ input: child.stdout })) {
    password ??= /^terminal password: (\S+)$/.exec(line)?.[1];
    const [, name, url] = /^(irc|imap|terminal) (http\S+)$/.exec(line) ?? [];
    if (name) urls[name] = url;
    listening ||= line.startsWith('listening on ');
    if (listening && Object.keys(urls).length === 3) break;
  }
  assert.ok(listening, `the examples did not start:\n${log.join('\n')}`);
  child.stdout.resume();
  const stop = async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  return { urls, password, log, stop };
}

for (const name of browserNames) {
  describe(`examples of TCPConnection in ${name}`, () => {
    let browser, examples;
    const pages = [];

    before(async () => {
      examples = await startExamples();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await examples?.stop();
    });
    afterEach(() => Promise.all(pages.splice(0).map((page) => page.isClosed() || page.close())));

    async function open(example) {
      const page = await browser.newPage();
      pages.push(page);
      await page.goto(examples.urls[example]);
      return page;
    }
    // Not at animation frames: a page behind another has none.
    const PATIENT = { timeout: 120_000, polling: 50 };
    const shows = (page, selector, pattern) =>
      page.waitForFunction(
        (s, p) => new RegExp(p).test(document.querySelector(s)?.textContent),
        PATIENT,
        selector,
        pattern.source,
      );
    /** Types into a field of a form and sends the form, with that page in front. */
    async function fill(page, form, field, text) {
      await page.bringToFront();
      await page.type(`${form} input[name=${field}]`, text);
      await page.click(`${form} button`);
    }

    test('two pages talk by IRC, and each sees who is there and who leaves', async () => {
      const nicks = ['frode', 'ada'];
      const both = await Promise.all(nicks.map(() => open('irc')));
      for (const [i, page] of both.entries()) {
        await fill(page, '#join', 'nick', nicks[i]);
        await shows(page, '#link', new RegExp(`connected as ${nicks[i]}`));
      }
      const [frode, ada] = both;
      await shows(frode, '#people', /ada.*frode/);
      await fill(frode, '#say', 'text', 'Hello from a page: æøå');
      await shows(ada, '#talk', /frode Hello from a page: æøå/);
      await fill(ada, '#say', 'text', 'And from another.');
      await shows(frode, '#talk', /ada And from another\./);
      await shows(frode, '#topic', /Everybody is welcome/);
      await frode.bringToFront();
      await picture(frode, BUILD, `${name}-tcp-irc`);
      await ada.close();
      await shows(frode, '#talk', /ada is gone/);
    });

    test('a mailbox is read by IMAP over TLS, and a wrong password is told', async () => {
      const page = await open('imap');
      await fill(page, '#login', 'password', ' is wrong');
      await shows(page, '#problem', /Authentication failed/);
      await page.evaluate(() => document.querySelector('#login').reset());
      await page.click('#login button');
      await shows(page, '#link', /3 letters, over TLS/);
      await page.click('#list li:nth-child(3) button');
      await shows(page, '#letter', /the program that made them\.\s+What do you think\?/);
      assert.match(
        await page.$eval('#list', (list) => list.textContent),
        /Welcome.*postmaster.*Re: A proposal.*Ada.*Frode Børli/s,
      );
      await picture(page, BUILD, `${name}-tcp-imap`);
    });

    test('a shell answers in the terminal, and a key reaches it as it is pressed', async () => {
      const page = await open('terminal');
      const screen = (pattern) =>
        page.waitForFunction(
          (p) => {
            const { active } = terminal.buffer;
            const lines = Array.from({ length: active.length }, (_, i) =>
              active.getLine(i).translateToString(true),
            );
            return new RegExp(p).test(lines.join('\n'));
          },
          PATIENT,
          pattern.source,
        );
      await screen(/Password: /);
      await page.keyboard.type(examples.password);
      await page.keyboard.press('Enter');
      await screen(/Password: \s*\n+.*[$#] /);
      await page.keyboard.type('stty size; echo "the answer: $((6*7))"; echo $TERM');
      await page.keyboard.press('Enter');
      await screen(/\n24 90\s*\nthe answer: 42\s*\nxterm-256color/);
      await page.keyboard.type('sleep 1000');
      await page.keyboard.press('Enter');
      await page.keyboard.down('Control');
      await page.keyboard.press('c');
      await page.keyboard.up('Control');
      await screen(/\^C/);
      await picture(page, BUILD, `${name}-tcp-terminal`);
      await page.keyboard.type('exit');
      await page.keyboard.press('Enter');
      await shows(page, '#link', /ended|connection-reset/);
    });
  });
}
