// SPDX-License-Identifier: MIT
// state-deploys.test.mjs - pages go on over deploys: `httpsocket restart`, restart-changed, servers
// that are killed, replaced, or on another machine; and the key file that they share.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { Command } from '../lib/command.mjs';
import { request } from '../lib/request.mjs';
import { adminOf, BUILD, program, servingOf, startServer, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { StatefulPage } from '../lib/stateful-page.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const TIMES =
  '--rate-programs off --goodbye-timeout 200ms --eof-grace 5s --term-grace 5s ' +
  '--attach-timeout 20s --detach-timeout 20s --admin 127.0.0.1:0';
const LEDGER = program('ledger.py');
const files = { 'ledger.py': LEDGER, 'ledger-shared.py': program('ledger-shared.py') };
const KEY = `${Buffer.alloc(32, 7).toString('base64')}\n`;
const RESTARTED = [1000, 'restart'];

const folders = [];
const folder = () => {
  folders.push(fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-state-')));
  return folders.at(-1);
};

const start = (more = [], { state = folder(), env, ...options } = {}) =>
  startServer({
    files,
    threads: 2,
    args: [...TIMES.split(' '), ...more],
    env: { XDG_STATE_HOME: state, STATE_DIRECTORY: '', ...env },
    ...options,
  });

after(async () => {
  SessionClient.dropAll();
  await stopAll();
  for (const name of folders) fs.rmSync(name, { recursive: true, force: true });
});

const keyOf = (state) => path.join(state, 'httpsocket/state.key');

/** Writes a file of keys for `--state-key`. */
function keyFile(text = KEY, mode = 0o600) {
  const file = path.join(folder(), 'keys');
  fs.writeFileSync(file, text, { mode });
  fs.chmodSync(file, mode);
  return file;
}

async function notesOf(page, call = 1) {
  page.says(`notes?${call}`);
  return JSON.parse((await page.next(new RegExp(`^=${call} `))).slice(3));
}

/** A page with one note, saved. */
async function noted(server, where = 'ledger', note = 1) {
  const page = await StatefulPage.opens(server, where);
  page.says(`note ${note}`);
  await page.isSaved();
  return page;
}

const restarts = async (server, ...more) =>
  Command.runs(['restart', '--admin', new URL(await adminOf(server)).host, ...more]);

describe('httpsocket restart', () => {
  let server;
  before(async () => (server = await start(['--restart-rate', '100'])));
  after(() => server.ends());

  test('lets the programs of a path go, and their pages go on in new ones', async () => {
    const pages = await Promise.all([1, 2, 3].map((n) => noted(server, 'ledger', n)));
    const { status, out } = await restarts(server, '/ledger');
    assert.deepEqual([status, out], [0, '3 pages\n']);
    for (const [i, page] of pages.entries()) {
      await page.isClosed(...RESTARTED);
      assert.equal((await page.goesOn('changed')).resent, 0);
      assert.deepEqual(await notesOf(page), [i + 1]);
      await page.closes();
    }
  });

  test('finds the file too, and all of them, and nothing else', async () => {
    const page = await noted(server);
    for (const [where, status, why] of [
      ['/ledge', 1, 'no page has a program'],
      ['/ledger.pyx', 1, 'no page has a program'],
      ['ledger', 2, 'usage'],
    ]) {
      const done = await restarts(server, where);
      assert.deepEqual([done.status, done.err.includes(why)], [status, true], done.err);
    }
    assert.deepEqual(await notesOf(page), [1]);
    for (const where of ['/ledger.py', '/led*', '*']) {
      assert.equal((await restarts(server, where)).status, 0, where);
      await page.isClosed(...RESTARTED);
      await page.goesOn('changed');
    }
    await page.closes();
  });

  test('finds a page by either name of its program, whichever it was opened by', async () => {
    for (const opened of ['ledger', 'ledger.py'])
      for (const where of ['/ledger', '/ledger.py']) {
        const page = await noted(server, opened);
        assert.deepEqual((await restarts(server, where)).out, '1 page\n');
        await page.isClosed(...RESTARTED);
      }
  });

  test('lets a program save at its end of file', async () => {
    const page = await StatefulPage.opens(server, 'ledger?never');
    page.says('note 1', 'savesAtEnd');
    await page.hears('noted 1');
    page.says('write ".save {\\"notes\\":[]}\\n"');
    await page.isSaved(1);
    await restarts(server, '/ledger');
    await page.isClosed(...RESTARTED);
    await page.goesOn('changed');
    assert.deepEqual((await notesOf(page)).slice(0, 1), [1]);
    await page.closes();
  });

  test('tells a page without a state to begin anew, and when', async () => {
    const [plain, never] = [await Page.opens(server, 'ledger'), await noted(server)];
    never.says('note 2');
    await restarts(server, '/ledger');
    const { code, reason } = await plain.closed;
    assert.deepEqual([code, /^restart retry=\d+$/.test(reason)], [1012, true]);
    await never.isClosed(...RESTARTED);
  });

  test('what was said to a program that ends is told to the next one', async () => {
    const page = await noted(server);
    page.says('hang', 'note 2');
    await restarts(server, '/ledger');
    page.says('note 3');
    await page.isClosed(...RESTARTED);
    page.kept = page.kept.filter((line) => line !== 'hang');
    assert.equal((await page.goesOn('changed')).resent, 2);
    assert.deepEqual(await notesOf(page), [1, 2, 3]);
    await page.closes();
  });

  test('of a shared program ends the process after its last page', async () => {
    const pages = await Promise.all([1, 2, 3].map((n) => noted(server, 'ledger-shared', n)));
    const pids = await Promise.all(pages.map(async (page) => (await page.program()).pid));
    assert.equal((await restarts(server, '/ledger-shared')).out, '3 pages\n');
    for (const [i, page] of pages.entries()) {
      await page.isClosed(...RESTARTED);
      await page.goesOn('changed');
      assert.notEqual((await page.program()).pid, pids[i]);
      assert.deepEqual(await notesOf(page), [i + 1]);
    }
    for (const page of pages) await page.closes();
  });

  test('is refused where the admin listener is not, and to pages', async () => {
    const nobody = await Command.runs(['restart', '--admin', '127.0.0.1:1', '/ledger']);
    assert.deepEqual([nobody.status, /refused/.test(nobody.err)], [1, true]);
    const at = `${await adminOf(server)}/restart?path=/ledger`;
    assert.equal((await request(at)).status, 405);
    const origin = { Origin: 'http://evil.example' };
    assert.equal((await request(at, { method: 'POST', headers: origin })).status, 403);
    for (const query of ['', '?', '?path=', '?path=x', '?path=/%00', '?x=/ledger']) {
      const where = at.replace(/\?.*/, query);
      assert.equal((await request(where, { method: 'POST' })).status, 400, query);
    }
  });
});

test('a page that is being loaded when its program is let go is told so once it connects', async () => {
  const server = await start(['--restart-rate', '1000']);
  const answer = await request(server.at('ledger'));
  const other = await noted(server);
  await restarts(server, '/*');
  assert.deepEqual(Object.values(await other.closed), RESTARTED);
  const page = new SessionClient(server.at('ledger'), { session: answer.headers['session-id'] });
  await page.connect();
  assert.match((await page.closed).reason, /^restart/);
  await server.ends();
});

test('httpsocket restart lets no more go at a time than restart-rate', async () => {
  const server = await start(['--restart-rate', '5'], { threads: 1 });
  const pages = [];
  for (let n = 1; n <= 6; n++) pages.push(await noted(server, 'ledger', n));
  const begun = Date.now();
  await restarts(server, '/ledger');
  for (const page of pages) await page.isClosed(...RESTARTED);
  assert.ok(Date.now() - begun >= 900, `5 pauses of 200 ms took ${Date.now() - begun} ms`);
  await server.ends();
});

test('a restart goes on when the server is replaced in its midst', async () => {
  const server = await start(['--restart-rate', '1'], { threads: 1 });
  const [first, second] = [await noted(server), await noted(server, 'ledger', 2)];
  await restarts(server, '/ledger');
  await Promise.race([first.closed, second.closed]);
  server.child.kill('SIGUSR2');
  await server.logged(/takeover\.done/);
  for (const [i, page] of [first, second].entries()) {
    await page.isClosed(...RESTARTED);
    await page.goesOn('changed');
    assert.deepEqual(await notesOf(page), [i + 1]);
  }
  await server.ends();
});

test('on SIGHUP, restart-changed lets the programs go whose file has changed', async () => {
  const server = await start(['--restart-changed']);
  const file = path.join(server.root, 'ledger.py');
  const [page, other] = [await noted(server), await noted(server, 'ledger-shared')];
  server.child.kill('SIGHUP');
  await server.logged(/config\.reloaded/);
  assert.deepEqual(await notesOf(page), [1]);
  fs.writeFileSync(`${file}.new`, LEDGER.text.replace('"noted"', '"changed"'), { mode: 0o755 });
  fs.renameSync(`${file}.new`, file);
  server.child.kill('SIGHUP');
  await page.isClosed(...RESTARTED);
  await page.goesOn('changed');
  page.says('note 2');
  await page.hears('changed 2');
  assert.deepEqual(await notesOf(other), [1]);
  await server.ends();
});

test('when a shared program crashes, each of its pages goes on', async () => {
  const server = await start();
  const pages = await Promise.all([1, 2, 3].map((n) => noted(server, 'ledger-shared', n)));
  pages[0].says('die');
  for (const page of pages) await page.isClosed(4500, 'program-failed signal=9');
  pages[0].kept = [];
  const goesOn = (page) =>
    page.goesOn('crash').then(
      () => true,
      ({ code }) => assert.equal(code, 1013), // it is started again in a second
    );
  for (const [i, page] of pages.entries()) {
    await until(() => goesOn(page));
    assert.deepEqual(await notesOf(page), [i + 1]);
  }
  await server.ends();
});

test('a server that is killed and started again goes on with its pages', async () => {
  const state = folder();
  let server = await start([], { state });
  const page = await noted(server);
  server.mayCrash = true;
  process.kill(servingOf(server.child.pid), 'SIGKILL');
  await server.logged(/server\.restarted/);
  await page.goesOn('deploy');
  assert.deepEqual(await notesOf(page), [1]);
  await page.isSaved();
  await server.stop('SIGKILL');
  const { port } = new URL(page.url);
  server = await start(['--listen', `127.0.0.1:${port}`], { state });
  await page.goesOn('deploy', server);
  assert.deepEqual(await notesOf(page), [1]);
  await server.ends();
});

test('SIGTERM, and a server in its place, with the key file of another machine', async () => {
  const args = ['--state-key', keyFile(), '--origin', 'http://a.example'];
  const [one, two] = [await start(args), await start(args)];
  const options = { origin: 'http://a.example', headers: { Host: 'a.example' } };
  const page = await StatefulPage.opens(one, 'ledger', options);
  page.says('note 1');
  await page.isSaved();
  await one.ends();
  const { code, reason } = await page.closed;
  assert.deepEqual([code, /^draining retry=\d+$/.test(reason)], [1012, true]);
  page.keepsOrigin = true;
  await page.goesOn('deploy', two);
  assert.deepEqual(await notesOf(page), [1]);
  await two.ends();
});

describe('the key file', () => {
  test('is made at the first start, for nobody else, and stays', async () => {
    const state = folder();
    const first = await start([], { state });
    const { mode } = fs.statSync(keyOf(state));
    assert.equal(mode & 0o777, 0o600);
    const text = fs.readFileSync(keyOf(state), 'utf8');
    assert.match(text, /^#.*\n[A-Za-z0-9+/]{43}=\n$/);
    await first.ends();
    const second = await start([], { state });
    assert.equal(fs.readFileSync(keyOf(state), 'utf8'), text);
    assert.deepEqual(fs.readdirSync(path.dirname(keyOf(state))), ['state.key']);
    await second.ends();
  });

  test('is one, if ten servers start at a time', async () => {
    const state = folder();
    const servers = await Promise.all(
      Array.from({ length: 10 }, () => start(['--no-supervisor'], { state, threads: 1 })),
    );
    const page = await noted(servers[0]);
    for (const server of servers.slice(1, 4)) {
      // Another port is another origin: the state is another page's, but the key is known.
      await page.asksAnew(server.at('ledger'));
      page.ws.send(page.restore('gone', 0));
      await page.isClosed(4411, 'state-refused');
      await server.logged(/it was changed, or is of another origin/);
    }
    assert.deepEqual(fs.readdirSync(path.dirname(keyOf(state))), ['state.key']);
    await Promise.all(servers.map((server) => server.ends()));
  });

  const refused = (file) => {
    const args = ['--listen', '127.0.0.1:0', '--state-key', file, '--check-config', '/tmp'];
    const { status, stderr } = spawnSync(path.join(BUILD, 'httpsocketd'), args);
    return { status, why: stderr.toString() };
  };

  for (const [what, text, mode, why] of [
    ['that others can read', KEY, 0o604, /others can read or write it.*\(chmod 600/],
    ['that its group can write', KEY, 0o620, /others can write it/],
    [
      'with a bad line',
      `# a\n\n${KEY}nonsense\n`,
      0o600,
      /keys:4: expected a key, 32 bytes in base64/,
    ],
    ['with a key of 31 bytes', `${Buffer.alloc(31).toString('base64')}\n`, 0o600, /keys:1: /],
    ['with a key of 33 bytes', `${Buffer.alloc(33).toString('base64')}\n`, 0o600, /keys:1: /],
    ['without a key', '# nothing\n', 0o600, /there is no key in it/],
  ])
    test(`${what} is refused, and why is said`, () => {
      const { status, why: said } = refused(keyFile(text, mode));
      assert.equal(status, 2);
      assert.match(said, why);
    });

  test('may be readable by the group, without padding, with CR LF', () => {
    assert.equal(refused(keyFile(KEY.replace('=\n', '\r\n'), 0o640)).status, 0);
    assert.match(refused('/nowhere/keys').why, /No such file/);
  });

  test('is read again on SIGHUP: what the old key sealed is opened until it is taken away', async () => {
    const file = keyFile();
    const fresh = `${Buffer.alloc(32, 8).toString('base64')}\n`;
    const server = await start(['--state-key', file]);
    const reload = async (text) => {
      fs.writeFileSync(file, text);
      const before = server.lines(/config\.(reloaded|refused)/).length;
      server.child.kill('SIGHUP');
      const count = () => server.lines(/config\.(reloaded|refused)/).length;
      while (count() === before) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const page = await noted(server);
    const old = page.state;
    await reload(fresh + KEY);
    page.says('note 2');
    await page.isSaved();
    const again = async (state) => {
      const client = Object.assign(new StatefulPage(page.url), { state, server });
      await client.asksAnew();
      client.ws.send(client.restore('gone', 0));
      return Promise.race([client.hears(/restore/), client.closed.then(({ code }) => code)]);
    };
    assert.match(await again(old), /restore/);
    await reload(`${fresh}bad\n`);
    await server.logged(/config\.refused.*keys:2: expected a key/);
    assert.match(await again(old), /restore/);
    await reload(fresh);
    assert.equal(await again(old), 4411);
    assert.match(await again(page.state), /restore/);
    await server.ends();
  });

  describe('of root', { skip: process.getuid() > 0 && 'needs root' }, () => {
    test('belongs to the user that the server becomes, who reads it again', async () => {
      const state = folder();
      fs.chmodSync(state, 0o755);
      const server = await start(['--user', 'nobody'], { state, mode: 0o755 });
      const { uid, mode } = fs.statSync(keyOf(state));
      assert.deepEqual([uid, mode & 0o777], [65534, 0o600]);
      server.child.kill('SIGHUP');
      await server.logged(/config\.reloaded/);
      const page = await noted(server);
      await restarts(server, '*');
      await page.isClosed(...RESTARTED);
      await page.goesOn('changed');
      assert.deepEqual(await notesOf(page), [1]);
      await server.ends();
    });
  });

  test('that can be made nowhere is a key for this run', async () => {
    const server = await start([], { state: '/proc/nowhere' });
    await server.logged(/state\.key_of_this_run/);
    const page = await noted(server);
    const process = await page.program();
    process.kill('SIGKILL');
    await page.closed;
    await page.goesOn();
    await server.ends();
  });

  test('that was made and can be read by others stops the start', async () => {
    const state = folder();
    await (await start([], { state })).ends();
    fs.chmodSync(keyOf(state), 0o644);
    await assert.rejects(start([], { state }), /state\.key_refused.*others can read/);
  });
});
