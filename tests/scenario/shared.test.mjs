// SPDX-License-Identifier: MIT
// shared.test.mjs - one process for many pages (docs/page-programs/shared.md).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { openPlain } from '../lib/plain-client.mjs';
import { random } from '../lib/proxy.mjs';
import { program, PROGRAMS, resources, startServer, stopAll } from '../lib/server.mjs';
import { newKey, Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const OPEN =
  '--rate-programs off --rate-client off --rate-origin off --admin 127.0.0.1:0 ' +
  '--eof-grace 500ms --term-grace 500ms --goodbye-timeout 200ms --detach-timeout 20s';
after(stopAll);

/** A server whose ROOT holds the program as `shared.py`. */
const start = (more = '', { threads = 2, ...files } = {}) =>
  startServer({
    files: { 'shared.py': program('shared.py'), ...files },
    args: `${OPEN} ${more}`.trim().split(' '),
    threads,
  });

/** Its end, with all that tests have connected to it. */
const end = (server) => (SessionClient.dropAll(), server.ends());

/** A client without a page. */
const join = (server, { query = '', ...options } = {}) =>
  SessionClient.connects(server, `shared${query}`, options);

const joinMany = (server, count) => Promise.all(Array.from({ length: count }, () => join(server)));

/** One that joins as soon as it is let. */
const joinAgain = (server) => until(() => join(server).catch(() => null));

/** What the process knows of this client: {pid, pages, session, joined}. */
function about(client) {
  client.says('me');
  return client.hearsOf('you');
}

for (const [how, args] of [
  ['by itself', ''],
  ['by the settings', '--shared /shared.py'],
])
  for (const threads of [1, 4])
    describe(`a program that is shared ${how}, with ${threads} workers`, () => {
      let server;
      before(async () => (server = await start(args, { threads })));
      after(() => end(server));

      test('one process answers all requests', async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => visitor.asks(server.at('shared?pid'))),
        );
        const [first, ...others] = answers.map(({ status, body }) => `${status} ${body}`);
        assert.deepEqual(new Set(others), new Set([first]), server.log.join('\n'));
        await server.hasMetric('shared_programs', 1);
        await server.hasChildren(1); // those that came at the same time have been let go
      });

      test('a page is made, and its session talks with the process', async () => {
        const page = await Page.loads(server, 'shared/room?x');
        assert.equal(page.answer.status, 200);
        const meta = `<meta name="httpsocket-session" content="${page.session}">`;
        assert.ok(page.answer.body.startsWith(`<!doctype html>${meta}<title>`), page.answer.body);
        await page.connect();
        const attached = await page.next();
        assert.equal(attached, 'attached ' + (await about(page)).pages);
        const { session, joined } = await about(page);
        assert.equal(session, page.session);
        const { method, script, pathInfo, query, origin, address } = joined;
        assert.equal(joined.page, true);
        assert.deepEqual([method, script, pathInfo, query], ['GET', '/shared', '/room', 'x']);
        assert.deepEqual([origin, address], [server.url, '127.0.0.1']);
        await talks(page);
      });

      async function talks(page) {
        page.says('echo {"ø":[1,null]}');
        await page.hears('echo {"\\u00f8":[1,null]}');
        const bytes = randomBytes(300_000);
        page.saysBytes('echo', bytes);
        await page.hearsBytes('echo', bytes);
        page.says('add?7 [1,2,3]');
        assert.equal(await page.hears(/^=/), '=7 6');
        await page.cuts();
        await page.comesBack();
        assert.match(await page.hears(/^detached/), /^detached \d/);
        assert.match(await page.hears(/^attached/), /^attached \d/);
        await page.closes();
        await server.logged(/program\.stderr.*"leave client-closed"/);
      }

      test('bodies of requests, answers of any status, HEAD', async () => {
        const asks = (query, how) => visitor.asks(server.at(`shared${query}`), how);
        const body = 'abc'.repeat(100_000);
        const sent = await asks('', { method: 'POST', body });
        assert.equal(sent.body, [...body].reverse().join(''));
        const inChunks = (request) => (request.write('abc'), request.end('def'));
        const chunks = await asks('', { method: 'POST', body: inChunks });
        assert.equal(chunks.body, 'fedcba');
        const missing = await asks('?404');
        assert.deepEqual([missing.status, missing.body], [404, 'status 404\n']);
        assert.equal(missing.headers['session-id'], undefined);
        const head = await asks('?x', { method: 'HEAD' });
        assert.deepEqual([head.status, head.body], [200, '']);
        const described = await asks('/%ff?env', { headers: { 'X-Raw': 'a', 'x-raw': ['b'] } });
        assert.equal(JSON.parse(described.body).pathInfo, '/\ufffd');
      });

      test('clients without a page: let in, refused, and the plain form', async () => {
        const client = await join(server);
        assert.equal((await about(client)).joined.page, false);
        client.says('message "x"');
        await client.hears('message "x"');
        const denied = { code: 4403, reason: 'script-denied' };
        await assert.rejects(join(server, { query: '?403' }), denied);
        const plain = await openPlain(server.at('shared'));
        plain.send('to and fro');
        assert.deepEqual(await plain.next(), { text: 'to and fro' });
        plain.close();
        await plain.closed;
        await server.logged(/program\.stderr.*"leave \w+"/);
        await client.closes();
      });

      test('the same key finds the same session again', async () => {
        const key = newKey();
        const first = await join(server, { key, acknowledge: false });
        const again = await join(server, { key });
        assert.equal(first.session, again.session);
        assert.equal((await first.closed).code, 4000);
      });
    });

