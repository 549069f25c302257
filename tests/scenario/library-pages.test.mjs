// SPDX-License-Identifier: MIT
// Pages whose program is a handler in C, of the installed library, over real sockets.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { Installed } from '../lib/installed.mjs';
import { openPlain } from '../lib/plain-client.mjs';
import { request } from '../lib/request.mjs';
import { REPO, makeRoot, startProgram } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { StatefulPage } from '../lib/stateful-page.mjs';
import { Streams } from '../lib/streams.mjs';
import { until } from '../lib/until.mjs';

let installed, program, example;

before(() => {
  installed = new Installed();
  program = installed.compiles(path.join(REPO, 'tests/scenario/library/pages.c'));
  example = installed.compiles(path.join(REPO, 'examples/lib/tally.c'));
});
after(() => installed.remove());

const start = (threads = 0, ...settings) =>
  startProgram(program, ['127.0.0.1:0', String(threads), ...settings]);
const ends = async (server) => {
  await server.ends();
  assert.equal(server.log.at(-1), 'left 0');
};

for (const threads of [0, 2])
  describe(`pages of a server with ${threads || 'no'} threads of its own`, () => {
    let server;
    before(async () => (server = await start(threads)));
    after(async () => {
      SessionClient.dropAll();
      await ends(server);
    });

    test('a page is answered, talks, and hears how it is connected', async () => {
      const page = await Page.opens(server, 'talk/7');
      assert.match(page.answer.body, /<meta name="httpsocket-session".*<title>GET \/talk\/7 7</);
      await page.hearsNext('told "open "');
      page.says('hello {"a":1}');
      await page.hearsNext('told "hello {\\"a\\":1}"');
      await page.cuts();
      await page.comesBack();
      await page.hearsNext('told "lost lost"', 'told "open resumed"');
      await page.closes();
    });

    test('calls go both ways, in parts, and later than the callback', async () => {
      const page = await Page.opens(server, 'talk/7');
      page.says('parts?1', 'later?2', 'nothing?3', 'ask "why"');
      await page.hears('+1 1', '+1 null', '=1 2', '!3 {"message":"no such call"}');
      await page.hears('question?1 "why"');
      page.says('=1 "so"');
      await until(() => page.heard('=2').length && page.heard('told').length > 1);
      assert.deepEqual(page.heard('=2'), ['=2 "late"']);
      assert.equal(page.heard('told')[1], 'told "answer \\"so\\""');
    });

    test('a call is answered after its page has gone, and nothing happens', async () => {
      const page = await Page.opens(server, 'talk/7');
      page.says('later?1', 'close');
      await page.isClosed(1000, 'enough');
      await server.logged(/^later: -\d+$/);
    });

    test('a handler that leaves ends its page at once', async () => {
      const page = await Page.opens(server, 'talk/7');
      page.says('leave');
      await page.isClosed(1000, 'program-exit');
    });

    test('a client without a page is let in, or refused by status', async () => {
      const direct = await SessionClient.connects(server, 'talk/8');
      await direct.hearsNext('told "open "');
      await assert.rejects(SessionClient.connects(server, 'talk/8?no'), { code: 4401 });
      const plain = await openPlain(server.at('echo'));
      plain.send('a "b"');
      assert.deepEqual(await plain.next(), { text: 'a "b"' });
      await plain.closes();
    });

    test('what one page publishes all pages of the topic hear, on any thread', async () => {
      const pages = await Promise.all([1, 2, 3, 4].map((n) => Page.opens(server, `talk/${n}`)));
      for (const page of pages) page.says('join');
      for (const page of pages) await page.isRead();
      await until(async () => {
        pages[0].says('say "x"');
        await pages[0].hears(/topic room said/);
        return pages.every((page) => page.heard('told').some((text) => /topic room/.test(text)));
      });
      assert.ok(pages[0].heard('told').some((text) => / self"$/.test(text)));
      assert.ok(!pages[1].heard('told').some((text) => / self"$/.test(text)));
    });

    test('a byte stream goes both ways, and another one is refused', async () => {
      const page = await Page.opens(server, 'talk/7');
      await page.cuts();
      const streams = new Streams(page);
      await page.comesBack();
      const stream = streams.open({ kind: 'stream', name: 'up' });
      assert.deepEqual(await stream.opened, { data: { ok: 1 } });
      await stream.writeAll(Buffer.alloc(30000, 'x'));
      stream.finish();
      assert.equal((await stream.readAll()).length, 30000);
      const refused = streams.open({ kind: 'stream', name: 'other' });
      await assert.rejects(refused.opened, { reason: 'not-wanted' });
    });

    test('an answer is streamed, a body is read, HEAD has none', async () => {
      assert.match((await request(server.at('slow'))).body, /<p>first<p>second$/);
      const posted = await request(server.at('post'), { method: 'POST', body: 'x'.repeat(300000) });
      assert.match(posted.body, />300000$/);
      const head = await request(server.at('talk/7'), { method: 'HEAD' });
      assert.deepEqual([head.status, head.body], [200, '']);
      assert.equal((await request(server.at('talk/7?no'))).status, 401);
    });

    test('a flood waits for its page, and all of it comes once and in order', async () => {
      const page = await Page.opens(server, 'flood', { acknowledge: true });
      await page.hears(/^n 100$/);
      await page.cuts();
      await page.comesBack();
      await page.hears(/^n 19999$/);
      assert.deepEqual(
        page.heard('n').map((text) => Number(text.slice(2))),
        Array.from({ length: 20000 }, (_, n) => n),
      );
    });
  });

test('a stop tells pages that the server goes, and their handlers', async () => {
  const server = await start();
  const page = await Page.opens(server, 'talk/7');
  const stopped = ends(server);
  assert.equal((await page.closed).code, 1012);
  await stopped;
  assert.equal(server.lines(/^closed draining retry=/).length, 1);
});

test('a state comes back as what it was saved as, bytes or JSON', async () => {
  const folder = makeRoot({
    key: { text: `${Buffer.alloc(32, 1).toString('base64')}\n`, mode: 0o600 },
  });
  const starts = (port) =>
    startProgram(program, [`127.0.0.1:${port}`, '0', `state-key=${path.join(folder.root, 'key')}`]);
  let server = await starts(0);
  const pages = await Promise.all([0, 1].map(() => StatefulPage.opens(server, 'keep')));
  pages[0].says('bytes');
  pages[1].says('json {"a":[1]}');
  for (const page of pages) await page.isSaved();
  await ends(server);
  server = await starts(server.port);
  for (const page of pages) await page.goesOn('deploy', server);
  await pages[0].hears('restored ["deploy",0,true,0]');
  await pages[0].hearsBytes('bytes', Buffer.from([0, 34, 255]));
  await pages[1].hears('restored ["deploy",0,false,{"a":[1]}]');
  await ends(server);
  folder.remove();
});

test('tally.c goes on from its state in the next process', async () => {
  const folder = makeRoot({
    key: { text: `${Buffer.alloc(32, 1).toString('base64')}\n`, mode: 0o600 },
  });
  const starts = (port) =>
    startProgram(example, [`127.0.0.1:${port}`, '0', path.join(folder.root, 'key')]);
  let server = await starts(0);
  const page = await StatefulPage.opens(server, '');
  await page.hears('.listen {"on":"click","select":"#more","as":"more"}');
  page.says('more {}', 'more {}');
  await page.hears(/^.dom .*"#count","text":"2"/);
  await page.isSaved();
  await server.ends();
  server = await starts(server.port);
  await page.goesOn('deploy', server);
  await page.hears('.dom {"select":"#count","text":"2"}');
  await server.ends();
  folder.remove();
});
