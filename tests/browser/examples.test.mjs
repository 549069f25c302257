// SPDX-License-Identifier: MIT
// Every example, in real browsers, as a visitor would use it. Leaves a
// picture of each under BUILD/screenshots.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import path from 'node:path';
import { browserNames, launch, picture } from '../lib/browsers.mjs';
import { BUILD, REPO, makeRoot, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

for (const name of browserNames) {
  describe(`examples in ${name}`, () => {
    let browser, server, page;

    before(async () => {
      server = await startServer({
        root: path.join(REPO, 'examples'),
        args: ['--stdio-files', '/lines'],
      }); // as `make run` does
      browser = await launch(name);
      page = await browser.newPage();
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    const text = (selector) => page.$eval(selector, (element) => element.textContent);
    // Not at animation frames: a page behind another one draws none, perhaps for a moment longer.
    const shows = (selector, pattern) =>
      page.waitForFunction(
        (s, p) => new RegExp(p).test(document.querySelector(s)?.textContent),
        { timeout: 120_000, polling: 50 },
        selector,
        pattern.source,
      );
    const open = async (file) => {
      await page.goto(`${server.url}/${file}`);
      await shows('#link', /connected/);
    };

    for (const file of ['hello.py', 'hello.php', 'hello.sh']) {
      test(`${file} hears a click and answers, as the mail of 2008 wanted`, async () => {
        await open(file);
        const pid = Number(await text('p b'));
        process.kill(pid, 0); // the program that made the page is still there
        await page.click('#test');
        await shows('#answer', /Frode Børli lives in Oslo \(asked 1 times\)/);
        await page.click('#test');
        await shows('#answer', /asked 2 times/);
        await picture(page, BUILD, `${name}-${file}`);
      });
    }

    test('button.py: the program hears the click itself, and the page has no script', async () => {
      await page.goto(`${server.url}/button.py`);
      assert.equal(await page.$$eval('script', (all) => all.length), 1, 'the client alone');
      // Nothing in the page shows when the program has begun to listen.
      await until(
        async () => (await page.click('#test'), /asked \d+ times/.test(await text('#answer'))),
      );
      await page.click('#test');
      await shows('#answer', /Frode Børli lives in Oslo \(asked [2-9]\d* times\)/);
      await picture(page, BUILD, `${name}-button`);
    });

    test('table.py sorts and edits ten thousand rows', async () => {
      await open('table.py');
      assert.equal(await page.$$eval('#rows tr', (all) => all.length), 10_000);
      await page.click('[data-column=price]');
      await shows('[data-column=price]', /▴/);
      await page.click('[data-column=price]');
      await shows('[data-column=price]', /▾/);
      const prices = await page.$$eval('#rows td:nth-child(4)', (all) =>
        all.map((cell) => Number(cell.textContent)),
      );
      assert.deepEqual(
        prices,
        [...prices].sort((a, b) => b - a),
      );
      const [goods, stock] = await page.$eval('#rows tr', (tr) => [
        tr.cells[0].textContent,
        Number(tr.cells[2].textContent),
      ]);
      const focused = () =>
        page.waitForFunction(() => document.activeElement.matches('#rows tr:first-child input'));
      await page.click('#rows tr:first-child');
      await focused();
      await page.click('#rows [name=sell]');
      await shows('#rows tr:first-child td:nth-child(3)', new RegExp(`^${stock - 1}$`));
      await page.click('#rows input', { count: 3 });
      await page.keyboard.type('cheap');
      await page.keyboard.press('Tab');
      await page.waitForSelector('#rows input[aria-invalid=true]');
      await page.click('#rows input', { count: 3 });
      await page.keyboard.type('12,5');
      await page.keyboard.press('Tab');
      await page.waitForFunction(
        () =>
          document.querySelector('#rows input').value === '12.50' &&
          !document.querySelector('#rows input').ariaInvalid,
      );
      assert.equal(await text('#rows td'), goods);
      await picture(page, BUILD, `${name}-table`);
      await page.click('#rows [name=drop]');
      await shows('#status', /^9999 rows/);
      await page.click('#add');
      await shows('#status', /^10000 rows/);
      await focused();
      assert.equal(await text('#rows td'), 'Something new');
    });

    test('signup.py checks a form as one types', async () => {
      await page.goto(`${server.url}/signup.py`);
      await page.waitForFunction(() => document.serverConnection.readyState === 1);
      await page.type('[name=user]', 'fr');
      await shows('#hint-user', /3 to 16/);
      await page.type('[name=user]', 'ode');
      await shows('#hint-user', /taken/);
      await page.type('[name=user]', '7');
      await shows('#hint-user', /✓/);
      await page.type('[name=mail]', 'frode@seria.no');
      await shows('#hint-mail', /✓/);
      await page.type('[name=password]', 'short');
      await page.keyboard.press('Enter');
      await shows('#hint-password', /10 characters/);
      await picture(page, BUILD, `${name}-signup`);
      await page.type('[name=password]', ' no more');
      await page.click('button');
      await shows('#welcome', /Welcome, frode7/);
    });

    test('files.py takes files, and shows how far they are', async () => {
      const { root, remove } = makeRoot({
        'a.txt': 'the first file',
        'b.bin': 'x'.repeat(5_000_000),
      });
      try {
        await open('files.py');
        await until(async () => {
          await (
            await page.$('input')
          ).uploadFile(path.join(root, 'a.txt'), path.join(root, 'b.bin'));
          return (await page.$$('#files li')).length > 0;
        });
        await shows('#file-1', /a\.txt\s+14 bytes, SHA-256 /);
        await shows('#file-2', /b\.bin\s+5000000 bytes, SHA-256 [0-9a-f]{64}/);
        assert.equal(
          await text('#file-1 code'),
          createHash('sha256').update('the first file').digest('hex'),
        );
        await picture(page, BUILD, `${name}-files`);
      } finally {
        remove();
      }
    });

    test('machine.py draws the machine', async () => {
      await open('machine.py');
      await shows('#memory', /\d+\.\d GiB of \d+\.\d GiB/);
      await page.waitForFunction(() => document.querySelectorAll('#top tr').length === 8);
      const samples = () =>
        page.evaluate(
          () =>
            new Promise((done) =>
              document.serverConnection.addEventListener('sample', (e) => done(e.data), {
                once: true,
              }),
            ),
        );
      const sample = await samples();
      assert.ok(sample.cpu >= 0 && sample.cpu <= 1);
      const drawn = await page.$eval('#memory-chart', (c) =>
        c
          .getContext('2d')
          .getImageData(0, 0, c.width, c.height)
          .data.some((b) => b),
      );
      assert.ok(drawn, 'the chart is empty');
      await picture(page, BUILD, `${name}-machine`);
    });

    test('chat.py: one process lets all its pages talk, and shows who comes later what was said', async () => {
      await open('chat.py');
      await shows('#here', /^1$/);
      const other = await browser.newPage();
      await other.goto(`${server.url}/chat.py`);
      await page.bringToFront(); // a page behind another draws nothing, and waiting is by frames
      await shows('#here', /^2$/);
      await page.type('[name=text]', 'Hello <all>');
      await page.keyboard.press('Enter');
      await shows('#lines', /Hello <all>/);
      await picture(page, BUILD, `${name}-chat`);
      await other.bringToFront();
      await other.waitForFunction(() =>
        /Hello <all>/.test(document.querySelector('#lines').textContent),
      );
      await other.goto(`${server.url}/chat.py/elsewhere`);
      await other.waitForFunction(() => document.querySelector('#here').textContent === '1');
      assert.equal(await other.$eval('#lines', (element) => element.textContent), '');
      await other.goto(`${server.url}/chat.py`);
      await other.waitForFunction(() =>
        /Hello <all>/.test(document.querySelector('#lines').textContent),
      );
      await other.close();
      await page.bringToFront();
    });

    test('mines.py keeps the game to itself', async () => {
      await open('mines.py');
      await shows('#state', /14 mines left/);
      await page.click('#board button:nth-child(45)');
      await page.waitForFunction(() => document.querySelectorAll('#board .open').length > 8);
      const closed = await page.$('#board button:not(.open)');
      await closed.click({ button: 'right' });
      await shows('#state', /13 mines left/);
      await picture(page, BUILD, `${name}-mines`);
      // All mines are where no number contradicts them: open everything, and
      // the game is lost or won, never stuck.
      for (let i = 1; i <= 100; i++)
        await page.evaluate(
          (n) => document.querySelector(`#board button:nth-child(${n})`).click(),
          i,
        );
      await shows('#state', /You won|That was a mine/);
      await page.click('#new');
      await shows('#state', /14 mines left/);
    });

    test('chat.py: one process for all pages, and what one says all in its room hear', async () => {
      const reads = (where, selector, pattern) =>
        // also in a tab behind another one, which draws no frames
        where.waitForFunction(
          (s, p) => new RegExp(p).test(document.querySelector(s)?.textContent),
          { timeout: 120_000, polling: 50 },
          selector,
          pattern.source,
        );
      await page.goto(`${server.url}/chat/kitchen`);
      await reads(page, '#here', /^1$/);
      const other = await browser.newPage();
      await other.goto(`${server.url}/chat/kitchen`);
      await reads(page, '#here', /^2$/);
      await other.type('input', 'Is anybody <here>?');
      await other.keyboard.press('Enter');
      await reads(page, '#lines', /^Is anybody <here>\?$/);
      await picture(other, BUILD, `${name}-chat`);
      await other.goto(`${server.url}/chat/hall`);
      await reads(other, '#here', /^1$/);
      await page.goto(`${server.url}/chat/kitchen`);
      await reads(page, '#lines', /^Is anybody <here>\?$/); // the room remembers
      assert.equal(await other.$eval('#lines', (element) => element.textContent), '');
      await other.close();
    });

    test('lines/sum: a program that knows nothing of us has a page to try it with', async () => {
      await page.bringToFront();
      await page.goto(`${server.url}/lines/sum`);
      await page.type('input', '40');
      await page.keyboard.press('Enter');
      await shows('pre', /^in all 40\n$/);
      await page.type('input', 'two');
      await page.keyboard.press('Enter');
      await shows('pre', /not a number: two\n$/);
      await picture(page, BUILD, `${name}-lines`);
    });

    test('board.py: what one draws the others see as it is drawn, and who comes later sees it too', async () => {
      // A tab behind another one draws no frames.
      const background = { timeout: 120_000, polling: 50 };
      const people = (where, n) =>
        where.waitForFunction(
          (count) => document.querySelectorAll('#people li').length === count,
          background,
          n,
        );
      const inked = (where, x, y) =>
        where.waitForFunction(
          (px, py) =>
            document.querySelector('#board').getContext('2d').getImageData(px, py, 1, 1).data[3] >
            0,
          background,
          x,
          y,
        );
      await open('board.py');
      await people(page, 1);
      const other = await browser.newPage();
      await other.goto(`${server.url}/board.py`);
      await people(other, 2);
      await people(page, 2);
      /** The place on the screen of a point of the canvas. */
      const on = (where, x, y) =>
        where.$eval(
          '#board',
          (canvas, px, py) => {
            const box = canvas.getBoundingClientRect();
            return [
              box.x + 1 + (px * canvas.clientWidth) / canvas.width,
              box.y + 1 + (py * canvas.clientHeight) / canvas.height,
            ];
          },
          x,
          y,
        );
      const drag = async (where, points, lift = true) => {
        await where.bringToFront();
        for (const [i, [x, y]] of points.entries()) {
          await where.mouse.move(...(await on(where, x, y)), { steps: 6 });
          if (i === 0) await where.mouse.down();
        }
        if (lift) await where.mouse.up();
      };
      await drag(
        other,
        [
          [100, 100],
          [400, 300],
          [400, 100],
        ],
        false,
      );
      await inked(page, 400, 200); // the pen is still down
      await other.mouse.up();
      await drag(page, [
        [600, 100],
        [600, 400],
        [800, 400],
      ]);
      await inked(other, 700, 400);
      const late = await browser.newPage();
      await late.goto(`${server.url}/board.py`);
      for (const [x, y] of [
        [400, 200],
        [700, 400],
      ])
        await inked(late, x, y);
      await people(late, 3);
      await picture(late, BUILD, `${name}-board`);
      await late.close();
      await other.bringToFront();
      await other.click('#clear');
      await page.waitForFunction(
        () =>
          document.querySelector('#board').getContext('2d').getImageData(700, 400, 1, 1).data[3] ===
          0,
        background,
      );
      await other.close();
      await people(page, 1);
    });

    test('the first page moves within a second, and hears the mouse', async () => {
      await open('');
      const first = await page.evaluate(
        () =>
          new Promise((done) =>
            document.serverConnection.addEventListener('wave', () => done(performance.now()), {
              once: true,
            }),
          ),
      );
      assert.ok(first > 0);
      const canvas = await page.$('#wave');
      const box = await canvas.boundingBox();
      for (let i = 1; i < 6; i++) await page.mouse.move(box.x + i * 40, box.y + 50);
      await shows('#echo', /[1-9]\d* movements heard/);
      await picture(page, BUILD, `${name}-index`);
    });

    test('the program on the first page works as printed', async () => {
      await open('');
      const source = await text('pre');
      const site = makeRoot({ 'mine.py': { text: source, mode: 0o755 } });
      const own = await startServer({ root: site.root });
      await page.goto(`${own.url}/mine.py`);
      await page.click('button');
      await page.click('button');
      await shows('#n', /^2$/);
      await own.stop();
      site.remove();
    });
  });
}