describe('a thousand sessions in one process', () => {
  const COUNT = 1000;
  const EACH = 12;
  const lines = (i) => Array.from({ length: EACH }, (_, n) => `echo "${i}/${n}"`);
  const heard = (client) => client.messages.filter((message) => message.startsWith('echo'));

  /** Says its lines, some at a time, and is cut in between. */
  async function talks(client, i, chance) {
    await client.hears(/^attached/);
    let sent = 0;
    while (sent < EACH) {
      const some = 1 + Math.floor(4 * chance());
      client.says(...lines(i).slice(sent, sent + some));
      sent = Math.min(EACH, sent + some);
      if (chance() > 0.3) continue;
      await client.cuts();
      const { received } = await client.connect();
      client.says(...lines(i).slice(received, sent));
    }
    while (heard(client).length < EACH) await once(client, 'message');
    assert.deepEqual(heard(client), lines(i));
  }

  test('cut at random: each message once and in order', async () => {
    const seed = Number(process.env.SEED ?? randomBytes(4).readUInt32LE());
    console.log(`SEED=${seed}`);
    const chance = random(seed);
    const server = await start('--shared /shared.py --shared-per-client 5000', { threads: 4 });
    const clients = [];
    while (clients.length < COUNT) clients.push(...(await joinMany(server, 50)));
    assert.equal(await server.metric('shared_programs'), 1);
    assert.equal(await server.metric('shared_pages'), COUNT);
    await Promise.all(clients.map((client, i) => talks(client, i, chance)));
    clients[0].says('all "hello, all"');
    await Promise.all(clients.map((client) => client.hears('said "hello, all"')));
    assert.equal(resources(server.pid).children.length, 1);
    assert.equal(await server.metric('shared_late_lines_total'), 0);
    for (const client of clients) client.ws.close(1001);
    await server.hasMetric('shared_pages', 0);
    await end(server);
  }, 200);
});

