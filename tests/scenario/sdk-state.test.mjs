// SPDX-License-Identifier: MIT
// sdk-state.test.mjs - a state that outlives its program, by a program of each language with its
// helper in sdk/.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach } from 'node:test';
import { request } from '../lib/request.mjs';
import { BUILD, REPO, startServer, stopAll } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { StatefulPage } from '../lib/stateful-page.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const KILLED = [4500, 'program-failed signal=9'];
const from = (name) => path.join(name.includes('.') ? REPO : BUILD, 'tests/scenario/sdk', name);
/** A shared program that fails again and again is let rest: each test has its own. */
const copies = (file) => Array.from({ length: 15 }, (_, n) => file.replace('.', `-${n}.`));

/** Each program, whether it is shared, and whether it does several things at a time. */
const PROGRAMS = [
  { file: 'state.py', thread: true },
  { file: 'state_aio.py', async: true },
  { file: 'state_shared.py', source: 'state_aio.py', async: true, shared: true },
  { file: 'state.php' },
  { file: 'state.sh' },
  { file: 'state' },
  { file: 'state.mjs', async: true },
  { file: 'state_shared.mjs', source: 'state.mjs', async: true, shared: true },
];

let server, folder;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-state-'));
  const files = PROGRAMS.flatMap(({ file, source = file, shared }) => {
    const content = { text: fs.readFileSync(from(source)), mode: 0o755 };
    return (shared ? copies(file) : [file]).map((name) => [name, content]);
  });
  server = await startServer({
    files: Object.fromEntries(files),
    args: '--rate-programs off --state-max 100K --attach-timeout 20s'.split(' '),
    env: { XDG_STATE_HOME: folder, STATE_DIRECTORY: '' },
  });
});

