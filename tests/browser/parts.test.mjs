// SPDX-License-Identifier: MIT
// The parts of client.js: they come when they are needed, under any policy that lets client.js in,
// across lost lines, and nothing overtakes what waits for one.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { PartGate } from '../lib/part-gate.mjs';
import { REPO, startServer } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const LISTEN = '.listen {"on":"click","select":"#b"}';
const update = (text) => `.dom ${JSON.stringify({ select: '#p', text })}`;
const SRC = 'src="/.httpsocket/client.js"';

for (const name of browserNames) {
  describe(`the parts of client.js in ${name}`, () => {
    let browser, server, gate, page;

    before(async () => {
      gate = await PartGate.start(0);
      server = await startServer({
        root: path.join(REPO, 'tests/browser/site'),
        args: ['--origin', gate.url],
      });
      gate.port = server.port;
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await gate?.stop();
      await server?.stop();
    });

    async function opens(query = {}, plan = () => 'pass') {
      await page?.close();
      gate.plan(plan);
      page = await browser.newPage();
      await page.goto(`${gate.url}/parts.py?${new URLSearchParams(query)}`);
    }
    /** Has the program write lines; does not wait for them. */
    const tells = (...lines) =>
      page.evaluate((all) => document.serverConnection.send('tell', all), lines);
    const heard = () => page.evaluate(() => document.serverConnection.call('heard'));
    const hears = (what) => until(async () => (await heard()).some(([event]) => event === what));
    const text = () => page.evaluate(() => document.querySelector('#p')?.textContent);
    /** The program hears a click, and changes the page. */
    async function works() {
      await tells(LISTEN, update('changed'));
      await until(async () => (await text()) === 'changed');
      await page.evaluate(() => document.querySelector('#b').click());
      await hears('click');
    }

    const STRICT = "default-src 'none'; connect-src 'self'; script-src";
    const policies = {
      'its own origin': [`${STRICT} 'self'`, SRC],
      'the address of client.js alone': [() => `${STRICT} ${gate.url}/.httpsocket/client.js`, SRC],
      'a nonce': [`${STRICT} 'nonce-abc'`, `${SRC} nonce="abc"`],
      'a nonce, and what such scripts load': [
        `${STRICT} 'nonce-abc' 'strict-dynamic'`,
        `${SRC} nonce="abc"`,
      ],
      'Trusted Types of our name': [
        `${STRICT} 'self'; require-trusted-types-for 'script'; trusted-types httpsocket`,
        SRC,
      ],
    };
    for (const [what, [csp, script]] of Object.entries(policies))
      test(`a page whose policy allows ${what} gets them`, async () => {
        await opens({ csp: typeof csp === 'string' ? csp : csp(), script });
        await works();
      });

    test('where Trusted Types allow no policy, the program listens nevertheless', async () => {
      const types = "require-trusted-types-for 'script'; trusted-types 'none'";
      await opens({ csp: `${STRICT} 'self'; ${types}`, script: SRC });
      await tells(LISTEN);
      await heard(); // the answer stands behind the listener
      await page.evaluate(() => document.querySelector('#b').click());
      await hears('click');
    });

    test('the whole client.all.js needs no more than its own hash in the policy', async () => {
      const whole = await fetch(`${gate.url}/.httpsocket/client.all.js`);
      const bytes = Buffer.from(await whole.arrayBuffer());
      const hash = `sha256-${createHash('sha256').update(bytes).digest('base64')}`;
      const script = `src="/.httpsocket/client.all.js" integrity="${hash}"`;
      await opens({ csp: `${STRICT} 'self'`, script });
      await works();
      assert.deepEqual(gate.asked, []);
    });

    test('a copy of client.js in a document without an origin works too', async () => {
      await opens();
      const type = await page.evaluate(async () => {
        const text = await (await fetch('/.httpsocket/client.js')).text();
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-scripts';
        frame.srcdoc = `<script>${text}</script><script>parent.postMessage(typeof ServerConnection, '*')</script>`;
        const said = new Promise((resolve) => (window.onmessage = ({ data }) => resolve(data)));
        document.body.append(frame);
        return said;
      });
      assert.equal(type, 'function');
    });

    test('a page that uses none loads none but what it needs when its line is lost', async () => {
      await opens();
      await until(() => gate.asked.includes('page'));
      await page.evaluate(() => document.serverConnection.call('heard'));
      assert.deepEqual(gate.asked, ['page']);
    });

    test('nothing overtakes a change of the page that waits for its part', async () => {
      await opens({}, (part) => (part === 'dom' ? 'hold' : 'pass'));
      await page.evaluate(() => {
        window.seen = [];
        for (const type of ['first', 'then'])
          document.serverConnection.addEventListener(type, () =>
            seen.push([type, document.querySelector('#p').textContent]),
          );
      });
      await tells('first', update('a'), 'then', update('b'));
      await until(() => gate.asked.includes('dom'));
      await until(() => page.evaluate(() => seen.length > 0));
      assert.deepEqual(await page.evaluate(() => seen), [['first', '']]);
      gate.release();
      await until(async () => (await text()) === 'b');
      assert.deepEqual(await page.evaluate(() => seen), [
        ['first', ''],
        ['then', 'a'],
      ]);
    });

    test('what the user does while the part is on its way is heard', async () => {
      await opens({}, (part) => (part === 'events' ? 'hold' : 'pass'));
      await tells(LISTEN);
      await until(() => gate.asked.includes('events'));
      await page.evaluate(() => document.querySelector('#b').click());
      gate.release();
      await hears('click');
      assert.equal((await heard()).filter(([event]) => event === 'click').length, 1);
    });

    test('a part comes though its line is lost again and again', async () => {
      await opens({}, (_, nth) => (nth < 4 ? 'cut' : 'pass'));
      await tells(LISTEN, update('a'));
      await until(() => gate.asked.filter((part) => part === 'events').length > 1);
      gate.cut();
      await until(async () => (await text()) === 'a');
      await works();
    });

    test('the session ends while a part is on its way: what was said before comes first', async () => {
      await opens({}, (part) => (part === 'dom' ? 'hold' : 'pass'));
      await page.evaluate(() => {
        document.serverConnection.addEventListener('close', (event) => {
          event.preventDefault();
          window.last = document.querySelector('#p').textContent;
        });
      });
      await tells(update('last'), '.close {"reason":"done"}');
      await until(() => gate.asked.includes('dom'));
      await until(() => page.evaluate(() => document.serverConnection.readyState === 3));
      gate.release();
      await until(() => page.evaluate(() => window.last !== undefined));
      assert.equal(await page.evaluate(() => window.last), 'last');
    });

    test('a server of another version has the page loaded again, with what was typed', async () => {
      const body = '<input id="i" name="i"><button id="b">press</button><p id="p"></p>';
      await opens({ body }, (part) => (part === 'dom' ? 'age' : 'pass'));
      await page.type('#i', 'typed');
      await page.evaluate(() => (window.isFirst = true));
      await tells(update('a'));
      await until(() => page.evaluate(() => !window.isFirst).catch(() => false));
      gate.plan(() => 'pass');
      await until(() => page.evaluate(() => document.querySelector('#i')?.value === 'typed'));
      await works();
    });

    test('a policy that comes later refuses a part: the program is told, and goes on', async () => {
      await opens();
      await until(() => gate.asked.includes('page'));
      await page.evaluate(() => {
        const meta = document.createElement('meta');
        meta.httpEquiv = 'Content-Security-Policy';
        meta.content = "script-src 'none'";
        document.head.append(meta);
        document.serverConnection.addEventListener('then', () => (window.then = true));
      });
      await tells(update('a'), 'then');
      await until(() => page.evaluate(() => window.then));
      const problems = (await heard()).filter(([event]) => event === '.problem');
      assert.match(problems[0][1].message, /the page's policy refuses .*client\.js/);
    });

    test('a part that is kept back while the line stands: page and program are told', async () => {
      let plan = (part) => (part === 'dom' ? 'cut' : 'pass');
      await opens({}, (part) => plan(part));
      await page.evaluate(() => {
        window.errors = [];
        document.serverConnection.addEventListener('error', ({ code }) => errors.push(code));
        document.serverConnection.addEventListener('then', () => (window.then = true));
      });
      await tells(update('a'), 'then');
      await until(() => page.evaluate(() => window.then));
      assert.deepEqual(await page.evaluate(() => errors), ['part-blocked']);
      const [[, { command, message }]] = await heard();
      assert.equal(command, 'dom');
      assert.match(message, /keeps the part 'dom'/);
      await tells(LISTEN, update('b'));
      await until(async () => (await page.evaluate(() => errors)).length === 2);
      plan = () => 'pass';
      await works();
    });

    test('a stream that is written and closed before its part is there arrives whole', async () => {
      await opens({}, (part) => (part === 'streams' ? 'hold' : 'pass'));
      await page.evaluate(() => {
        const stream = document.serverConnection.openStream('s');
        const writer = stream.writable.getWriter();
        writer.write(new Uint8Array(70_000));
        writer.close();
        window.held = stream.bufferedAmount;
        window.done = stream.readable.cancel().then(() => stream.closed);
      });
      assert.equal(await page.evaluate(() => window.held), 70_000);
      gate.release();
      await until(() => gate.asked.includes('streams') && (gate.release(), true));
      await page.evaluate(() => window.done);
      const sizes = (await heard()).filter(([event]) => event === 'bytes');
      assert.equal(
        sizes.reduce((sum, [, size]) => sum + size, 0),
        70_000,
      );
    });

    test('a stream and a TCPConnection that are given up before their part are over', async () => {
      await opens({}, (part) => (['streams', 'tcp'].includes(part) ? 'hold' : 'pass'));
      const codes = await page.evaluate(async () => {
        const stream = document.serverConnection.openStream('s');
        stream.abort(new Error('mine'));
        const tcp = new TCPConnection('b.example', 7);
        tcp.send('x');
        const { bufferedAmount } = tcp;
        let wrong;
        try {
          new TCPConnection('b.example', 70_000);
        } catch (error) {
          wrong = error.name;
        }
        return [
          await stream.closed.catch(({ code }) => code),
          bufferedAmount,
          wrong,
          tcp.readyState,
        ];
      });
      assert.deepEqual(codes, ['aborted', 1, 'RangeError', 0]);
      gate.release();
    });
  });
}