describe('what goes wrong', () => {
  let server;
  before(async () => (server = await start('--message-max 64K --log-level debug')));
  after(() => end(server));

  for (const [what, raw] of [
    ['no JSON', '@SESSION hello {\n'],
    ['a name that is none', '@SESSION Traceback (most recent call last):\n'],
    ['no UTF-8, as \\ud800', '@SESSION x "\\ud800\u0007"\n'],
    ['a command that nobody knows', '@SESSION .dance {}\n'],
    ['a wrong `.answer`', '@SESSION .answer {"no":1}\n'],
  ])
    test(`a wrong line costs its session, not the others: ${what}`, async () => {
      const [bad, good] = [await join(server), await join(server)];
      bad.says(`raw ${JSON.stringify(raw)}`);
      await bad.isClosed(4500, 'program-failed reason=protocol');
      good.says('echo 1');
      await good.hears('echo 1');
      await good.closes();
      const line = await server.logged(/program\.(protocol_error|unsupported)/);
      assert.ok(!line.includes(bad.session), line);
    });

  for (const [what, raw] of [
    ['no @SESSION', 'hello 1\n'],
    ['bytes without an end', '@SESSION hello @3\nabcd\n'],
    ['a length that is none', '@SESSION hello @x\n'],
    ["a session that can't be", `@${'s'.repeat(65)} hello\n`],
    ['a line that never ends', { endless: 70_000 }],
    ["a page's command without a page", '.dom {"op":"title"}\n'],
  ])
    test(`where nobody knows whose line it is, all end, and the next request finds a new process: ${what}`, async () => {
      // Of its own, since it is held back after a failure.
      const own = await start('--message-max 64K');
      const clients = await joinMany(own, 3);
      const { pid } = await about(clients[0]);
      clients[0].says(`raw ${JSON.stringify(raw)}`);
      for (const client of clients) await client.isClosed(4500, 'program-failed reason=protocol');
      assert.notEqual((await about(await joinAgain(own))).pid, pid);
      await end(own);
    });

  test('a line for a session that is not (any more) is passed over and counted', async () => {
    const client = await joinAgain(server);
    const before = await server.metric('shared_late_lines_total');
    client.says(`raw ${JSON.stringify('@nobody hello 1\n@nobody {\n@SESSION echo 2\n')}`);
    await client.hears('echo 2');
    assert.equal((await server.metric('shared_late_lines_total')) - before, 2);
    await client.closes();
  });

  test('.close ends one session', async () => {
    const [one, other] = [await join(server), await join(server)];
    one.says('close "game-over"');
    await one.isClosed(1000, 'game-over');
    assert.ok((await about(other)).pid > 0);
  });
});

test('.shared comes first, and with a number that makes sense', async () => {
  const page = (lines) =>
    program(`#!/usr/bin/env python3\nimport os,time\n${lines}\ntime.sleep(10)\n`);
  const server = await start('', {
    'late.py': page(
      'os.write(1,b"Content-Type: text/html\\n\\nx");os.write(3,b"x 1\\n.shared\\n");os.close(1)',
    ),
    'wrong.py': page('os.write(3,b\'.shared {"processes":0}\\n\')'),
  });
  assert.ok((await Page.loads(server, 'late')).session);
  await server.logged(/program\.protocol_error.*late\.py.*before anything else/);
  await new SessionClient(server.at('wrong')).isRefused();
  await server.logged(/program\.protocol_error.*wrong\.py.*expected \.shared/);
  await end(server);
});