after(async () => {
  SessionClient.dropAll();
  await stopAll();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** The notes that the program has, each with whether it may have been seen before. */
async function notesOf(page) {
  page.says('notes?9');
  return JSON.parse((await page.next(/^=9 /)).slice(3));
}

/** A shared program that has failed is not started again at once. */
const isStartable = (page) =>
  until(async () => {
    const { status } = await request(page.url);
    return status === 200;
  });

const fresh = (...notes) => notes.map((n) => [n, false]);

for (const { file, shared, async, thread } of PROGRAMS)
  describe(file, () => {
    const names = copies(file);
    let name = file;
    beforeEach(() => (name = shared ? names.pop() : file));
    const opens = async (query = '') => {
      const page = await StatefulPage.opens(server, `${name}${query}`);
      return { page, process: await page.program() };
    };
    const dies = async (page, process) => {
      process.kill('SIGKILL');
      await page.isClosed(...KILLED);
    };
    /** What the new process is told, and its own process. */
    const goesOn = async (page, why = 'crash') => {
      if (shared) await isStartable(page);
      const { resent } = await page.goesOn(why);
      const started = await page.hearsOf('started');
      assert.equal(started.restored, true);
      return { resent, process: { pid: started.pid }, told: await page.hearsOf('restored') };
    };

    test('the state is saved by itself, and is there before the functions run', async () => {
      const { page, process } = await opens();
      page.says('note 1', 'note 2');
      await page.isSaved();
      await dies(page, process);
      const { resent, told } = await goesOn(page);
      assert.equal(resent, 0);
      assert.deepEqual(told, ['crash', 0, fresh(1, 2)]);
      page.says('note 3');
      assert.deepEqual(await notesOf(page), fresh(1, 2, 3));
      await page.isSaved();
      await page.closes();
    });

    test('a page can go on before anything has changed', async () => {
      const { page, process } = await opens();
      await page.isSaved(0);
      await dies(page, process);
      assert.deepEqual((await goesOn(page, 'deploy')).told, ['deploy', 0, []]);
      await page.closes();
    });

    test('what the old process was in the midst of comes again, and says so', async () => {
      const { page } = await opens();
      page.says('note 1', 'note 2', 'die 3', 'note 4', 'note 5');
      await page.isClosed(...KILLED);
      const { resent, told } = await goesOn(page);
      assert.deepEqual([resent, told], [3, ['crash', 3, fresh(1, 2)]]);
      page.says('note 6');
      const again = [3, 4, 5].map((n) => [n, true]);
      assert.deepEqual(await notesOf(page), [...fresh(1, 2), ...again, ...fresh(6)]);
      await page.closes();
    });

    test('a message that changes nothing is done, too', async () => {
      const { page, process } = await opens();
      page.says('note 1', 'look', 'nowhere 1', 'nothing?1', 'look');
      await page.isSaved();
      await dies(page, process);
      assert.equal((await goesOn(page)).resent, 0);
      page.says('look');
      await page.isSaved();
      await page.closes();
    });

    test('answers count, whoever asked', async () => {
      const { page, process } = await opens();
      page.says('ask 1', 'note 2');
      const id = /^name\?(\d+) /.exec(await page.next(/^name/))[1];
      page.says(`=${id} 7`);
      await page.hears(/^noted/);
      page.says('=77 "nobody asked"', 'note 3');
      await page.isSaved();
      await dies(page, process);
      assert.deepEqual((await goesOn(page)).told, ['crash', 0, fresh(7, 2, 3)]);
      await page.closes();
    });

    test('a state that is too large is told, and what only it has comes again', async () => {
      const { page, process } = await opens();
      page.says('note 1');
      await page.isSaved();
      page.says('pad 200000', 'note 2');
      assert.equal(await page.hearsOf('told'), 'save');
      assert.equal(page.covers, 1);
      await server.logged(
        /page(\.|->|_)(state|save): a state of 200\d\d\d bytes is not saved.*elsewhere/,
      );
      page.says('pad 1', 'note 3');
      await page.isSaved();
      await dies(page, process);
      assert.deepEqual((await goesOn(page)).told[2], fresh(1, 2, 3));
      await page.closes();
    });

    test('the last state of a program that ends is saved before', async () => {
      const { page } = await opens();
      page.says('note 1', 'quit 2');
      await page.closed;
      assert.deepEqual((await goesOn(page)).told, ['crash', 0, fresh(1, 2)]);
      await page.closes();
    });

    // A state that is no JSON, functions that throw: not in sh and C.
    if (/py|mjs|php/.test(file)) {
      test('what is no JSON is refused at once, and never saved', async () => {
        const { page, process } = await opens();
        page.says('note 1');
        await page.isSaved();
        page.says('bad', 'note 2');
        assert.match(
          await page.hearsOf('refused'),
          /page.state is not JSON|page->state is not JSON/,
        );
        await server.logged(/state is not JSON.*the state before it stays/);
        page.says('pad 1');
        await page.isSaved();
        await dies(page, process);
        assert.deepEqual((await goesOn(page)).told, ['crash', 0, fresh(1, 2)]);
        await page.closes();
      });

      test('a function that throws is done with its message', async () => {
        const { page, process } = await opens();
        page.says('note 1', 'throw 2');
        await page.isSaved();
        await dies(page, process);
        assert.deepEqual((await goesOn(page)).told, ['crash', 0, fresh(1, 2)]);
        await page.closes();
      });

      test('a restore whose function throws goes on from the state', async () => {
        const { page, process } = await opens('?fail=1');
        page.says('note 1');
        await page.isSaved();
        await dies(page, process);
        await goesOn(page);
        page.says('note 2');
        assert.deepEqual(await notesOf(page), fresh(1, 2));
        await page.isSaved();
        await page.closes();
      });
    }

    if (thread || async)
      test('what changes without a message is saved, too', async () => {
        const { page, process } = await opens();
        page.says('later 1');
        await page.isSaved();
        const before = page.saved.length;
        while (page.saved.length === before) await new Promise((go) => page.once('saved', go));
        await dies(page, process);
        assert.deepEqual((await goesOn(page)).told, ['crash', 0, fresh(1)]);
        await page.closes();
      });

    if (async)
      test('a call that is not answered holds back those behind it', async () => {
        const { page, process } = await opens();
        page.says('note 1', 'slow?1 2', 'note 3', 'look');
        await page.hears('looked');
        await page.isRead();
        assert.ok(page.covers <= 1);
        await dies(page, process);
        const { resent } = await goesOn(page);
        assert.equal(resent, page.kept.length);
        assert.deepEqual(page.kept.slice(-3), ['slow?1 2', 'note 3', 'look']);
        page.says('release');
        await page.next(/^=1/);
        await page.isSaved();
        await page.closes();
      });

    if (shared)
      test('two pages of a process have each a state', async () => {
        const { page: one, process } = await opens();
        const { page: two } = await opens();
        one.says('note 1');
        two.says('note 2', 'note 3');
        await one.isSaved();
        await two.isSaved();
        await dies(one, process);
        await two.isClosed(...KILLED);
        assert.deepEqual((await goesOn(two)).told, ['crash', 0, fresh(2, 3)]);
        assert.deepEqual((await goesOn(one)).told, ['crash', 0, fresh(1)]);
        await one.closes();
        await two.closes();
      });
    else
      test('a program without a state writes nothing of it', async () => {
        const page = await StatefulPage.opens(server, `${file}?unused=1`);
        page.says('add 1');
        await page.hears('total 1');
        await page.isRead();
        assert.deepEqual(page.saved, []);
        await page.closes();
      });
  });

test('the counter of the examples goes on when its program is killed, and its server', async () => {
  const text = fs.readFileSync(path.join(REPO, 'examples/counter-kept.py'));
  const start = (port) =>
    startServer({
      files: { 'counter-kept.py': { text, mode: 0o755 } },
      args: ['--listen', `127.0.0.1:${port}`, '--rate-programs', 'off'],
      env: { XDG_STATE_HOME: folder, STATE_DIRECTORY: '' },
    });
  /** The process that shows this count. */
  const shows = async (page, count) => {
    const dom = await page.next(new RegExp(`"text":"${count}"\\}.*"process \\d+"`));
    return Number(/process (\d+)/.exec(dom)[1]);
  };
  const first = await start(0);
  const page = await StatefulPage.opens(first, 'counter-kept.py');
  page.says('more {}', 'more {}');
  await page.isSaved();
  process.kill(await shows(page, 2), 'SIGKILL');
  await page.isClosed(...KILLED);
  await page.goesOn('crash');
  await shows(page, 2);
  page.says('more {}');
  await page.isSaved();
  await first.stop('SIGKILL');
  await page.closed;
  const second = await until(() => start(first.port).catch(() => null));
  await page.goesOn('deploy', second);
  await shows(page, 3);
  page.says('more {}');
  await shows(page, 4);
  await page.closes();
});
