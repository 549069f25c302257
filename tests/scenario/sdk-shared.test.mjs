// SPDX-License-Identifier: MIT
// sdk-shared.test.mjs - one process for many pages, by the helpers that have it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { openTold } from '../lib/conversation.mjs';
import { request } from '../lib/request.mjs';
import { BUILD, makeRoot, REPO, resources, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const FLOOD = 2000;

for (const [file, args] of [
  ['shared.py', []],
  ['shared.py', ['--shared', '/shared.py']],
  ['shared.mjs', []],
  ['shared.mjs', ['--shared', '/shared.mjs']],
]) {
  describe(`${file} ${args.join(' ')}`, () => {
    let site, server;
    before(async () => {
      const text = fs.readFileSync(path.join(REPO, 'tests/scenario/sdk', file));
      site = makeRoot({ [file]: { text, mode: 0o755 } });
      server = await startServer({
        root: site.root,
        threads: 1,
        args: [...args, '--rate-programs', 'off', '--buffer-max', '64K'],
      });
    });
    after(async () => {
      SessionClient.dropAll();
      await server?.stop();
      site?.remove();
    });

    const open = (query = '', options = {}) => openTold(server.at(`${file}${query}`), options);
    const total = async (client, n) => {
      client.says(`add ${n}`);
      return JSON.parse((await client.hears(/^total/)).slice(6));
    };

    test('two pages have one process, and each its own state', async () => {
      const { answer, client: first } = await open('?name=%3Cone%3E');
      assert.match(answer.body, /<title>&lt;one&gt; <\/title>/);
      const { client: second } = await open();
      const [one, pid] = await total(first, 1);
      const [ten, same, pages] = await total(second, 10);
      assert.deepEqual([one, ten, same, pages], [1, 10, pid, 2]);
      assert.equal((await total(first, 1))[0], 2);
      await first.cut();
      await first.connect();
      await first.hearsNext('told ["attach",true]');
      first.send('say "hei"');
      assert.equal(await first.next(/^said/), 'said "hei"');
      assert.equal(await second.next(/^said/), 'said "hei"');
      await first.closes();
      await server.logged(/left 2/);
      assert.equal((await total(second, 1))[2], 1);
      await second.closes();
    });

    test('a posted form, a refusal, a page that fails', async () => {
      const body = 'field=a+b';
      const headers = {
        'Content-Type': 'application/x-www-form-urlencoded',
        'Content-Length': body.length,
      };
      const { answer, client } = await open('', { method: 'POST', body, headers });
      assert.match(answer.body, /<title> a b<\/title>/);
      await client.closes();
      const refused = await request(server.at(`${file}?refuse=1`));
      assert.deepEqual([refused.status, refused.body], [403, 'not you\n']);
      const crashed = await request(server.at(`${file}?crash=1`));
      assert.deepEqual([crashed.status, crashed.body], [500, 'the program failed\n']);
      await server.logged(/a page that can't be made/);
    });

    test('calls both ways, topics and byte streams belong to their page', async () => {
      const { client: first } = await open();
      const { client: second } = await open();
      first.send('double?7 21');
      await first.hearsNext('=7 42');
      for (const client of [first, second]) client.says('ask "name"');
      const ids = [first, second].map(
        async (client) => /^name\?(\d+)/.exec(await client.hears(/^name/))[1],
      );
      first.send(`=${await ids[0]} "one"`);
      second.send(`!${await ids[1]} {"message":"two"}`);
      assert.equal(await first.next(/^asked/), 'asked "one"');
      assert.equal(await second.next(/^asked/), 'asked "two"');
      first.send('join "b"');
      assert.equal(await first.next(/^heard/), 'heard 0');
      second.send('join "b"');
      assert.equal(await first.next(/^heard/), 'heard 0');
      assert.equal(await second.next(/^heard/), 'heard 0');
      const streams = new Streams(second, { window: 65536 });
      await second.cut();
      await second.connect();
      const bytes = randomBytes(50_000);
      const stream = streams.open({ kind: 'stream', name: 'upload' });
      await stream.opened;
      await stream.write(bytes);
      stream.finish();
      const parts = [];
      for (let part; (part = await stream.read(65536)).length;) parts.push(part);
      assert.ok(Buffer.concat(parts).equals(bytes));
      await first.closes();
      await second.closes();
    });

    test('a page that takes nothing makes only its own functions wait', async () => {
      const { client: slow } = await open();
      const { client: quick } = await open();
      slow.acknowledge = false;
      slow.send(`flood ${FLOOD}`);
      await slow.next(/^n /);
      for (let i = 0; i < 20; i++) assert.equal((await total(quick, 1))[0], i + 1);
      slow.acknowledge = true;
      await slow.cut();
      await slow.connect();
      await until(
        () => slow.messages.filter((m) => m.startsWith('n ')).length === FLOOD,
        () => `${slow.messages.length}`,
      );
      const numbers = slow.messages
        .filter((m) => m.startsWith('n '))
        .map((m) => JSON.parse(m.slice(2))[0]);
      assert.deepEqual(
        numbers,
        Array.from({ length: FLOOD }, (_, i) => i),
      );
      await slow.closes();
      await quick.closes();
    });

    test('the process ends by itself when the server does', async () => {
      const pids = resources(server.pid).children;
      assert.ok(pids.length >= 1);
      await server.stop();
      assert.ok(
        server.log.some((line) => /program\.stderr.*ended/.test(line)),
        server.log.slice(-10).join('\n'),
      );
      assert.ok(!server.log.some((line) => line.includes('program.signalled')));
    });
  });
}

test('in C: each message says its page, and what is sent goes to that one', async () => {
  const site = makeRoot({
    shared: { text: fs.readFileSync(path.join(BUILD, 'tests/scenario/sdk/shared')), mode: 0o755 },
  });
  const server = await startServer({ root: site.root, threads: 1 });
  try {
    const pages = [await openPage(server.at('shared')), await openPage(server.at('shared'))];
    for (const { answer, client } of pages) {
      assert.match(answer.body, /<title>C<\/title>/);
      await client.connect();
    }
    const [first, second] = pages.map(({ client }) => client);
    first.send('add 1');
    const [one, pid] = JSON.parse((await first.next()).slice(6));
    second.send('add 10');
    assert.deepEqual([one, JSON.parse((await second.next()).slice(6))], [1, [11, pid]]);
    second.send('double?7 21');
    await second.hearsNext('=7 42');
    first.sendBytes('same', Buffer.from('a\nb@1'));
    assert.equal((await first.next()).body.toString(), 'a\nb@1');
    first.send('nobody?8');
    await first.hearsNext('!8 {"message":"no function for nobody"}');
    first.send('.close');
    await server.logged(new RegExp(`left ${first.session}`));
    second.send('add 1');
    await second.hearsNext(`total [12,${pid}]`);
  } finally {
    SessionClient.dropAll();
    await server.stop();
    site.remove();
  }
});