describe('its end', () => {
  test('all sessions are told how it ended; a program that fails at once is held back', async () => {
    const server = await start();
    const clients = await joinMany(server, 2);
    const { pid } = await about(clients[0]);
    clients[0].says('exit 3');
    for (const client of clients) await client.isClosed(4500, 'program-failed status=3');
    const { status, headers } = await visitor.asks(server.at('shared?pid'));
    assert.deepEqual([status, headers['retry-after']], [503, '1']);
    await assert.rejects(join(server), { code: 1013, reason: 'overload retry=1' });
    const next = await joinAgain(server);
    assert.notEqual((await about(next)).pid, pid);
    next.says('kill 9');
    await next.isClosed(4500, 'program-failed signal=9');
    await server.logged(/program\.held_back.*seconds=2/);
    assert.ok((await server.metric('shared_held_back_total')) >= 2);
    await end(server);
  });

  test('a page that waits for its answer gets 502', async () => {
    const server = await start('--shared /shared.py');
    const client = await join(server);
    const waiting = visitor.asks(server.at('shared?silent'));
    await server.logged(/program\.joined.*(\n|$)/);
    await until(async () => (await about(client)).pages === 2);
    client.says('exit 0');
    assert.equal((await waiting).status, 502);
    await client.isClosed(1000, 'program-exit');
    await end(server);
  });

  test('without a page it is let go after a while, and the next page has a new one', async () => {
    const server = await start('--shared-idle 200ms');
    const client = await join(server);
    const { pid } = await about(client);
    client.says('.close {"reason":"enough"}');
    await server.logged(/program\.retired/);
    await server.logged(/"end of file 0"/);
    await server.hasChildren(0);
    assert.notEqual((await about(await join(server))).pid, pid);
    await end(server);
  });

  test('--dev: a changed file has a new process, and its pages load again', async () => {
    const server = await start('--dev --shared /shared.py');
    const page = await Page.opens(server, 'shared');
    const { pid } = await about(page);
    page.says('stderr "a word for the developer"');
    await until(() => page.control.some((text) => /^\.stderr .*a word for the dev/.test(text)));
    const file = (folder) => path.join(folder, 'shared.py');
    const changed = fs.readFileSync(file(PROGRAMS), 'utf8').replace('<title>Shared', '<title>New');
    fs.writeFileSync(file(server.root), changed);
    await page.isClosed(1000, 'file-changed');
    const next = await Page.opens(server, 'shared');
    assert.match(next.answer.body, /<title>New/);
    assert.notEqual((await about(next)).pid, pid);
    await end(server);
  });

  test('SIGTERM: pages are told, and the process sees its end after them', async () => {
    const server = await start();
    const clients = await joinMany(server, 2);
    server.child.kill('SIGTERM');
    for (const client of clients) await client.isClosed(1012, 'draining retry=5');
    await server.logged(/"end of file 0"/);
    await end(server);
  });
});

