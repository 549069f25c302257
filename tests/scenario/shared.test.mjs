// SPDX-License-Identifier: MIT
// shared.test.mjs - one process for many pages (docs/page-programs/shared.md).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test as testOf } from 'node:test';
import { openPlain } from '../lib/plain-client.mjs';
import { random } from '../lib/proxy.mjs';
import { begin, request } from '../lib/request.mjs';
import { adminOf, makeRoot, REPO, resources, startServer } from '../lib/server.mjs';
import { newKey, openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const PROGRAM = path.join(REPO, 'tests/scenario/programs/shared.py');
const OPEN = [
  '--rate-programs',
  'off',
  '--rate-client',
  'off',
  '--rate-origin',
  'off',
  '--admin',
  '127.0.0.1:0',
  '--eof-grace',
  '500ms',
  '--term-grace',
  '500ms',
  '--goodbye-timeout',
  '200ms',
  '--detach-timeout',
  '20s',
];
const ok = { code: 0, signal: null };
const running = new Set();
after(() => Promise.all([...running].map((server) => server.stop('SIGKILL')))); // of tests that failed

const test = (name, run, seconds = 30) => testOf(name, { timeout: seconds * 1000 }, run);

/** A server whose ROOT holds the program as `shared.py`; its `end()` also checks that nothing is left. */
async function start(args = [], { threads = 2, ...files } = {}) {
  const folder = makeRoot({
    'shared.py': { text: fs.readFileSync(PROGRAM, 'utf8'), mode: 0o755 },
    ...files,
  });
  const server = await startServer({ root: folder.root, args: [...OPEN, ...args], threads });
  server.at = `${server.url}/shared`;
  server.file = path.join(folder.root, 'shared.py');
  server.metric = async (name) => {
    const text = await (await fetch(`${await adminOf(server)}/metrics`)).text();
    return Number(new RegExp(`^httpsocket_${name} (\\d+)$`, 'm').exec(text)[1]);
  };
  running.add(server);
  server.end = async () => {
    running.delete(server);
    SessionClient.dropAll();
    assert.deepEqual(await server.stop(), ok, server.log.slice(-30).join('\n'));
    folder.remove();
    assert.deepEqual(
      server.log.filter((line) => /ERROR: AddressSanitizer|runtime error/.test(line)),
      [],
    );
  };
  return server;
}

async function join(server, { query = '', ...options } = {}) {
  const client = new SessionClient(server.at + query, options);
  await client.connect();
  return client;
}

const json = (message) => JSON.parse(message.slice(message.indexOf(' ') + 1));

async function about(client) {
  client.send('me');
  return json(await client.next(/^you /));
}

for (const [how, args] of [
  ['by itself', []],
  ['by the settings', ['--shared', '/shared.py']],
])
  for (const threads of [1, 4])
    describe(`a program that is shared ${how}, with ${threads} workers`, () => {
      let server;
      before(async () => (server = await start(args, { threads })));
      after(() => server.end());

      test('one process answers all requests', async () => {
        const pids = await Promise.all(
          Array.from({ length: 20 }, () => request(`${server.at}?pid`)),
        );
        assert.equal(new Set(pids.map(({ status, body }) => `${status} ${body}`)).size, 1);
        await until(async () => (await server.metric('shared_programs')) === 1);
        await until(() => resources(server.pid).children.length === 1); // those that came at the same time have been let go
      });

      test('a page is made, and its session talks with the process', async () => {
        const { answer, client } = await openPage(`${server.at}/room?x`);
        assert.equal(answer.status, 200);
        assert.match(
          answer.body,
          new RegExp(
            `^<!doctype html><meta name="httpsocket-session" content="${answer.headers['session-id']}"><title>`,
          ),
        );
        await client.connect();
        assert.equal(await client.next(), 'attached ' + (await about(client)).pages);
        const { session, joined } = await about(client);
        assert.equal(session, client.session);
        assert.deepEqual(
          [
            joined.page,
            joined.method,
            joined.script,
            joined.pathInfo,
            joined.query,
            joined.origin,
            joined.address,
          ],
          [true, 'GET', '/shared', '/room', 'x', server.url, '127.0.0.1'],
        );
        client.send('echo {"ø":[1,null]}');
        assert.equal(await client.next(/^echo/), 'echo {"\\u00f8":[1,null]}');
        const bytes = randomBytes(300_000);
        client.sendBytes('echo', bytes);
        assert.ok((await client.next(/^echo/)).body.equals(bytes));
        client.send('add?7 [1,2,3]');
        assert.equal(await client.next(/^=/), '=7 6');
        await client.cut();
        await client.connect();
        assert.match(await client.next(/^detached/), /^detached \d/);
        assert.match(await client.next(/^attached/), /^attached \d/);
        client.send('.close {"reason":"over"}');
        await client.closed;
        await server.logged(/program\.stderr.*"leave client-closed"/);
      });

      test('bodies of requests, answers of any status, HEAD', async () => {
        const body = 'abc'.repeat(100_000);
        const sent = await request(server.at, { method: 'POST', body });
        assert.equal(sent.body, [...body].reverse().join(''));
        const chunks = await request(server.at, {
          method: 'POST',
          body: (request) => (request.write('abc'), request.end('def')),
        });
        assert.equal(chunks.body, 'fedcba');
        const missing = await request(`${server.at}?404`);
        assert.deepEqual(
          [missing.status, missing.body, missing.headers['session-id']],
          [404, 'status 404\n', undefined],
        );
        const head = await request(`${server.at}?x`, { method: 'HEAD' });
        assert.deepEqual([head.status, head.body], [200, '']);
        const { body: described } = await request(`${server.at}/%ff?env`, {
          headers: { 'X-Raw': 'a', 'x-raw': ['b'] },
        });
        assert.equal(JSON.parse(described).pathInfo, '/\ufffd');
      });

      test('clients without a page: let in, refused, and the plain form', async () => {
        const client = await join(server);
        assert.equal((await about(client)).joined.page, false);
        client.send('message "x"');
        assert.equal(await client.next(/^message/), 'message "x"');
        await assert.rejects(join(server, { query: '?403' }), {
          code: 4403,
          reason: 'script-denied',
        });
        const plain = await openPlain(server.at);
        plain.send('to and fro');
        assert.deepEqual(await plain.next(), { text: 'to and fro' });
        plain.close();
        await plain.closed;
        await server.logged(/program\.stderr.*"leave \w+"/);
        client.send('.close {"reason":"enough"}');
        await client.closed;
      });

      test('the same key finds the same session again', async () => {
        const key = newKey();
        const first = await join(server, { key, acknowledge: false });
        const again = await join(server, { key });
        assert.equal(first.session, again.session);
        assert.equal((await first.closed).code, 4000);
      });
    });

test('a thousand sessions in one process, cut at random: each message once and in order', async () => {
  const COUNT = 1000;
  const EACH = 12;
  const seed = Number(process.env.SEED ?? randomBytes(4).readUInt32LE());
  console.log(`SEED=${seed}`);
  const chance = random(seed);
  const server = await start(['--shared', '/shared.py', '--shared-per-client', '5000'], {
    threads: 4,
  });
  const clients = [];
  for (let i = 0; i < COUNT; i += 50)
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => join(server)))));
  assert.equal(await server.metric('shared_programs'), 1);
  assert.equal(await server.metric('shared_pages'), COUNT);
  await Promise.all(
    clients.map(async (client, i) => {
      await client.next(/^attached/);
      const base = () => client.messages.filter((message) => !message.startsWith('echo')).length;
      let sent = 0;
      while (sent < EACH) {
        for (let n = 1 + Math.floor(4 * chance()); n > 0 && sent < EACH; n--)
          client.send(`echo "${i}/${sent++}"`);
        if (chance() > 0.3) continue;
        await client.cut();
        const { received } = await client.connect();
        for (let k = received; k < sent; k++) client.send(`echo "${i}/${k}"`);
      }
      while (client.messages.length - base() < EACH) await once(client, 'message');
      assert.deepEqual(
        client.messages.filter((message) => message.startsWith('echo')),
        Array.from({ length: EACH }, (_, k) => `echo "${i}/${k}"`),
      );
    }),
  );
  clients[0].send('all "hello, all"');
  await Promise.all(clients.map((client) => client.next(/^said "hello, all"$/)));
  assert.equal(resources(server.pid).children.length, 1);
  assert.equal(await server.metric('shared_late_lines_total'), 0);
  for (const client of clients) client.ws.close(1001);
  await until(async () => (await server.metric('shared_pages')) === 0);
  await server.end();
}, 200);

