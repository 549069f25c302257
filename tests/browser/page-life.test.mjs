// SPDX-License-Identifier: MIT
// The browser side in real browsers: how a page finds its session, what it can send, and what
// becomes of it when the page goes and comes back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browserNames, launch } from '../lib/browsers.mjs';
import { makeRoot, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

/** A program that echoes, tells its pid, and logs what the server tells it. */
const PROGRAM = `#!/usr/bin/python3
import os, sys
sys.stdout.write("Content-Type: text/html; charset=utf-8\\n\\n" + """%s""")
sys.stdout.flush()
os.close(1)
end = os.fdopen(3, "rb+", buffering=0)
lines = os.fdopen(os.dup(3), "rb")
for line in lines:
    head, _, data = line.rstrip(b"\\n").partition(b" ")
    if head.startswith(b"."):
        print("heard", os.getpid(), line.decode().strip(), file=sys.stderr, flush=True)
        continue
    if data.startswith(b"@"):
        data = b"@" + data[1:] + b"\\n" + lines.read(int(data[1:]) + 1)[:-1]
    name, _, call = head.partition(b"?")
    if name == b"pid":
        end.write(b"=%%s %%d\\n" %% (call, os.getpid()))
    elif name == b"count":
        parts = b"".join(b"+%%s %%d\\n" %% (call, n) for n in range(int(data)))
        end.write(parts + b"=%%s\\n" %% call)
    elif name == b"echo" and call:
        end.write(b"=%%s %%s\\n" %% (call, data))
    elif name == b"echo":
        end.write(b"echo %%s\\n" %% data)
    elif name == b"ask":
        end.write(b"double?5 %%s\\n" %% data)
    elif head == b"=5":
        end.write(b"answered %%s\\n" %% data)
`;

const page = (head) =>
  `<!doctype html>\n<meta charset=utf-8>\n<title>page</title>\n${head}\n<p>page</p>\n`;
const LIFE = `<script>
  window.states = [];
  for (const type of ['open', 'suspend', 'resume', 'close'])
    document.serverConnection.addEventListener(type, ({ code, reason }) => {
      states.push([type, code, reason]);
    });
  addEventListener('pageshow', (event) => (window.persisted = event.persisted));
</script>`;
const CLASSIC = '<script src="/.httpsocket/client.js"></script>' + LIFE;
const MODULE = `<script type="module">
  import { ServerConnection } from '/.httpsocket/client.mjs';
  window.ServerConnectionOfModule = ServerConnection;
</script>`;

// A page that no browser keeps as it was. It connects when the test says so: its program has ended
// by then, and its session with it.
const GONE = `<script>
  addEventListener('unload', () => {});
  function begin() {
    const client = document.createElement('script');
    client.src = '/.httpsocket/client.js';
    client.onload = () => {
      const life = document.createElement('script');
      life.textContent = ${JSON.stringify(LIFE.replace(/<\/?script>/g, ''))};
      document.head.append(life);
    };
    document.head.append(client);
  }
</script>`;

const SITE = {
  'classic.py': { text: PROGRAM.replace('%s', page(CLASSIC)).replaceAll('%%', '%'), mode: 0o755 },
  'module.py': { text: PROGRAM.replace('%s', page(MODULE)).replaceAll('%%', '%'), mode: 0o755 },
  'cached.py': {
    text: PROGRAM.replace('8\\n\\n', '8\\nCache-Control: private, max-age=600\\n\\n')
      .replace('%s', page(CLASSIC))
      .replaceAll('%%', '%'),
    mode: 0o755,
  },
  'gone.sh': {
    text: `#!/bin/sh\nprintf 'Content-Type: text/html\\nCache-Control: no-store\\n\\n'\ncat <<'END'\n${page(GONE)}\nEND\n`,
    mode: 0o755,
  },
  'static.html': page('<script src="/.httpsocket/client.js"></script>' + LIFE),
  'other.html': page(''),
};

for (const name of browserNames) {
  describe(`a page in ${name}`, () => {
    let browser, server, site, tab;

    before(async () => {
      site = makeRoot(SITE);
      browser = await launch(name);
      server = await startServer({ root: site.root });
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      site?.remove();
    });

    const connected = () =>
      tab.waitForFunction(() => document.serverConnection?.readyState === 1, { timeout: 120_000 });
    const pid = () => tab.evaluate(() => document.serverConnection.call('pid'));
    async function open(file) {
      tab = await browser.newPage();
      await tab.goto(`${server.url}/${file}`);
    }

    test('finds its session in the meta element and in Server-Timing alike', async () => {
      await open('classic.py');
      await connected();
      const [meta, timing, id] = await tab.evaluate(() => [
        document.querySelector('meta[name="httpsocket-session"]').content,
        performance
          .getEntriesByType('navigation')[0]
          .serverTiming?.find((entry) => entry.name === 'session')?.description,
        document.serverConnection.sessionId,
      ]);
      assert.match(id, /^[\w-]{24}$/);
      assert.equal(meta, id);
      assert.equal(timing, id);
      await tab.close();
    });

    test('connects with no script of its own touching it, as a module too', async () => {
      await open('module.py');
      await connected();
      assert.ok(
        await tab.evaluate(() => document.serverConnection instanceof ServerConnectionOfModule),
      );
      await tab.close();
    });

    test('sends and gets JSON and bytes, calls, streams, and answers calls', async () => {
      await open('classic.py');
      const result = await tab.evaluate(async () => {
        const c = document.serverConnection;
        const next = (type) =>
          new Promise((resolve) =>
            c.addEventListener(type, (event) => resolve(event.data), { once: true }),
          );
        const echo = (data) => (c.send('echo', data), next('echo'));
        const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i);
        const back = new Uint8Array(await echo(bytes));
        const answer = new Uint8Array(await c.call('echo', bytes.buffer));
        const parts = [];
        for await (const part of c.stream('count', 5)) parts.push(part);
        c.handle('double', async (n) => n * 2);
        c.send('ask', 21);
        return {
          json: await echo({ text: 'Børli 😀\u2028\n', list: [1, null, true] }),
          sameBytes: back.length === bytes.length && back.every((byte, i) => byte === bytes[i]),
          sameAnswer:
            answer.length === bytes.length && answer.every((byte, i) => byte === bytes[i]),
          parts,
          answered: await next('answered'),
          failure: await c.call('echo', 1n).catch((error) => error.code),
        };
      });
      assert.deepEqual(result, {
        json: { text: 'Børli 😀\u2028\n', list: [1, null, true] },
        sameBytes: true,
        sameAnswer: true,
        parts: [0, 1, 2, 3, 4],
        answered: 42,
        failure: 'unsendable',
      });
      await tab.close();
    });

    test('without a program makes no attempt and learns why', async () => {
      await open('static.html');
      await tab.waitForFunction(() => states.length > 0);
      assert.deepEqual(await tab.evaluate(() => states), [['close', 4404, 'no-session']]);
      await tab.close();
    });

    test('comes back from the history: from the cache with its program, or else with a new one, but never dead', async (t) => {
      await open('classic.py');
      await connected();
      const before = await pid();
      await tab.goto(`${server.url}/other.html`);
      await tab.goBack();
      await connected();
      const restored = await tab.evaluate(() => window.persisted === true);
      t.diagnostic(
        restored ? 'the page came out of the back/forward cache' : 'the page was loaded again',
      );
      assert.equal((await pid()) === before, restored);
      if (restored)
        assert.deepEqual(
          (await tab.evaluate(() => states)).map(([type]) => type),
          ['open', 'suspend', 'resume'],
        );
      await tab.close();
    });

    const navigation = (page) =>
      page.evaluate(() => performance.getEntriesByType('navigation')[0].type);
    function loadsOf(page) {
      const loads = [];
      page.on('framenavigated', (frame) => loads.push(frame.url()));
      return loads;
    }

    test('duplicated out of the cache, the second tab is loaded again, once, and gets a program of its own', async () => {
      await open('cached.py');
      await connected();
      const first = await pid();
      const opened = new Promise((resolve) => tab.once('popup', resolve));
      // The new one has a copy of the sessionStorage.
      await tab.evaluate(() => void window.open(location.href));
      const copy = await opened;
      const loads = loadsOf(copy);
      await copy.waitForFunction(() => document.serverConnection?.readyState === 1, {
        timeout: 120_000,
      });
      assert.notEqual(await copy.evaluate(() => document.serverConnection.call('pid')), first);
      assert.equal(await navigation(copy), 'reload');
      assert.ok(loads.length <= 2, `${loads.length} loads`);
      assert.deepEqual(
        await copy.evaluate(() => [states.map(([type]) => type), sessionStorage.length]),
        [['open'], 0],
      );
      assert.equal(await pid(), first, 'the first tab has its program still');
      assert.deepEqual(await tab.evaluate(() => states.map(([type]) => type)), ['open']);
      await copy.close();
      await tab.close();
    });

    test('a page out of the history whose session is gone for good is loaded again once, and then told so', async () => {
      const ended = () => server.lines(/program\.exited .*gone\.sh/).length;
      let programs = ended();
      const begins = async (type) => {
        await tab.waitForFunction(
          (type) => window.begin && performance.getEntriesByType('navigation')[0].type === type,
          {},
          type,
        );
        programs++;
        await until(() => ended() >= programs);
        await tab.evaluate(() => void setTimeout(begin)); // which may load the page again
      };
      const told = [['close', 4410, 'session-gone']];
      const isTold = async () => {
        await tab.waitForFunction(() => window.states?.length > 0);
        assert.deepEqual(await tab.evaluate(() => states), told);
      };
      await open('gone.sh');
      await begins('navigate');
      await isTold();
      assert.equal(await navigation(tab), 'navigate', 'a fresh page is not loaded again');
      await tab.goto(`${server.url}/other.html`);
      const loads = loadsOf(tab);
      await tab.evaluate(() => history.back());
      await begins('back_forward');
      await begins('reload');
      await isTold();
      assert.ok(loads.length <= 2, `${loads.length} loads`);
      await tab.close();
    });

    test('left for good says goodbye, itself or by its browser', async () => {
      for (const leave of [() => tab.reload(), () => tab.close()]) {
        await open('classic.py');
        await connected();
        const left = await pid();
        await leave();
        assert.match(await server.logged(new RegExp(`heard ${left} \\.detach`)), /goodbye/);
        if (!tab.isClosed()) await tab.close();
      }
    });
  });
}
