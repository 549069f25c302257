// SPDX-License-Identifier: MIT
// state.test.mjs - what a program saves outlives it: docs/page-programs/state.md, and section 12 of
// docs/protocol.md, on the wire, against the running server.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sleeps } from '../lib/program.mjs';
import { program, startServer, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { StatefulPage } from '../lib/stateful-page.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const TIMES =
  '--rate-programs off --goodbye-timeout 200ms --eof-grace 200ms --term-grace 200ms ' +
  '--attach-timeout 20s --detach-timeout 20s --admin 127.0.0.1:0';
const PROGRAMS = ['ledger.py', 'talk.py', 'tally.py'];
/** Of a byte stream, as small as it can be. */
const OPEN = Buffer.from([1, 0, 0, 0, 1, 123, 125]);
const KILLED = { code: 4500, reason: 'program-failed signal=9' };

/** A state folder of its own for each server, unless a test shares it. */
const folders = [];
const folder = () => {
  folders.push(fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-state-')));
  return folders.at(-1);
};

const files = Object.fromEntries(PROGRAMS.map((name) => [name, program(name)]));
const start = (more = '', state = folder(), options = {}) =>
  startServer({
    files,
    args: `${TIMES} ${more}`.trim().split(' '),
    env: { XDG_STATE_HOME: state, STATE_DIRECTORY: '' },
    ...options,
  });

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const notes = (from, to) => numbers(from, to).map((n) => `note ${n}`);

/** The notes that the program has, in order. */
async function notesOf(page) {
  page.says('notes?1');
  return JSON.parse((await page.next(/^=1 /)).slice(3));
}

/** Its process dies at once, and the page hears so. */
async function dies(page, process, how = KILLED) {
  process.kill('SIGKILL');
  await page.isClosed(how.code, how.reason);
}

after(async () => {
  SessionClient.dropAll();
  await stopAll();
  for (const name of folders) fs.rmSync(name, { recursive: true, force: true });
});

for (const threads of [1, 4])
  describe(`with ${threads} worker${threads > 1 ? 's' : ''}`, () => {
    let server;
    before(async () => (server = await start('', folder(), { threads })));
    after(() => server.ends());

    test('a page goes on from what its program saved', async () => {
      const page = await StatefulPage.opens(server, 'ledger');
      assert.equal(page.welcome.state, true);
      const process = await page.program();
      page.says(...notes(1, 3));
      await page.isSaved();
      await dies(page, process);
      const { resent } = await page.goesOn('crash');
      assert.equal(resent, 0);
      assert.equal((await page.hearsOf('started')).restore, '1');
      await page.hearsNext('told [".restore",{"why":"crash","resent":0}]');
      const [, attach] = await page.hearsOf('told');
      assert.deepEqual([attach.resumed, attach.restored], [false, true]);
      assert.deepEqual(await notesOf(page), [1, 2, 3]);
      await page.closes();
    });

    for (const mode of ['', 'exact', 'bytes', 'rare'])
      test(`killed in a burst, a program that saves ${mode || 'by hand'} loses nothing`, async () => {
        const page = await StatefulPage.opens(server, `ledger?${mode}`);
        page.says(...notes(1, 200), 'die', ...notes(201, 400));
        await page.isClosed(KILLED.code, KILLED.reason);
        const { resent } = await page.goesOn('crash');
        const saved = 401 - resent; // each save counts for one message, if they come at once
        if (mode === 'rare') assert.ok(saved >= 40 && saved <= 200, `${saved} of 40`);
        else assert.equal(saved, 200);
        await page.hears(/"resent":/);
        const again = numbers(saved + 1, 200);
        assert.deepEqual(await notesOf(page), [...numbers(1, 200), ...again, ...numbers(201, 400)]);
        await page.closes();
      });

    test('killed at any time, a program loses nothing, and what comes twice is marked', async () => {
      const page = await StatefulPage.opens(server, 'ledger?exact');
      const process = await page.program();
      page.says(...notes(1, 400));
      await page.isSaved(1);
      await dies(page, process);
      const { resent } = await page.goesOn('crash');
      const has = await notesOf(page);
      const [before, again] = [has.slice(0, has.length - resent), has.slice(has.length - resent)];
      assert.deepEqual(again, numbers(401 - resent, 400));
      assert.deepEqual(before, numbers(1, before.length));
      assert.ok(before.length >= 400 - resent);
      await page.closes();
    });

    test('killed while idle, a program that saves after each message is told none again', async () => {
      const page = await StatefulPage.opens(server, 'ledger');
      let process = await page.program();
      for (let n = 1; n <= 5; n++) {
        page.says(`note ${n}`);
        await page.isSaved();
        await dies(page, process);
        assert.equal((await page.goesOn('crash')).resent, 0);
        process = await page.program();
      }
      assert.deepEqual(await notesOf(page), [1, 2, 3, 4, 5]);
      await page.closes();
    });

    test('killed while idle, a program that saves when told to is told what came after', async () => {
      const page = await StatefulPage.opens(server, 'ledger?never');
      const process = await page.program();
      for (const n of [1, 2, 3, 4]) {
        page.says(`note ${n}`);
        await page.hears(`noted ${n}`);
        await sleeps(process.pid);
        if (n === 2) {
          page.says('save');
          await page.isSaved();
          await sleeps(process.pid);
        }
      }
      await dies(page, process);
      assert.equal((await page.goesOn('crash')).resent, 2);
      assert.deepEqual(await notesOf(page), [1, 2, 3, 4]);
      await page.closes();
    });

    test('a state goes on through sessions that save nothing', async () => {
      const page = await StatefulPage.opens(server, 'ledger');
      let process = await page.program();
      page.says('note 1');
      await page.isSaved();
      for (let n = 0; n < 3; n++) {
        await dies(page, process);
        await page.goesOn('crash');
        process = await page.program();
      }
      assert.deepEqual(await notesOf(page), [1]);
      await page.closes();
    });
  });

describe('how many messages a state covers', () => {
  let server;
  before(async () => (server = await start()));
  after(() => server.ends());

  /** Lines that the program writes, as text of one event. */
  const writes = (page, ...lines) =>
    page.says(`write ${JSON.stringify(lines.map((line) => `${line}\n`).join(''))}`);

  test('.confirm says it, with the same state', async () => {
    const page = await StatefulPage.opens(server, 'ledger?never');
    writes(page, '.confirm 0', '.save 1');
    await page.isSaved(0);
    page.says('x', 'y', 'z');
    writes(page, '.confirm 4');
    await page.isSaved(4);
    assert.deepEqual(page.saved, [0, 4]);
    await page.closes();
  });

  test('what was confirmed before the first state counts for it', async () => {
    const page = await StatefulPage.opens(server, 'ledger?never');
    page.says('x', 'y');
    writes(page, '.confirm 2');
    writes(page, '.save {}');
    await page.isSaved(2);
    assert.deepEqual(page.saved, [2]);
    await page.closes();
  });

  test('.problem of the page is covered with what is before it, and not told again', async () => {
    const page = await StatefulPage.opens(server, 'ledger?never');
    page.says('x');
    for (let n = 0; n < 40; n++) {
      page.sent++;
      page.kept.push('');
      page.send('.problem {"command":"dom","message":"none"}');
      page.says(`y ${n}`);
    }
    writes(page, '.confirm 41', '.save {}');
    await page.isSaved(1);
    const last = page.saved.at(-1);
    assert.ok(last >= 41 && last <= 81, `${last} of 82 messages`);
    await page.closes();
  });

  for (const [line, why] of [
    ['.confirm', 'expected .confirm with a number'],
    ['.confirm -1', 'expected .confirm with a number'],
    ['.confirm "1"', 'expected .confirm with a number'],
    ['.confirm 9', 'more messages than it was told'],
    ['.confirm 1\n.confirm 0', 'fewer messages than before'],
    ['.save', 'expected .save with JSON'],
  ])
    test(`${JSON.stringify(line)} is an error of the program`, async () => {
      const page = await StatefulPage.opens(server, 'ledger?never');
      const process = await page.program();
      writes(page, line);
      await page.isClosed(4500, 'program-failed reason=protocol');
      assert.match(await process.logs(/protocol_error/), new RegExp(why));
    });
});

describe('a state on its way', () => {
  let server;
  before(async () => (server = await start('--state-max 200K --ping-interval 500ms')));
  after(() => server.ends());

  test('is not given to a client that does not ask for it', async () => {
    const page = await Page.opens(server, 'ledger');
    assert.equal(page.welcome.state, undefined);
    page.says('note 1', 'note 2');
    await page.hears('noted 1', 'noted 2');
    await page.isRead();
    assert.deepEqual(
      page.control.filter((text) => /saved|stored/.test(text)),
      [],
    );
    await page.closes();
  });

  test('waits while another is not answered, and the newest takes its place', async () => {
    const page = await StatefulPage.opens(server, 'ledger');
    page.stores = false;
    page.says(...notes(1, 50));
    await page.hears('noted 1', /noted 50/);
    await page.isRead();
    assert.equal(page.saved.length, 1);
    page.stores = true;
    page.send(`.stored ${page.saved[0]}`);
    await page.isSaved();
    assert.ok(page.saved.length <= 3, `${page.saved}`); // the last .save may come after .stored
    await page.closes();
  });

  test('goes in pieces if it is large, and events overtake it', async () => {
    const page = await StatefulPage.opens(server, 'ledger');
    page.answersPings = false;
    page.says('pad 150000');
    await until(() => page.pieces.length === 1);
    page.says('note 1');
    await page.hears('noted 1');
    assert.deepEqual([page.state, page.pieces.length], [null, 1]);
    page.answersPings = true;
    page.send('.pong');
    await page.isSaved();
    assert.ok(page.state.length > 150000);
    await page.closes();
  });

  test('begins again after a drop in its midst', async () => {
    const page = await StatefulPage.opens(server, 'ledger');
    const process = await page.program();
    page.answersPings = false;
    page.says('pad 150000');
    await until(() => page.pieces.length === 1);
    await page.cuts();
    page.answersPings = true;
    await page.comesBack();
    page.says('note 1');
    await page.isSaved();
    await dies(page, process);
    await page.goesOn();
    assert.deepEqual(await notesOf(page), [1]);
    await page.closes();
  });

  test('is given when the page comes back, and only the newest', async () => {
    const page = await StatefulPage.opens(server, 'ledger');
    page.says('note 1');
    await page.isSaved();
    page.says('write ".save {\\"notes\\":[7]}\\n"', 'note 8');
    await page.cuts();
    await until(async () => (await server.metric('states_saved_total')) > 0);
    await page.comesBack();
    await page.isSaved(2);
    await page.closes();
  });

  test('too large is refused, and the one before stays', async () => {
    const page = await StatefulPage.opens(server, 'ledger');
    const process = await page.program();
    page.says('note 1');
    await page.isSaved();
    page.says('pad 300000');
    const [, problem] = await page.hearsOf('told').then(() => page.hearsOf('told'));
    assert.equal(problem.command, 'save');
    assert.match(problem.message, /300\d\d\d bytes .* state-max lets in 204800/);
    await process.logs(/program\.state_too_large/);
    page.says('pad 0', 'note 2');
    await page.isSaved();
    await dies(page, process);
    await page.goesOn();
    assert.deepEqual(await notesOf(page), [1, 2]);
    await page.closes();
  });

  test('too large lets no .confirm cover what only it has', async () => {
    const page = await StatefulPage.opens(server, 'ledger?exact');
    const process = await page.program();
    page.says('note 1');
    await page.isSaved();
    page.says('pad 300000', 'note 2');
    await page.hears(/^noted 2/);
    await page.isRead();
    assert.equal(page.covers, 1);
    await dies(page, process);
    assert.equal((await page.goesOn()).resent, 2);
    await page.hears(/^noted 2/);
    page.says('pad 0');
    await page.isSaved();
    assert.deepEqual(await notesOf(page), [1, 2]);
    await page.closes();
  });

  test('arrives with the end of its program', async () => {
    const page = await StatefulPage.opens(server, 'ledger?never');
    const process = await page.program();
    page.says('last 1');
    await page.isClosed(4500, 'program-failed status=3');
    await process.ends();
    assert.equal((await page.goesOn()).resent, 0);
    assert.deepEqual(await notesOf(page), [1, 'too']);
    await page.closes();
  });

  for (const line of ['.stored 5', '.stored', '.stored "x"'])
    test(`${line} of nothing is against the protocol`, async () => {
      const page = await StatefulPage.opens(server, 'ledger?never');
      page.send(line);
      await page.isClosed(4400, 'wire-protocol: .stored of what was not saved');
    });
});

describe('a restore', () => {
  let server, other, page;
  const key = folder();
  before(async () => {
    server = await start('', key);
    other = await start();
    page = await StatefulPage.opens(server, 'ledger');
    page.says('note 1');
    await page.isSaved();
  });
  after(async () => (await server.ends(), await other.ends()));

  /** One more client with the page's state, which is asked for it. */
  async function another(where = 'ledger', at = server) {
    const client = Object.assign(new StatefulPage(at.at(where)), { server: at });
    client.state = page.state;
    await client.asksAnew();
    return client;
  }

  test('of a state that was changed in any part is refused', async () => {
    for (const at of [0, 1, 5, 21, 33, 50, page.state.length - 1]) {
      const client = await another();
      client.state = Buffer.from(page.state);
      client.state[at] ^= 1;
      client.ws.send(client.restore('crash', 0));
      await client.isClosed(4411, 'state-refused');
    }
    await server.logged(/session\.restore_refused.*path=\/ledger .*it was changed/);
  });

  test('of half a state, of one byte, or of another page is refused', async () => {
    for (const state of [page.state.subarray(0, 40), Buffer.from([1])]) {
      const client = await another();
      client.ws.send(client.restore('crash', 0, state));
      await client.isClosed(4411, 'state-refused');
    }
    const elsewhere = await another('talk');
    elsewhere.ws.send(elsewhere.restore('gone', 0));
    await elsewhere.isClosed(4411, 'state-refused');
  });

  test('at a server with another key is refused', async () => {
    const client = await another('ledger', other);
    client.ws.send(client.restore('deploy', 0));
    await client.isClosed(4411, 'state-refused');
    await other.logged(/its key is not among ours/);
  });

  test('that never comes ends its session', async () => {
    const hasty = await start('--attach-timeout 4s', key);
    const client = await another('ledger', hasty);
    await client.isClosed(4400, 'wire-protocol: no .restore in time');
    await hasty.isAtRest();
    await hasty.ends();
  });

  for (const [what, say, why] of [
    ['an event', (c) => c.send('note 1'), 'a message before .restore'],
    ['bytes', (c) => c.sendBytes('note', 'x'), 'a message before .restore'],
    [
      'a stream',
      (c) => c.ws.send(Buffer.from([1, 0, 0, 0, 1, 123, 125])),
      'a message before .restore',
    ],
    ['a wrong .restore', (c) => c.sendBytes('.restore {"why":"x"}', 'x'), '.restore whose why'],
  ])
    test(`before which ${what} comes is against the protocol`, async () => {
      const client = await another();
      say(client);
      const { code, reason } = await client.closed;
      assert.deepEqual([code, reason.startsWith(`wire-protocol: ${why}`)], [4400, true], reason);
    });

  test('that nobody asked for is against the protocol, and so is a second one', async () => {
    const client = await StatefulPage.opens(server, 'ledger');
    client.ws.send(client.restore('gone', 0, page.state));
    await client.isClosed(4400, 'wire-protocol: .restore that was not asked for');
    const twice = await another();
    twice.ws.send(twice.restore('gone', 0));
    twice.ws.send(twice.restore('gone', 0));
    await twice.isClosed(4400, 'wire-protocol: .restore that was not asked for');
  });

  test('is asked for again when the connection was lost before it', async () => {
    const client = await another();
    await client.cuts();
    client.restoring = null;
    assert.equal((await client.comesBack()).restore, true);
    client.ws.send(client.restore('gone', 0));
    await client.hears(/restore/);
    await client.cuts();
    assert.equal((await client.comesBack()).restore, undefined);
    assert.deepEqual(await notesOf(client), [1]);
    await client.closes();
  });

  test('does not touch the old session, if that is still there', async () => {
    const client = await another();
    client.ws.send(client.restore('gone', 0));
    await client.hears(/restore/);
    client.says('note 2');
    page.says('note 3');
    assert.deepEqual(await notesOf(client), [1, 2]);
    assert.deepEqual(await notesOf(page), [1, 3]);
    await client.closes();
  });

  test('of a program that is not there, or takes lines, is refused as a new session', async () => {
    const nowhere = Object.assign(new StatefulPage(server.at('nothing')), { restoring: {} });
    await nowhere.isRefused({ code: 4404 });
  });
});

test('a state that is too old is refused', async () => {
  const server = await start('--state-age 1s');
  const page = await StatefulPage.opens(server, 'ledger');
  const process = await page.program();
  page.says('note 1');
  await page.isSaved();
  await dies(page, process);
  await until(async () => {
    await page.asksAnew();
    page.ws.send(page.restore('crash', 0));
    const { code } = await Promise.race([page.closed, page.hears(/restore/).then(() => ({}))]);
    if (!code) await page.closes();
    return code === 4411;
  });
  await server.logged(/it is too old/);
  await server.ends();
});

test('a program that fails at once after a restore is told as failed, each time', async () => {
  const server = await start();
  const page = await StatefulPage.opens(server, 'ledger');
  page.says('note 1');
  await page.isSaved();
  page.says('exit 7');
  await page.isClosed(4500, 'program-failed status=7');
  for (let n = 0; n < 3; n++) {
    assert.equal((await page.goesOn('crash')).resent, 1);
    await page.isClosed(4500, 'program-failed status=7');
  }
  await server.ends();
});

test('200 restores of one client at once stay within its limits', async () => {
  const server = await start('--programs-per-client 20 --programs-max 1000');
  const page = await StatefulPage.opens(server, 'ledger');
  page.says('note 1');
  await page.isSaved();
  const one = async () => {
    const client = new StatefulPage(page.url);
    client.state = page.state;
    try {
      await client.asksAnew();
      client.ws.send(client.restore('gone', 0));
      await client.hears(/restore/);
      return 'restored';
    } catch ({ code }) {
      return code;
    }
  };
  const outcomes = await Promise.all(numbers(1, 200).map(one));
  const restored = outcomes.filter((outcome) => outcome === 'restored').length;
  assert.ok(restored > 0 && restored <= 20, `${restored} restored`);
  assert.deepEqual([...new Set(outcomes)].sort(), [1013, 'restored']);
  assert.deepEqual(await notesOf(page), [1]);
  await server.ends();
});