describe('what goes wrong', () => {
  let server;
  before(async () => (server = await start(['--message-max', '64K', '--log-level', 'debug'])));
  after(() => server.end());

  for (const [what, raw] of [
    ['no JSON', '@SESSION hello {\n'],
    ['a name that is none', '@SESSION Traceback (most recent call last):\n'],
    ['no UTF-8, as \\ud800', '@SESSION x "\\ud800\u0007"\n'],
    ['a command that nobody knows', '@SESSION .dance {}\n'],
    ['a wrong `.answer`', '@SESSION .answer {"no":1}\n'],
  ])
    test(`a wrong line costs its session, not the others: ${what}`, async () => {
      const [bad, good] = [await join(server), await join(server)];
      bad.send(`raw ${JSON.stringify(raw)}`);
      assert.deepEqual(await bad.closed, { code: 4500, reason: 'program-failed reason=protocol' });
      good.send('echo 1');
      assert.equal(await good.next(/^echo/), 'echo 1');
      good.send('.close {"reason":"enough"}');
      await good.closed;
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
      const own = await start(['--message-max', '64K']); // of its own, since it is held back after a failure
      const clients = await Promise.all([join(own), join(own), join(own)]);
      const { pid } = await about(clients[0]);
      clients[0].send(`raw ${JSON.stringify(raw)}`);
      for (const client of clients)
        assert.deepEqual(await client.closed, {
          code: 4500,
          reason: 'program-failed reason=protocol',
        });
      const next = await until(() => join(own).catch(() => null));
      assert.notEqual((await about(next)).pid, pid);
      await own.end();
    });

  test('a line for a session that is not (any more) is passed over and counted', async () => {
    const client = await until(() => join(server).catch(() => null));
    const before = await server.metric('shared_late_lines_total');
    client.send(`raw ${JSON.stringify(`@nobody hello 1\n@nobody ${'{'}\n@SESSION echo 2\n`)}`);
    assert.equal(await client.next(/^echo/), 'echo 2');
    assert.equal((await server.metric('shared_late_lines_total')) - before, 2);
    client.send('.close {"reason":"enough"}');
    await client.closed;
  });

  test('.close ends one session', async () => {
    const [one, other] = [await join(server), await join(server)];
    one.send('close "game-over"');
    assert.deepEqual(await one.closed, { code: 1000, reason: 'game-over' });
    assert.ok((await about(other)).pid > 0);
  });
});

