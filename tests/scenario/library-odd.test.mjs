// SPDX-License-Identifier: MIT
// Programs of the server library that do odd things: each is answered by an error, or does no harm.
import { after, afterEach, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { RawHttp } from '../lib/http-raw.mjs';
import { Installed } from '../lib/installed.mjs';
import { openPlain } from '../lib/plain-client.mjs';
import { request } from '../lib/request.mjs';
import { REPO, startProgram } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
import { Page } from '../lib/session-client.mjs';

let installed, program, server;

before(() => {
  installed = new Installed();
  program = installed.compiles(path.join(REPO, 'tests/scenario/library/odd.c'));
});
after(() => installed.remove());
beforeEach(async () => (server = await startProgram(program, ['here', 'topics-max=1'])));
afterEach(() => server.ends());

test('a timer that fires once may be stopped by its own work', async () => {
  for (let i = 0; i < 2; i++) assert.equal((await request(server.at('timer'))).body, 'stopped');
});

test('a client is not told to send a body that its handler refuses, allowed later', async () => {
  const client = await RawHttp.connect(server.port);
  await client.send(
    'POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
  );
  const [data] = await once(client.socket, 'data');
  assert.match(data.toString(), /^HTTP\/1.1 413 /);
  client.destroy();
});

test('a topic too many is refused by the call that asks for it, and not called back', async () => {
  const peer = await openPlain(server.at('topics'));
  assert.equal(await peer.asks('first'), 'first: 0');
  assert.equal(await peer.asks('second'), 'second: -28');
  assert.equal(await peer.asks('first'), 'first: 0');
  await peer.closes();
});

test('a peer for whose topic there is no room is closed, and hears why', async () => {
  const all = await openPlain(server.at('all'));
  const peer = await openPlain(server.at('topics'));
  assert.equal(await peer.asks('first'), 'first: -28');
  await all.closes();
  const first = await openPlain(server.at('topics'));
  await until(async () => (await first.asks('first')) === 'first: 0');
  await (await openPlain(server.at('all'))).isClosed(1013, 'too-many-topics');
  await Promise.all([peer.closes(), first.closes()]);
});

test('a page whose program gives what is none gets errors for it', async () => {
  const page = await Page.opens(server, 'page');
  assert.equal(page.answer.headers['x-early'], '1');
  await page.hears(/^q\?1/);
  await page.closes();
});

test('the thread that has made a server is a stranger to it when another one runs it', async () => {
  const other = await startProgram(program, ['elsewhere']);
  await other.logged(/^thread -1$/);
  await other.ends();
});

test('a page that is answered as a request of a route ends its program, by a line that says why', async () => {
  const wrong = await startProgram(program, ['here']);
  await assert.rejects(request(wrong.at('wrong')));
  assert.equal((await wrong.exited).signal, 'SIGABRT');
  assert.match(wrong.log.join(), /request_is_to_be_read_only/);
});

test('work that posts itself for ever ends with its server', async () => {
  const busy = await startProgram(program, ['again']);
  await busy.ends();
  assert.deepEqual(busy.lines(/^again/), ['again: -32']);
});