describe('who is slower', () => {
  const BOUNDS = '--shared /shared.py --buffer-max 64K --window 64K';
  const paused = async (server) => {
    const client = await join(server);
    await about(client);
    client.acknowledge = false;
    client.ws.pause();
    return client;
  };
  const echoes = async (client) => {
    client.says('echo "here"');
    await client.hears('echo "here"');
  };

  test('a page that takes no more is .full, the others go on, and it loses nothing', async () => {
    const server = await start(`${BOUNDS} --shared-page-max 16M`);
    const [slow, quick] = [await paused(server), await join(server)];
    quick.says('to_others {"count":200,"size":5000}');
    await server.logged(/program\.stderr.*line=full/);
    for (let i = 0; i < 50; i++) {
      quick.says(`echo ${i}`);
      await quick.hears(`echo ${i}`);
    }
    slow.acknowledge = true;
    slow.ws.resume();
    for (let i = 0; i < 200; i++) assert.equal((await slow.hears(/^flood/)).body.length, 5000);
    await server.logged(/program\.stderr.*line=ready/);
    assert.equal(await server.metric('shared_overflows_total'), 0);
    await end(server);
  });

  test('a program that writes on to it loses that session, and no other', async () => {
    const server = await start(`${BOUNDS} --shared-page-max 1M`);
    const [slow, quick] = [await paused(server), await join(server)];
    quick.says('to_others {"count":1000,"size":5000}');
    await server.logged(/program\.overflow/);
    slow.ws.resume();
    await slow.isClosed(4500, 'program-failed reason=overflow');
    await echoes(quick);
    assert.equal(await server.metric('shared_overflows_total'), 1);
    await end(server);
  });

  test('all together have a bound as well: the one with most goes', async () => {
    const server = await start(`${BOUNDS} --shared-page-max 1G --shared-max 4M`);
    // In this order the program writes to them.
    const slow = [await paused(server), await paused(server), await paused(server)];
    slow[0].ws.resume();
    slow[0].says('flood {"count":10,"size":5000}');
    for (let i = 0; i < 10; i++) await slow[0].hears(/^flood/);
    slow[0].ws.pause();
    const quick = await join(server);
    quick.says('to_others {"count":300,"size":5000}');
    await server.logged(/program\.overflow/);
    slow[0].ws.resume();
    assert.equal((await slow[0].closed).code, 4500);
    await echoes(quick);
    assert.equal(await server.metric('shared_overflows_total'), 1);
    await end(server);
  });

  test('a client that is slow to take its answer holds up nobody', async () => {
    const server = await start(`${BOUNDS} --shared-page-max 64M`);
    const { response: slow } = await visitor.begins(server.at('shared?large&400')); // 26 MB
    await server.logged(/program\.stderr.*line=full/);
    await echoes(await join(server));
    let bytes = 0;
    for await (const part of slow) bytes += part.length;
    assert.equal(bytes, 400 * 65536);
    await end(server);
  });

  test('a program that does not read makes the pages wait, and nothing is lost', async () => {
    const server = await start(BOUNDS);
    const clients = await joinMany(server, 3);
    clients[0].says('sleep 0.5');
    const bytes = randomBytes(20_000);
    const manyBytes = async (client) => {
      for (let i = 0; i < 3; i++) client.saysBytes('echo', bytes);
      for (let i = 0; i < 3; i++) await client.hearsBytes('echo', bytes);
    };
    await Promise.all(clients.map(manyBytes));
    const plain = await openPlain(server.at('shared'));
    clients[0].says('sleep 0.5');
    for (let i = 0; i < 200; i++) plain.send(`${i} ${'x'.repeat(20_000)}`);
    for (let i = 0; i < 200; i++) assert.ok((await plain.next()).text.startsWith(`${i} x`));
    await end(server);
  });
});

describe('a pool', () => {
  const pidsOf = async (clients) => {
    const all = [];
    for (const client of clients) all.push((await about(client)).pid);
    return new Set(all);
  };

  test('as many processes as the settings say, over all workers, and the pages spread over them', async () => {
    const server = await start('--shared /shared.py=3', { threads: 2 });
    const pids = await pidsOf(await joinMany(server, 60));
    assert.equal(pids.size, 3);
    assert.equal(await server.metric('shared_programs'), 3);
    for (let i = 0; i < 30; i++) {
      const { body } = await visitor.asks(server.at('shared?pid'));
      assert.ok(pids.has(Number(body)), body);
    }
    const key = newKey();
    const first = await join(server, { key, acknowledge: false });
    assert.equal(first.session, (await join(server, { key })).session);
    await end(server);
  });

  test('that the program asks for itself', async () => {
    const server = await start('', { threads: 3 });
    const query = '?{%22processes%22:2}';
    const clients = await Promise.all(Array.from({ length: 12 }, () => join(server, { query })));
    assert.equal((await pidsOf(clients)).size, 2);
    await end(server);
  });
});

test('shared-per-client: no more pages for one address; sessions-max too', async () => {
  const server = await start('--shared /shared.py --shared-per-client 3');
  const clients = await joinMany(server, 3);
  await assert.rejects(join(server), { code: 1013 });
  assert.equal((await visitor.asks(server.at('shared'))).status, 503);
  await clients[0].closes();
  assert.ok((await about(await joinAgain(server))).pages <= 3);
  assert.ok((await server.metric('programs_refused_total')) >= 2);
  await end(server);
});

test('a program that is no program: 500, and 4502', async () => {
  const broken = program('#!/no/such/interpreter\n');
  const server = await start('--shared /broken', { broken });
  assert.equal((await visitor.asks(server.at('broken'))).status, 500);
  await new SessionClient(server.at('broken')).isRefused({ code: 4502 });
  await end(server);
});