test('.shared comes first, and with a number that makes sense', async () => {
  const page = (lines) => ({
    text: `#!/usr/bin/env python3\nimport os,time\n${lines}\ntime.sleep(10)\n`,
    mode: 0o755,
  });
  const server = await start([], {
    'late.py': page(
      'os.write(1,b"Content-Type: text/html\\n\\nx");os.write(3,b"x 1\\n.shared\\n");os.close(1)',
    ),
    'wrong.py': page('os.write(3,b\'.shared {"processes":0}\\n\')'),
  });
  const { session } = await openPage(`${server.url}/late`);
  assert.ok(session);
  await server.logged(/program\.protocol_error.*late\.py.*before anything else/);
  await assert.rejects(new SessionClient(`${server.url}/wrong`).connect());
  await server.logged(/program\.protocol_error.*wrong\.py.*expected \.shared/);
  await server.end();
});

describe('its end', () => {
  test('all sessions are told how it ended; a program that fails at once is held back', async () => {
    const server = await start();
    let clients = await Promise.all([join(server), join(server)]);
    const { pid } = await about(clients[0]);
    clients[0].send('exit 3');
    for (const client of clients)
      assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed status=3' });
    const refused = await request(`${server.at}?pid`);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '1');
    await assert.rejects(join(server), { code: 1013, reason: 'overload retry=1' });
    const next = await until(() => join(server).catch(() => null));
    assert.notEqual((await about(next)).pid, pid);
    next.send('kill 9');
    assert.deepEqual(await next.closed, { code: 4500, reason: 'program-failed signal=9' });
    await server.logged(/program\.held_back.*seconds=2/);
    assert.ok((await server.metric('shared_held_back_total')) >= 2);
    await server.end();
  });

  test('a page that waits for its answer gets 502', async () => {
    const server = await start(['--shared', '/shared.py']);
    const client = await join(server);
    const waiting = request(`${server.at}?silent`);
    await server.logged(/program\.joined.*(\n|$)/);
    await until(async () => (await about(client)).pages === 2);
    client.send('exit 0');
    assert.equal((await waiting).status, 502);
    assert.deepEqual(await client.closed, { code: 1000, reason: 'program-exit' });
    await server.end();
  });

  test('without a page it is let go after a while, and the next page has a new one', async () => {
    const server = await start(['--shared-idle', '200ms']);
    const client = await join(server);
    const { pid } = await about(client);
    client.send('.close {"reason":"enough"}');
    await server.logged(/program\.retired/);
    await server.logged(/"end of file 0"/);
    await until(() => resources(server.pid).children.length === 0);
    assert.notEqual((await about(await join(server))).pid, pid);
    await server.end();
  });

  test('--dev: a changed file has a new process, and its pages load again', async () => {
    const server = await start(['--dev', '--shared', '/shared.py']);
    const { client } = await openPage(server.at);
    await client.connect();
    const { pid } = await about(client);
    client.send('stderr "a word for the developer"');
    await until(() =>
      client.control.some(
        (text) => text.startsWith('.stderr ') && text.includes('a word for the developer'),
      ),
    );
    fs.writeFileSync(
      server.file,
      fs.readFileSync(PROGRAM, 'utf8').replace('<title>Shared', '<title>Changed'),
    );
    assert.deepEqual(await client.closed, { code: 1000, reason: 'file-changed' });
    const { answer, client: next } = await openPage(server.at);
    assert.match(answer.body, /<title>Changed/);
    await next.connect();
    assert.notEqual((await about(next)).pid, pid);
    await server.end();
  });

  test('SIGTERM: pages are told, and the process sees its end after them', async () => {
    const server = await start();
    const clients = await Promise.all([join(server), join(server)]);
    server.child.kill('SIGTERM');
    for (const client of clients)
      assert.deepEqual(await client.closed, { code: 1012, reason: 'draining retry=5' });
    await server.logged(/"end of file 0"/);
    await server.end();
  });
});

describe('who is slower', () => {
  const BOUNDS = ['--shared', '/shared.py', '--buffer-max', '64K', '--window', '64K'];
  const paused = async (server) => {
    const client = await join(server);
    await about(client);
    client.acknowledge = false;
    client.ws.pause();
    return client;
  };

  test('a page that takes no more is .full, the others go on, and it loses nothing', async () => {
    const server = await start([...BOUNDS, '--shared-page-max', '16M']);
    const [slow, quick] = [await paused(server), await join(server)];
    quick.send('to_others {"count":200,"size":5000}');
    await server.logged(/program\.stderr.*line=full/);
    for (let i = 0; i < 50; i++) {
      quick.send(`echo ${i}`);
      assert.equal(await quick.next(/^echo/), `echo ${i}`);
    }
    slow.acknowledge = true;
    slow.ws.resume();
    for (let i = 0; i < 200; i++) assert.equal((await slow.next(/^flood/)).body.length, 5000);
    await server.logged(/program\.stderr.*line=ready/);
    assert.equal(await server.metric('shared_overflows_total'), 0);
    await server.end();
  });

  test('a program that writes on to it loses that session, and no other', async () => {
    const server = await start([...BOUNDS, '--shared-page-max', '1M']);
    const [slow, quick] = [await paused(server), await join(server)];
    quick.send('to_others {"count":1000,"size":5000}');
    await server.logged(/program\.overflow/);
    slow.ws.resume();
    assert.deepEqual(await slow.closed, { code: 4500, reason: 'program-failed reason=overflow' });
    quick.send('echo "here"');
    assert.equal(await quick.next(/^echo/), 'echo "here"');
    assert.equal(await server.metric('shared_overflows_total'), 1);
    await server.end();
  });

  test('all together have a bound as well: the one with most goes', async () => {
    const server = await start([...BOUNDS, '--shared-page-max', '1G', '--shared-max', '4M']);
    const slow = [await paused(server), await paused(server), await paused(server)]; // in this order the program writes to them
    slow[0].ws.resume();
    slow[0].send('flood {"count":10,"size":5000}');
    for (let i = 0; i < 10; i++) await slow[0].next(/^flood/);
    slow[0].ws.pause();
    const quick = await join(server);
    quick.send('to_others {"count":300,"size":5000}');
    await server.logged(/program\.overflow/);
    slow[0].ws.resume();
    assert.equal((await slow[0].closed).code, 4500);
    quick.send('echo "here"');
    assert.equal(await quick.next(/^echo/), 'echo "here"');
    assert.equal(await server.metric('shared_overflows_total'), 1);
    await server.end();
  });

  test('a client that is slow to take its answer holds up nobody', async () => {
    const server = await start([...BOUNDS, '--shared-page-max', '64M']);
    const { response: slow } = await begin(`${server.at}?large&400`); // 26 MB
    await server.logged(/program\.stderr.*line=full/);
    const quick = await join(server);
    quick.send('echo "here"');
    assert.equal(await quick.next(/^echo/), 'echo "here"');
    let bytes = 0;
    for await (const part of slow) bytes += part.length;
    assert.equal(bytes, 400 * 65536);
    await server.end();
  });

  test('a program that does not read makes the pages wait, and nothing is lost', async () => {
    const server = await start(BOUNDS);
    const clients = await Promise.all([join(server), join(server), join(server)]);
    clients[0].send('sleep 0.5');
    const bytes = randomBytes(20_000);
    await Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < 3; i++) client.sendBytes('echo', bytes);
        for (let i = 0; i < 3; i++) assert.ok((await client.next(/^echo/)).body.equals(bytes));
      }),
    );
    const plain = await openPlain(server.at);
    clients[0].send('sleep 0.5');
    for (let i = 0; i < 200; i++) plain.send(`${i} ${'x'.repeat(20_000)}`);
    for (let i = 0; i < 200; i++) assert.ok((await plain.next()).text.startsWith(`${i} x`));
    await server.end();
  });
});

test('a pool: as many processes as the settings say, over all workers, and the pages spread over them', async () => {
  const server = await start(['--shared', '/shared.py=3'], { threads: 2 });
  const clients = await Promise.all(Array.from({ length: 60 }, () => join(server)));
  const seen = new Map();
  for (const client of clients) {
    const { pid } = await about(client);
    seen.set(pid, (seen.get(pid) ?? 0) + 1);
  }
  assert.equal(seen.size, 3);
  assert.equal(await server.metric('shared_programs'), 3);
  const pids = new Set();
  for (let i = 0; i < 30; i++) pids.add((await request(`${server.at}?pid`)).body);
  for (const pid of pids) assert.ok(seen.has(Number(pid)), pid);
  const key = newKey();
  assert.equal(
    (await join(server, { key, acknowledge: false })).session,
    (await join(server, { key })).session,
  );
  await server.end();
});

test('a pool that the program asks for itself', async () => {
  const server = await start([], { threads: 3 });
  const url = '?{%22processes%22:2}';
  const clients = await Promise.all(Array.from({ length: 12 }, () => join(server, { query: url })));
  const pids = new Set();
  for (const client of clients) pids.add((await about(client)).pid);
  assert.equal(pids.size, 2);
  await server.end();
});

test('shared-per-client: no more pages for one address; sessions-max too', async () => {
  const server = await start(['--shared', '/shared.py', '--shared-per-client', '3']);
  const clients = await Promise.all([join(server), join(server), join(server)]);
  await assert.rejects(join(server), { code: 1013 });
  assert.equal((await request(server.at)).status, 503);
  clients[0].send('.close {"reason":"enough"}');
  await clients[0].closed;
  const next = await until(() => join(server).catch(() => null));
  assert.ok((await about(next)).pages <= 3);
  assert.ok((await server.metric('programs_refused_total')) >= 2);
  await server.end();
});

test('a program that is no program: 500, and 4502', async () => {
  const server = await start(['--shared', '/broken'], {
    broken: { text: '#!/no/such/interpreter\n', mode: 0o755 },
  });
  assert.equal((await request(`${server.url}/broken`)).status, 500);
  await assert.rejects(new SessionClient(`${server.url}/broken`).connect(), { code: 4502 });
  await server.end();
});
